"""Gathering rollouts: what the policy sees, where episodes are cut, what a lost emulator does, what is never computed twice."""

import numpy as np
import pytest
import torch
from toy import CODES, CORRIDOR, ToyGame, toy_look, toy_shape

from emurl_core.policy.configuration import PolicyConfig
from emurl_core.policy.memory import NO_BUTTON, draw_actions
from emurl_core.policy.network import VQPolicy
from emurl_core.policy.rollout import Collector, EmulatorsLostError
from emurl_core.policy.sight import Sight
from emurl_core.screen import Button

CONFIG = PolicyConfig(
    iterations=1, envs=3, rollout_steps=30, minibatch_size=8, episode_steps=12, frame_stack=3, workers=0,
    reward_interval=5, progress_window=2, normalise_rewards=False, cached_frames=64,
)  # fmt: skip


class AlwaysA(VQPolicy):
    """Presses A; values the place it stands at."""

    def forward(
        self, stacks: torch.Tensor, previous: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits = torch.full((len(stacks), 8), -1e9)
        logits[:, Button.A] = 0
        return logits, stacks[:, -1, 0].float(), hidden


def collector_of(game: ToyGame, config: PolicyConfig = CONFIG) -> tuple[AlwaysA, Collector]:
    collector = Collector(game, Sight(toy_look, config.cached_frames), config, torch.device("cpu"))
    collector.begin()
    collector.tally.stagger(np.zeros(game.envs, np.int64))
    return AlwaysA(toy_shape(config.frame_stack)), collector


def test_the_policy_sees_the_newest_frames_in_order_and_the_button_before() -> None:
    network, collector = collector_of(ToyGame(3))
    rollout = collector.collect(network)
    assert rollout.stacks[0, 0, :, 0].tolist() == [0, 0, 0]
    assert rollout.stacks[3, 0, :, 0].tolist() == [1, 2, 3]
    assert rollout.previous[:2, 0].tolist() == [NO_BUTTON, Button.A]


def test_an_episode_is_cut_at_its_limit_bootstrapped_with_its_last_frame_and_a_new_one_begins_at_power_on() -> (
    None
):
    game = ToyGame(3)
    network, collector = collector_of(game)
    rollout = collector.collect(network)
    assert rollout.cut[:, 0].nonzero().flatten().tolist() == [11, 23]
    assert rollout.cut_values[11].tolist() == [12.0, 12.0, 12.0], (
        "the value of the frame that the cut episode ended on"
    )
    assert rollout.stacks[12, 0, :, 0].tolist() == [0, 0, 0], (
        "nothing of the last episode is seen in the new one"
    )
    assert rollout.previous[12, 0] == NO_BUTTON
    assert game.resets[1:] == [[0, 1, 2], [0, 1, 2]]
    # 12 steps of 1/40 each; the mean of two frames lags half a step.
    assert torch.isclose(rollout.rewards[:12, 0].sum(), torch.tensor(11.5 / CORRIDOR))


def test_episodes_begin_staggered_so_that_emulators_are_not_all_in_the_same_scene() -> None:
    collector = Collector(ToyGame(3), Sight(toy_look, 64), CONFIG, torch.device("cpu"))
    collector.begin()
    network = AlwaysA(toy_shape(CONFIG.frame_stack))
    cut = collector.collect(network).cut
    assert len({tuple(c) for c in cut.T.tolist()}) > 1


def test_a_lost_emulator_cuts_its_episode_without_inventing_a_reward() -> None:
    game = ToyGame(3)
    network, collector = collector_of(game)
    first = collector.collect(network)
    assert not first.cut[4, 1]
    game, resets = ToyGame(3), []
    network, collector = collector_of(game)
    ordinary_step = game.step

    def losing_step(actions: np.ndarray) -> np.ndarray:
        resets.append(len(game.resets))
        game.lose_next = 1 if len(resets) == 7 else None
        return ordinary_step(actions)

    game.step = losing_step  # type: ignore[method-assign]
    rollout = collector.collect(network)
    assert rollout.cut[6].tolist() == [False, True, False]
    assert float(rollout.rewards[6, 1]) >= 0, "the fall back to power-on is not the policy's doing"
    assert rollout.cut_values[6, 1] == rollout.values[6, 1]
    assert rollout.stacks[7, 1, :, 0].tolist() == [0, 0, 0]
    assert game.resets[1] == [0, 2], (
        "a lost emulator stands at power-on already: at the limit only the others are reset"
    )


def losing_at_reset(game: ToyGame, number: int, lost: list[int]) -> None:
    """The worker of the emulators `lost` dies while the episodes of that reset begin, as `VectorGame` leaves it."""
    ordinary, done = game.reset, len(game.resets)

    def reset(*args: object, **named: object) -> np.ndarray:
        ordinary(*args, **named)  # type: ignore[arg-type]
        if len(game.resets) - done == number:
            game.place[lost], game.restarted[lost] = 0, True
            game._draw()
        return game.frames

    game.reset = reset  # type: ignore[method-assign]


def test_an_emulator_lost_while_others_begin_cuts_its_running_episode_too() -> None:
    game = ToyGame(3)
    network, collector = collector_of(
        game, CONFIG.model_copy(update={"reward_interval": 1, "progress_window": 1})
    )
    collector.tally.stagger(np.array([4, 0, 0]))
    losing_at_reset(game, 1, [0, 1])
    rollout = collector.collect(network)
    assert rollout.cut[:8].nonzero().tolist() == [[7, 0], [7, 1]]
    assert float(rollout.rewards[:19].min()) >= 0, "the fall back to power-on is not the policy's doing"
    assert rollout.cut_values[7, 1] == rollout.values[7, 1]
    assert rollout.stacks[8, 1, :, 0].tolist() == [0, 0, 0], (
        "nothing of the last episode is seen in the new one"
    )
    assert rollout.previous[8, 1] == NO_BUTTON
    assert rollout.cut[:, 1].nonzero().flatten().tolist() == [7, 19], "the new one is as long as others"
    assert rollout.cut[:, 2].nonzero().flatten().tolist() == [11, 23], "who was not lost goes on"


def test_emulators_lost_while_a_training_is_taken_up_are_not_taken_for_those_that_were_stored() -> None:
    network, collector = collector_of(ToyGame(3))
    collector.collect(network)
    state, game = collector.state(), ToyGame(3)
    again = Collector(game, Sight(toy_look, 64), CONFIG, torch.device("cpu"))
    losing_at_reset(game, 1, [2])
    with pytest.raises(EmulatorsLostError, match="found 1 emulators lost while their states were restored"):
        again.restore(state)


def test_repeated_frames_are_computed_once_and_the_oldest_make_room() -> None:
    asked: list[int] = []

    def look(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(len(frames))
        return toy_look(frames)

    sight = Sight(look, capacity=3)
    game = ToyGame(1)

    def frame(place: int) -> np.ndarray:
        game.reset(states=place.to_bytes(4, "little"))
        return game.frames[0].copy()

    tokens, progress = sight(np.stack([frame(5), frame(7), frame(5)]))
    assert asked == [2]
    assert tokens[:, 0].tolist() == [5, 7, 5]
    np.testing.assert_allclose(progress, np.array([5, 7, 5]) / CORRIDOR)
    sight(np.stack([frame(7), frame(5)]))
    assert asked == [2]
    sight(np.stack([frame(9), frame(11)]))  # 5 makes room
    tokens, _ = sight(np.stack([frame(7), frame(9), frame(11)]))
    assert asked == [2, 2]
    assert tokens[:, 0].tolist() == [7, 9, 11]
    assert sight(frame(5)[None])[0][0, 0] == 5 % CODES
    assert asked == [2, 2, 1]
    assert (sight.asked, sight.computed) == (11, 5)


def test_buttons_are_drawn_by_their_chances() -> None:
    chances = np.array([0.5, 0.25, 0.125, 0.125])
    stream = np.random.default_rng(0)
    drawn = draw_actions(np.log(np.tile(chances, (20_000, 1))), stream.random((20_000, 4)))
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, chances, atol=0.01)
