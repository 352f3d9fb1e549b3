"""The library: files that never change, are never half there, and refuse what they were not made for."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from emurl_core.artifacts import ArtifactError
from emurl_core.game.emulator import PYBOY_VERSION
from emurl_core.starts import StartLibrary, StartState

STATE = StartState(
    rom_sha1="a" * 40, pyboy=PYBOY_VERSION, parent=None, idle_frames=17, actions=np.array([4, 4, 1], np.uint8), steps=3,
    policy="0123456789abcdef", environment_steps=640, cell=70_000, progress=0.43, frame_digest="b" * 32,
    saved=bytes(range(256)) * 600,
)  # fmt: skip


@pytest.fixture
def library(tmp_path: Path) -> StartLibrary:
    return StartLibrary(tmp_path / "starts")


def test_a_state_comes_back_as_it_was_with_all_that_is_known_of_it(library: StartLibrary) -> None:
    found = library.load(library.add(STATE), "a" * 40)
    for field in dataclasses.fields(StartState):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(STATE, field.name))
    assert library.ids == [STATE.id]
    child = dataclasses.replace(STATE, parent=STATE.id, idle_frames=0, steps=6)
    assert library.add(child) != STATE.id
    assert len(library) == 2


def test_what_is_published_never_changes_and_leaves_nothing_beside_it(library: StartLibrary) -> None:
    library.add(STATE)
    (path,) = library.folder.iterdir()
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert library.add(dataclasses.replace(STATE, progress=0.9)) == STATE.id, (
        "the way decides which state it is"
    )
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(library.folder.iterdir()) == [path]


def test_another_rom_is_refused_with_what_was_found_and_what_to_do(library: StartLibrary) -> None:
    library.add(STATE)
    with pytest.raises(ArtifactError, match=r"another ROM: found SHA-1 cccc.*expected aaaa.*; play the ROM"):
        library.load(STATE.id, "c" * 40)


def test_another_version_of_pyboy_is_refused_with_what_was_found_and_what_to_do(
    library: StartLibrary,
) -> None:
    old = dataclasses.replace(STATE, pyboy="1.6.14")
    library.add(old)
    with pytest.raises(ArtifactError, match=rf"found PyBoy {PYBOY_VERSION}, expected 1\.6\.14; install"):
        library.load(old.id, "a" * 40)
    assert library.read(old.id).pyboy == "1.6.14", "what it is can still be asked"


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.97])
def test_a_damaged_file_is_named_with_what_to_do(library: StartLibrary, place: float) -> None:
    library.add(STATE)
    (path,) = library.folder.iterdir()
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=rf"{STATE.id}.*is damaged: found .*, expected"):
        library.read(STATE.id)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="is damaged"):
        library.read(STATE.id)
    with pytest.raises(ArtifactError, match="found no start state 'nothing'"):
        library.read("nothing")


def test_a_parent_comes_before_its_children(library: StartLibrary) -> None:
    with pytest.raises(ArtifactError, match=r"begins at 1234.*add it first"):
        library.add(dataclasses.replace(STATE, parent="1234"))
    assert not library.folder.exists()


def test_the_disk_that_a_library_may_take_is_bounded(library: StartLibrary) -> None:
    library.add(STATE)
    (path,) = library.folder.iterdir()
    full = StartLibrary(library.folder, max_bytes=2 * path.stat().st_size)
    full.add(dataclasses.replace(STATE, idle_frames=18))
    with pytest.raises(ArtifactError, match=r"expected at most [\d,]+; hold fewer"):
        full.add(dataclasses.replace(STATE, idle_frames=19))
    assert len(full) == len(list(full.folder.iterdir())) == 2
