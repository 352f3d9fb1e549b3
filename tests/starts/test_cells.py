"""Cells: what counts as the same place, and what does not."""

import numpy as np

from emurl_core.starts.cells import BANDS, BITS, CELLS, band_of_cell, cells_of


def cell(tokens: np.ndarray, progress: float = 0.5) -> int:
    return int(cells_of(tokens[None], np.array([progress]))[0])


def scene(seed: int) -> np.ndarray:
    """A frame of some 30 different tokens, a few of them common."""
    rng = np.random.default_rng(seed)
    return rng.choice(rng.integers(512, size=30), 90, p=rng.dirichlet(np.full(30, 0.5))).astype(np.int16)


def test_a_place_is_known_again_wherever_its_tokens_stand_on_the_screen() -> None:
    for seed in range(20):
        assert cell(scene(seed)) == cell(np.random.default_rng(99).permutation(scene(seed)))


def test_places_of_other_tokens_are_other_places() -> None:
    assert len({cell(scene(seed)) for seed in range(50)}) > 45


def test_a_single_token_that_changes_mostly_leaves_the_place_the_same() -> None:
    same = []
    for seed in range(200):
        changed = scene(seed)
        changed[7] = (changed[7] + 1) % 512
        same.append(cell(scene(seed)) == cell(changed))
    assert np.mean(same) > 0.5


def test_progress_tells_apart_what_looks_alike() -> None:
    cells = [cell(scene(0), p) for p in (0.0, 0.2, 0.21, 0.9, 1.0)]
    assert [band_of_cell(c) for c in cells] == [0, 8, 8, 36, BANDS - 1]
    assert cells[1] == cells[2]
    assert len({c & (1 << BITS) - 1 for c in cells}) == 1
    assert max(cells) < CELLS


def test_cells_are_the_same_in_every_process_and_version() -> None:
    # Counted visits and published libraries outlive a process: this number never changes.
    assert cell(np.arange(90, dtype=np.int16), 0.5) == GOLDEN


GOLDEN = 83072
