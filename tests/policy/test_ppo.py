"""PPO: estimates against hand-computed ones, the loss against its definition, and learning on the whole code path."""

from pathlib import Path

import numpy as np
import pytest
import torch
from toy import ToyGame, toy_look, toy_shape

from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.learning import learn
from emurl_core.policy.network import VQPolicy
from emurl_core.policy.ppo import advantages_of, explained_variance, keep_best_episodes, ppo_loss
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sight import Sight
from emurl_core.screen import Button
from emurl_core.stage import StageContext

CPU = torch.device("cpu")
CONFIG = PolicyConfig(
    iterations=12, envs=8, rollout_steps=32, minibatch_size=64, episode_steps=50, frame_stack=2, workers=0,
    reward_interval=4, progress_window=2, learning_rate=3e-3, cached_frames=256, checkpoint_every_s=1e9,
)  # fmt: skip


def test_advantages_equal_those_computed_by_hand_across_a_cut_and_at_the_end() -> None:
    rewards = torch.tensor([[1.0], [0.0], [2.0]])
    values = torch.tensor([[0.5], [1.0], [0.25]])
    cut = torch.tensor([[False], [True], [False]])
    cut_values = torch.tensor([[0.0], [3.0], [0.0]])
    found = advantages_of(rewards, values, cut, cut_values, torch.tensor([4.0]), gamma=0.9, lam=0.8)
    last = 2.0 + 0.9 * 4.0 - 0.25
    middle = (
        0.0 + 0.9 * 3.0 - 1.0
    )  # bootstrapped with the frame it was cut on; nothing of the next episode flows back
    first = 1.0 + 0.9 * 1.0 - 0.5 + 0.9 * 0.8 * middle
    torch.testing.assert_close(found[:, 0], torch.tensor([first, middle, last]))


def test_with_lambda_one_and_no_cut_returns_are_discounted_sums() -> None:
    rewards, values = torch.rand(6, 3), torch.rand(6, 3)
    never = torch.zeros(6, 3, dtype=torch.bool)
    last = torch.rand(3)
    returns = advantages_of(rewards, values, never, torch.zeros(6, 3), last, 0.97, 1.0) + values
    expected = sum(0.97**t * rewards[t] for t in range(6)) + 0.97**6 * last
    torch.testing.assert_close(returns[0], expected)


def test_the_return_filter_leaves_out_the_worst_episodes_and_no_other() -> None:
    rewards = torch.tensor([[1.0, 0.0], [0.0, 0.0], [-1.0, 5.0], [-1.0, 0.0]])
    cut = torch.tensor([[False, False], [True, False], [False, False], [False, False]])
    # Episodes: env 0 steps 0–1 return 1, env 0 steps 2–3 return -2, env 1 return 5.
    kept = keep_best_episodes(rewards, cut, 0.67)
    assert kept.tolist() == [[True, True], [True, True], [False, True], [False, True]]
    assert keep_best_episodes(rewards, cut, 1.0).all()


def _batch(
    advantages: list[float], log_probabilities: list[float], kept: list[bool]
) -> dict[str, torch.Tensor]:
    n = len(advantages)
    return {
        "actions": torch.zeros(n, dtype=torch.int64), "log_probabilities": torch.tensor(log_probabilities),
        "values": torch.zeros(n), "advantages": torch.tensor(advantages), "returns": torch.ones(n), "kept": torch.tensor(kept),
    }  # fmt: skip


def test_the_loss_is_clipped_where_the_ratio_ran_away_and_only_there() -> None:
    config = CONFIG.model_copy(update={"normalise_advantages": False, "clip": 0.2, "value_coefficient": 0.0})
    logits = torch.zeros(2, 8, requires_grad=True)
    now = float(torch.zeros(8).log_softmax(0)[0])
    # The first step's ratio is e, far above 1.2 and profitable: no gradient. The second one's is 1.
    batch = _batch([1.0, 1.0], [now - 1.0, now], [True, True])
    loss, report = ppo_loss(logits, torch.zeros(2), batch, config, entropy_coefficient=0.0)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-(1.2 + 1.0) / 2)
    assert logits.grad is not None
    assert logits.grad[0].abs().sum() == 0
    assert logits.grad[1, 0] < 0
    assert float(report["clip_fraction"]) == 0.5
    assert float(report["approx_kl"]) == pytest.approx((np.e - 1 - 1) / 2, rel=1e-5)


def test_steps_left_out_by_the_filter_teach_the_value_but_not_the_policy() -> None:
    logits, values = torch.zeros(4, 8, requires_grad=True), torch.zeros(4, requires_grad=True)
    batch = _batch([1.0, -1.0, 2.0, 100.0], [-2.0] * 4, [True, True, True, False])
    ppo_loss(logits, values, batch, CONFIG, entropy_coefficient=0.0)[0].backward()
    assert logits.grad is not None
    assert values.grad is not None
    assert logits.grad[3].abs().sum() == 0
    assert (values.grad != 0).all()


def test_value_clipping_holds_back_a_value_that_ran_away() -> None:
    batch = _batch([0.0, 0.0], [-2.0, -2.0], [True, True])
    clipped = CONFIG.model_copy(update={"value_clip": 0.2})
    values = torch.tensor([1.0, 1.0])  # right at the returns, but 1 away from what was expected
    free = ppo_loss(torch.zeros(2, 8), values, batch, CONFIG, 0.0)[1]["value_loss"]
    held = ppo_loss(torch.zeros(2, 8), values, batch, clipped, 0.0)[1]["value_loss"]
    assert float(free) == 0
    assert float(held) == pytest.approx(0.5 * 0.8**2)


def test_explained_variance_is_one_for_a_perfect_critic_and_zero_for_a_constant_one() -> None:
    returns = torch.rand(50)
    assert explained_variance(returns, returns) == 1
    assert explained_variance(torch.zeros(50), returns) == pytest.approx(0, abs=1e-6)


def corridor(
    game: ToyGame, config: PolicyConfig, masked: tuple[Button, ...] = ()
) -> tuple[VQPolicy, Collector]:
    torch.manual_seed(config.seed)
    network = VQPolicy(toy_shape(config.frame_stack, masked))
    return network, Collector(game, Sight(toy_look, config.cached_frames), config, CPU)


def test_ppo_learns_to_press_the_button_that_gains_progress(context: StageContext, tmp_path: Path) -> None:
    network, collector = corridor(ToyGame(CONFIG.envs), CONFIG)
    stacks, previous = torch.zeros(1, 2, 90, dtype=torch.int16), torch.tensor([8])
    before = network(stacks, previous)[0].softmax(1)[0, Button.A].detach()
    assert float(before) == pytest.approx(1 / 8, abs=0.02), "all buttons alike at first"
    curves, _ = learn(network, collector, CONFIG, context, tmp_path, CPU)
    with torch.no_grad():
        after = network(stacks, previous)[0].softmax(1)[0, Button.A]
    assert float(after) > 0.8
    assert curves[-1]["entropy_share"] < 0.6
    assert curves[-1]["episode_progress_gain"] > 0.6


def test_a_masked_button_is_never_pressed_and_entropy_stays_a_number(
    context: StageContext, tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"iterations": 2})
    network, collector = corridor(ToyGame(config.envs, good=Button.SELECT), config, masked=(Button.SELECT,))
    collector.begin()
    assert not (collector.collect(network).actions == Button.SELECT).any()
    curves, _ = learn(network, collector, config, context, tmp_path, CPU)
    assert curves[0]["entropy_share"] == pytest.approx(1.0, abs=0.02)
