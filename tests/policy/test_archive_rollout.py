"""Rollouts that begin in the archive: what the policy sees there, what is paid, what is counted, what a lost worker does."""

import numpy as np
import pytest
import torch
from test_rollout import CONFIG, AlwaysA, losing_at_reset
from toy import CORRIDOR, ToyGame, toy_look, toy_shape

from emurl_core.policy.memory import NO_BUTTON
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sight import Sight
from emurl_core.starts import FromArchive

ARCHIVE = CONFIG.model_copy(
    update={"start": "archive", "archive_share": 1.0, "archive_saves": 30, "progress_window": 1}
)


def collector_of(game: ToyGame) -> tuple[AlwaysA, Collector]:
    collector = Collector(game, Sight(toy_look, 64), ARCHIVE, torch.device("cpu"))
    collector.begin()
    collector.tally.stagger(np.zeros(game.envs, np.int64))
    return AlwaysA(toy_shape(ARCHIVE.frame_stack)), collector


def test_an_episode_in_the_archive_begins_with_nothing_behind_it_and_is_paid_for_what_it_gains() -> None:
    network, collector = collector_of(ToyGame(3))
    rollout = collector.collect(network)
    places = rollout.stacks[:, 0, :, 0]
    assert rollout.cut[:, 0].nonzero().flatten().tolist() == [11, 23]
    start = int(places[12, -1])
    assert start > 0
    assert places[12].tolist() == [start] * 3, "as if it had always stood there"
    assert rollout.previous[12, 0] == NO_BUTTON
    # 12 steps of 1/40: where it begins is not paid.
    assert float(rollout.rewards[12:24, 0].sum()) == pytest.approx(
        min(12, CORRIDOR - start) / CORRIDOR, abs=1e-6
    )


def test_only_episodes_from_power_on_are_counted_in_the_curves_of_episodes() -> None:
    game = ToyGame(3)
    network, collector = collector_of(game)
    collector.collect(network)
    # The first three reached place 12; those from the archive were farther.
    assert collector.tally.report()["episode_true_progress"] == pytest.approx(12 / CORRIDOR)
    collector.collect(network)
    assert "episode_true_progress" not in collector.tally.report()


def test_what_becomes_of_episodes_is_told_to_the_archive() -> None:
    network, collector = collector_of(ToyGame(3))
    collector.collect(network)
    report = collector.starts.report()
    assert report["starts_share"] == 1.0
    assert report["starts_gaining_share"] == 1.0
    assert isinstance(collector.starts, FromArchive)
    held = collector.starts.archive.held.values()
    assert sum(h.begun for h in held) == sum(h.succeeded for h in held) == 3


def test_a_worker_that_is_lost_while_a_state_is_taken_ends_its_episode_and_no_other() -> None:
    game = ToyGame(3)
    network, collector = collector_of(game)
    save, asked = game.save_states, []

    def losing(indices: object = None) -> list[bytes]:
        asked.append(indices)
        if len(asked) == 5:
            game.restarted[1], game.place[1] = True, 0
            game._draw()
            raise RuntimeError("found a lost worker while the emulators were saved")
        return save(indices)  # type: ignore[arg-type]

    game.save_states = losing  # type: ignore[method-assign]
    rollout = collector.collect(network)
    (lost,) = (row for row in range(12) if rollout.cut[row].any() and row < 11)
    assert rollout.cut[lost].tolist() == [False, True, False]
    assert float(rollout.rewards[lost, 1]) >= 0, "the fall back to power-on is not the policy's doing"
    assert rollout.stacks[lost + 1, 1, :, 0].tolist() == [0, 0, 0]


def test_a_worker_that_is_lost_while_others_begin_in_the_archive_ends_its_running_episode() -> None:
    game = ToyGame(3)
    network, collector = collector_of(game)
    collector.tally.stagger(np.array([4, 0, 0]))
    losing_at_reset(game, 1, [1])
    rollout = collector.collect(network)
    assert rollout.cut[7].tolist() == [True, True, False]
    assert rollout.stacks[8, 0, -1, 0] > 0, "this one begins in the archive"
    assert rollout.stacks[8, 1, :, 0].tolist() == [0, 0, 0]
    assert float(rollout.rewards[8:12, 1].min()) >= 0
