import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from emurl_core.game import Emulator, GameConfig, GameEnv, VectorGame
from emurl_core.game.seeding import draw_idle_frames


@pytest.fixture(scope="module", params=[0, 2], ids=["in this process", "in two workers"])
def game(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_rom: bytes
) -> Iterator[VectorGame]:
    """Four emulators, shared by the tests because workers take a second to start: reset them first."""
    path = tmp_path_factory.mktemp("roms") / "tiny.gb"
    path.write_bytes(tiny_rom)
    with VectorGame(GameConfig(game="rom", rom=str(path)), envs=4, workers=request.param, seed=3) as vector:
        yield vector
        assert vector.restarts == 0


def play(config: GameConfig, workers: int, envs: int = 3, seed: int = 3) -> np.ndarray:
    """Frames of a session that uses everything: steps, waits, resets of some, save states."""
    random = np.random.default_rng(0)
    with VectorGame(config, envs, workers, seed=seed) as game:
        seen = [game.reset().copy()]
        seen += [game.step(random.integers(-1, 8, envs)).copy() for _ in range(8)]
        states = game.save_states([0, envs - 1])
        seen.append(game.reset([1]).copy())
        seen.append(game.step(np.full(envs, 4)).copy())
        seen.append(game.reset([envs - 1, 0], seeds=[7, 8], states=states[::-1]).copy())
        seen += [game.step(random.integers(0, 8, envs)).copy() for _ in range(4)]
        return np.stack(seen)


def test_the_number_of_workers_changes_nothing_in_the_frames(tiny_config):
    alone = play(tiny_config, workers=0)
    assert alone.shape == (16, 3, 144, 160)
    assert len(np.unique(alone[1:6], axis=0)) > 3
    for workers in (1, 2):
        assert np.array_equal(play(tiny_config, workers), alone)


def test_a_vector_plays_like_single_emulators(game, tiny_rom):
    game.reset(seeds=[1, 2, 3, 4])
    actions = np.array([[-1] * 4, [-1] * 4, [-1] * 4, [0, 4, -1, 2], [3, 4, 7, 2], [5, -1, 1, 6]])
    frames = [game.step(a).copy() for a in actions]
    for row in range(4):
        with Emulator(tiny_rom) as emulator:
            emulator.tick(draw_idle_frames(np.random.default_rng(row + 1)))
            for a, shown in zip(actions[:, row], frames, strict=True):
                assert np.array_equal(emulator.step(None if a == -1 else a), shown[row])


def test_emulators_and_seeds_differ_in_their_idle_frames(tiny_config):
    # The tiny ROM counts its frames at 0xC000, and a save state holds that count: the pictures alone would not differ.
    with VectorGame(tiny_config, envs=6, seed=3) as game, VectorGame(tiny_config, envs=6, seed=4) as other:
        game.reset()
        other.reset()
        assert len(set(game.save_states())) > 3.5
        assert game.save_states() != other.save_states()
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(3).spawn(50)]
    waits = [draw_idle_frames(s, 240) for s in streams]
    assert min(waits) >= 0
    assert max(waits) <= 240
    assert len(set(waits)) > 30


def test_a_seeded_reset_is_the_same_episode_as_in_the_single_environment(tiny_config, game):
    env = GameEnv("rom", tiny_config.rom)
    expected = {}
    for seed in (11, 12):
        first, _ = env.reset(seed=seed)
        expected[seed] = [first, *(env.step(a)[0] for a in (4, 4, 0, 3))]
    env.close()
    frames = [game.reset([3, 1], seeds=[11, 12]).copy()]
    frames += [game.step([a] * 4).copy() for a in (4, 4, 0, 3)]
    for row, seed in ((3, 11), (1, 12)):
        for found, wanted in zip(frames, expected[seed], strict=True):
            assert np.array_equal(found[row], wanted)


def test_resetting_some_emulators_leaves_the_others_alone(game):
    game.reset()
    for _ in range(9):
        before = game.step([4] * 4).copy()
    after = game.reset([2])
    assert np.array_equal(after[[0, 1, 3]], before[[0, 1, 3]])
    assert not np.array_equal(after[2], before[2])


def test_a_bad_save_state_is_refused_and_play_goes_on(game):
    game.reset()
    with pytest.raises(ValueError, match="save state"):
        game.reset([0, 1, 3], states=[b"", b"junk", b""])
    for _ in range(4):
        frames = game.step([4] * 4)
    assert frames.max() == 3
    (state,) = game.save_states([1])
    game.reset(states=state, seeds=[5] * 4)
    assert all(np.array_equal(game.frames[0], game.frames[i]) for i in range(4))


@pytest.mark.parametrize("actions", [[0, 1], [0, 1, 8], [0, -2, 1], [0.0, 1.0, 2.0], [[0, 1, 2]]])
def test_wrong_actions_are_refused_with_what_was_found(tiny_config, actions):
    with VectorGame(tiny_config, envs=3) as game, pytest.raises(ValueError, match=r"expected \(3,\)"):
        game.step(np.array(actions))


def test_impossible_sizes_are_refused(tiny_config):
    with pytest.raises(ValueError, match="at least one emulator"):
        VectorGame(tiny_config, envs=0)
    with VectorGame(tiny_config, envs=2) as game:
        with pytest.raises(ValueError, match="different indices"):
            game.reset([0, 2])
        with pytest.raises(ValueError, match="different indices"):
            game.reset([1, 1])
        with pytest.raises(ValueError, match="one length"):
            game.reset([0, 1], seeds=[1])


def test_sending_lets_the_workers_play_while_the_caller_computes(tiny_config, game):
    with VectorGame(tiny_config, envs=4) as other:
        game.reset(seeds=[1, 2, 3, 4])
        other.reset(seeds=[1, 2, 3, 4])
        for _ in range(5):
            game.send([4, 3, 2, 1])
            time.sleep(0.01)
            assert np.array_equal(game.receive(), other.step([4, 3, 2, 1]))


def test_a_worker_stays_small_because_it_never_imports_torch():
    script = "import sys, emurl_core.game.worker; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_a_step_allocates_no_frames(game):
    address = game.reset().__array_interface__["data"]
    for _ in range(3):
        assert game.step([0, 1, 2, 3]).__array_interface__["data"] == address


def test_the_truth_of_a_game_nobody_decoded_is_nothing(game):
    game.reset()
    game.step([4] * 4)
    assert not game.truth.milestones.any()
    assert not game.truth.progress.any()
    assert game.truth.milestone_counts.tolist() == [0] * 4
