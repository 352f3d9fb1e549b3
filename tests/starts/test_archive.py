"""The archive: how much it holds, what has to go, that ways stay known, from where it draws."""

import numpy as np
import pytest

from emurl_core.starts.archive import Archive, Held
from emurl_core.starts.cells import BITS
from emurl_core.starts.ways import POWER_ON, Way


def cell(band: int, code: int = 0) -> int:
    return band << BITS | code


def add(archive: Archive, where: int, way: Way | None = None) -> Held | None:
    assert archive.wants(np.array([where])).all()
    way = way or Way(idle_frames=7, actions=bytearray([where % 8]))
    return archive.add(way, where, (where >> BITS) / 40, b"d" * 16, 5, b"state %d" % where)


def numbers(archive: Archive) -> dict[int, int]:
    return {h.cell: h.number for h in archive.held.values()}


def test_a_cell_is_held_once() -> None:
    archive = Archive(10)
    add(archive, cell(3))
    assert archive.wants(np.array([cell(3), cell(3, 1), cell(4)])).tolist() == [False, True, True]


def test_the_band_that_holds_most_makes_room_with_what_is_seen_most() -> None:
    archive = Archive(5)
    for code in range(4):
        add(archive, cell(2, code))
    add(archive, cell(9))
    archive.see(np.repeat([cell(2, 1), cell(9)], [50, 500]))
    gone = add(archive, cell(20))
    assert gone is not None
    assert gone.cell == cell(2, 1)
    assert len(archive.held) == 5
    assert {cell(9), cell(20)} <= set(numbers(archive))


def test_within_a_full_band_only_a_much_rarer_cell_comes_in() -> None:
    archive = Archive(3)
    for code in range(3):
        add(archive, cell(2, code))
        archive.see(np.repeat(cell(2, code), 10 + code))
    archive.see(np.repeat([cell(2, 8), cell(2, 9)], [5, 9]))
    assert archive.wants(np.array([cell(2, 8), cell(2, 9)])).tolist() == [True, False]
    gone = add(archive, cell(2, 8))
    assert gone is not None
    assert gone.cell == cell(2, 2)


def test_the_early_game_does_not_crowd_out_the_late_one() -> None:
    rng = np.random.default_rng(0)
    archive = Archive(40)
    for _ in range(3000):
        band = min(int(rng.exponential(2)), 9)
        where = np.array([cell(band, int(rng.integers(200)))])
        archive.see(where)
        if archive.wants(where)[0]:
            add(archive, int(where[0]))
    held = np.bincount([h.band for h in archive.held.values()], minlength=10)
    assert held.sum() == 40
    assert held[:7].max() <= held[:7].min() + 2, held


def test_the_way_of_what_began_at_a_state_that_went_is_as_long_as_before() -> None:
    archive = Archive(2)
    add(archive, cell(1), Way(POWER_ON, 9, 0, bytearray([1, 2, 3])))
    add(archive, cell(1, 1), Way(0, 0, 3, bytearray([4])))
    archive.see(np.repeat(cell(1), 10))
    gone = add(archive, cell(5), Way(1, 0, 4, bytearray([5])))
    assert gone is not None
    assert gone.number == 0
    child, grandchild = archive.held[1].way, archive.held[2].way
    assert (child.parent, child.idle_frames, bytes(child.actions)) == (POWER_ON, 9, bytes([1, 2, 3, 4]))
    assert (child.steps, grandchild.steps, grandchild.parent) == (4, 5, 1)


def test_a_state_that_goes_for_its_own_child_leaves_it_the_way() -> None:
    archive = Archive(1)
    add(archive, cell(1), Way(POWER_ON, 9, 0, bytearray([1])))
    add(archive, cell(2), Way(0, 0, 1, bytearray([2])))
    (only,) = archive.held.values()
    assert (only.way.parent, only.way.idle_frames, bytes(only.way.actions)) == (POWER_ON, 9, bytes([1, 2]))
    assert only.way.steps == 2


def test_what_is_rarely_seen_and_what_leads_on_is_drawn_more() -> None:
    archive = Archive(10)
    for code in range(3):
        add(archive, cell(4, code))
    add(archive, cell(5))
    archive.see(np.repeat([cell(4, 0), cell(4, 1), cell(4, 2)], [399, 3, 3]))
    dead_end = archive.held[numbers(archive)[cell(4, 2)]]
    dead_end.begun = 8

    def shares() -> dict[int, float]:
        stream = np.random.default_rng(0)
        drawn = [archive.draw(4, stream).cell for _ in range(4000)]
        return {code: float(np.mean([c == cell(4, code) for c in drawn])) for code in range(3)}

    # Weights 1/2 / 20, 1/2 / 2 and 1/10 / 2.
    found = shares()
    assert found[0] == pytest.approx(0.025 / 0.325, abs=0.02)
    assert found[1] == pytest.approx(0.25 / 0.325, abs=0.02)
    assert found[2] == pytest.approx(0.05 / 0.325, abs=0.02)
    dead_end.succeeded = 8
    assert shares()[2] > 0.5


def test_an_archive_that_was_stored_goes_on_as_the_same() -> None:
    archive, other = Archive(3), Archive(3)
    for band in (1, 4, 2, 7):
        add(archive, cell(band))
        archive.see(np.repeat(cell(band), band))
    archive.held[2].begun, archive.held[2].succeeded = 5, 2
    other.restore(archive.state())
    assert other.held == archive.held
    assert list(other.held) == list(archive.held)
    assert add(other, cell(8)) == add(archive, cell(8))
    assert other.held == archive.held
    np.testing.assert_array_equal(other.counts, archive.counts)
    empty = Archive(3)
    empty.restore(Archive(3).state())
    assert empty.held == {}
