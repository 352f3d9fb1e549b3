"""States that real play reached are reached again by their ways from power-on; what does not fit its way is found out."""

import dataclasses
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playing import GAME, ROM, SHA1, Play, beginnings, library_of

from emurl_core.artifacts import ArtifactError
from emurl_core.game import VectorGame
from emurl_core.game.emulator import Emulator
from emurl_core.starts import StartLibrary, StartState, verify
from emurl_core.starts.pictures import draw_each, draw_sheet


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> StartLibrary:
    starts = beginnings(3, capacity=40)
    with VectorGame(GAME, 3, seed=1) as game:
        Play(game, starts, seed=1).run(400)
    return library_of(starts, StartLibrary(tmp_path_factory.mktemp("starts") / "starts"))


def test_every_state_of_real_play_is_reached_again_from_power_on(library: StartLibrary) -> None:
    states = list(library)
    assert len(states) > 15
    assert any(s.parent is not None for s in states)
    assert any(s.parent is None and s.idle_frames for s in states)
    assert max(s.steps for s in states) > 40, "some began where an earlier episode had come to"
    found = list(verify(library, ROM))
    assert sorted(r.id for r in found) == library.ids
    assert [r.problem for r in found if not r.holds] == []


def test_an_episode_that_begins_at_a_state_goes_on_as_if_never_interrupted(library: StartLibrary) -> None:
    state = max(library, key=lambda s: len(s.actions) if s.parent is None else 0)
    with Emulator(ROM) as straight, VectorGame(GAME, 1) as game:
        straight.load_state(straight.save_state())
        straight.tick(state.idle_frames)
        for action in state.actions.tolist():
            straight.step(action)
        frames = game.reset(states=[library.load(state.id, SHA1).saved], idle=False)
        np.testing.assert_array_equal(frames[0], straight.frame())
        for action in np.random.default_rng(0).integers(8, size=60):
            np.testing.assert_array_equal(game.step(np.array([action]))[0], straight.step(int(action)))


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        # One frame later the picture is still the same: only the state tells.
        (lambda s, other: {"idle_frames": s.idle_frames + 1}, "the same picture, but in another state"),
        (lambda s, other: {"actions": s.actions[:-1]}, "ends in"),
        (lambda s, other: {"saved": other.saved}, "the same picture, but in another state"),
        (lambda s, other: {"frame_digest": other.frame_digest}, "ends in another picture"),
    ],
)
def test_a_state_that_does_not_fit_its_way_is_found_out(
    library: StartLibrary,
    tmp_path: Path,
    forge: Callable[[StartState, StartState], dict[str, object]],
    problem: str,
) -> None:
    state = max((s for s in library if s.parent is None), key=lambda s: s.steps)
    other = next(s for s in library if s.frame_digest != state.frame_digest)
    forged = StartLibrary(tmp_path / "forged")
    forged.add(dataclasses.replace(state, **forge(state, other)))
    (found,) = verify(forged, ROM)
    assert not found.holds
    assert problem in found.problem


def test_a_library_without_one_of_its_parents_is_refused(library: StartLibrary, tmp_path: Path) -> None:
    copy = shutil.copytree(library.folder, tmp_path / "copy")
    parent = next(s.parent for s in library if s.parent is not None)
    (copy / f"{parent}.safetensors").unlink()
    with pytest.raises(ArtifactError, match=f"begins at {parent}: found no such state"):
        list(verify(StartLibrary(copy), ROM))


def test_another_rom_is_refused(library: StartLibrary) -> None:
    # The title in the header, and its checksum: a ROM that runs, but another one.
    patched = bytearray(ROM)
    patched[0x134] += 1
    patched[0x14D] = (patched[0x14D] - 1) & 0xFF
    with pytest.raises(ArtifactError, match="another ROM"):
        list(verify(library, bytes(patched)))


@pytest.mark.parametrize("workers", [1, 2])
def test_ways_hold_although_workers_are_killed_in_the_middle(tmp_path: Path, workers: int) -> None:
    starts = beginnings(4)
    with VectorGame(GAME, 4, workers=workers, seed=2) as game:
        play = Play(game, starts, seed=2)
        for _ in range(4):
            play.run(30)
            os.kill(game.worker_pids[0], signal.SIGKILL)
        play.run(30)
        assert game.restarts >= 4
    found = list(verify(library_of(starts, StartLibrary(tmp_path / "starts")), ROM))
    assert len(found) > 10
    assert [r.problem for r in found if not r.holds] == []


def test_pictures_show_what_the_states_show(library: StartLibrary, tmp_path: Path) -> None:
    states: list[StartState] = [library.load(i, SHA1) for i in library.ids]
    paths = draw_each(states, ROM, tmp_path / "pictures")
    assert len(set(paths)) == len(states)
    with Emulator(ROM) as emulator:
        emulator.load_state(states[0].saved)
        np.testing.assert_array_equal(np.asarray(Image.open(paths[0]))[:, :, 0], emulator.rgb()[:, :, 0])
    draw_sheet(library, ROM, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))
    # The game's greys, which letters on white have little of.
    assert np.isin(sheet, (85, 153)).mean() > 0.05
