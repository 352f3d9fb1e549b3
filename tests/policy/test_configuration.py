"""Presets and schedules of the training's numbers."""

import pytest

from emurl_core.dynamics import Dynamics, DynamicsConfig
from emurl_core.policy import PolicyConfig, PolicyShape, VQPolicy
from emurl_core.policy.configuration import PRESETS
from emurl_core.screen import Button
from emurl_core.tokenizer import Tokenizer, TokenizerConfig


def test_the_classic_preset_has_the_numbers_of_the_earlier_system() -> None:
    classic = PolicyConfig(preset="classic")
    found = (
        classic.reward_interval,
        classic.time_penalty,
        classic.return_filter,
        classic.gamma,
        classic.iterations,
    )
    assert found == (64, 0.001, 0.8, 0.99, 12_000)


def test_what_is_chosen_beside_a_preset_wins_and_what_is_at_its_default_does_not() -> None:
    assert PolicyConfig(preset="classic", reward_interval=16).reward_interval == 16
    # A command line hands over every field; a preset must work there too.
    everything = PolicyConfig().model_dump() | {"preset": "classic"}
    assert PolicyConfig.model_validate(everything) == PolicyConfig(preset="classic")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_configuration_read_back_is_the_same(preset: str) -> None:
    config = PolicyConfig.model_validate({"preset": preset, "envs": 7, "rollout_steps": 100})
    assert PolicyConfig.model_validate(config.model_dump(mode="json")) == config


def test_a_minibatch_larger_than_a_rollout_is_refused() -> None:
    with pytest.raises(
        ValueError, match="found minibatch_size=512, expected at most envs × rollout_steps = 16"
    ):
        PolicyConfig(envs=4, rollout_steps=4)


def test_masked_buttons_are_the_games_unless_they_are_named() -> None:
    assert PolicyConfig().masked((Button.SELECT,)) == (Button.SELECT,)
    assert PolicyConfig(masked_buttons=("start", "select")).masked((Button.SELECT,)) == (
        Button.START,
        Button.SELECT,
    )
    assert PolicyConfig(masked_buttons=()).masked((Button.SELECT,)) == ()
    with pytest.raises(ValueError, match=r"found masked_buttons=.*'x'.*expected some of up, down"):
        PolicyConfig(masked_buttons=("x",))


def test_step_size_and_entropy_bonus_fall_linearly() -> None:
    config = PolicyConfig(iterations=11, learning_rate=1e-3, entropy_start=0.01, entropy_end=0.0)
    assert config.learning_rate_at(0) == 1e-3
    assert config.learning_rate_at(10) == pytest.approx(1e-3 / 11)
    assert [config.entropy_coefficient_at(i) for i in (0, 5, 10)] == pytest.approx([0.01, 0.005, 0.0])


def test_the_full_policy_has_five_and_a_half_million_parameters() -> None:
    dynamics = Dynamics(DynamicsConfig(), TokenizerConfig().codes)
    parts = VQPolicy(PolicyShape.like(dynamics, PolicyConfig().frame_stack)), Tokenizer(TokenizerConfig())
    total = sum(p.numel() for part in parts for p in part.parameters())
    assert 5.4e6 < total < 5.7e6
