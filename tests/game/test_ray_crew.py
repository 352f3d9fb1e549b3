"""Emulator workers on a real Ray head: the same play as in this process, and a lost one is replaced."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
from ray_head import ray_head

from emurl_core import cluster
from emurl_core.game import GameConfig, VectorGame
from emurl_core.game.ray_crew import RayCrew


@pytest.fixture(scope="module", autouse=True)
def _joined() -> Iterator[None]:
    with ray_head() as (_, address):
        os.environ["RAY_ADDRESS"] = address
        try:
            cluster.join()
            yield
        finally:
            cluster.leave()
            del os.environ["RAY_ADDRESS"]


def play(workers: int) -> list[np.ndarray]:
    """A session that uses everything: steps, waits, resets of some, save states."""
    random = np.random.default_rng(0)
    with VectorGame(GameConfig(), envs=3, workers=workers, seed=3) as game:
        assert isinstance(game._players, RayCrew) == (workers > 0)
        seen = [game.reset().copy()]
        seen += [game.step(random.integers(-1, 8, 3)).copy() for _ in range(6)]
        states = game.save_states([0, 2])
        seen.append(game.reset([1]).copy())
        seen.append(game.reset([2, 0], seeds=[7, 8], states=states[::-1]).copy())
        seen += [game.step(random.integers(-1, 8, 3)).copy() for _ in range(4)]
        truth = game.truth
        return [*seen, truth.progress.copy(), truth.place.copy(), truth.milestones.copy()]


def test_workers_on_a_cluster_play_as_this_process_does() -> None:
    for here, there in zip(play(0), play(2), strict=True):
        np.testing.assert_array_equal(here, there)


def test_a_state_that_does_not_fit_is_this_processs_error() -> None:
    with VectorGame(GameConfig(), envs=2, workers=2) as game, pytest.raises(ValueError, match="state"):
        game.reset(states=b"no state")


def test_a_lost_worker_is_replaced_and_its_emulators_begin_anew() -> None:
    import ray

    with VectorGame(GameConfig(), envs=3, workers=2, seed=1) as game:
        game.reset()
        crew = game._players
        assert isinstance(crew, RayCrew)
        ray.kill(crew._actors[1])
        game.step([0, 0, 0])
        assert game.restarts == 1
        assert game.restarted.tolist() == [False, True, True]
        before = game.frames.copy()
        assert [game.step([7, 7, 7]).copy() for _ in range(8)][-1].shape == before.shape
        assert not game.restarted.any()


def test_too_few_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emurl_core.game.ray_crew._START_TIMEOUT_S", 5.0)
    with pytest.raises(RuntimeError, match=r"of 5 emulator workers .* expected all: each takes a core"):
        VectorGame(GameConfig(), envs=5, workers=5)
