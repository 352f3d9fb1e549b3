"""Is a crop right? Frames cut out of a video are compared with what an emulator draws of the same game.

At the places of the 8×8 grid a right crop shows the game's own tiles (`tile_book`), all over the picture. One that is
moved by a pixel shows them beside the grid; one that is scaled wrongly has them in their places in a part of the picture
only, or shows none; one that is moved by whole tiles shows none in its outermost row or column. The score is how many known
tiles are in their places in the worst part of the picture, against the most that any shift of the grid finds there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from emurl_core.frames.tile_book import (
    SIDES,
    TILE_COLUMNS,
    TILE_PX,
    TILE_ROWS,
    TileBook,
    filled_rims,
    grid,
    tile_hashes,
)

QUARANTINE_BELOW = 0.3
"""On tuning layouts right crops scored above 0.6, nearly all wrong ones below 0.2: see docs/benchmarks.md."""
FRAMES_JUDGED = 48
"""More change nothing."""
_MIN_FRAMES = 12
_MIN_TILES = 250
_REACH_PX = 3
_MIN_BOOK = 50
_MIN_IN_A_PART = 10
_CHANCE = 0.05
"""So many tiles look like some of the game's in any picture."""
_USUAL_AT_THE_RIM = 0.5
_MIN_PICTURES = 4
"""A side is judged when there are so many different pictures beside it, and when the emulator's own frames show tiles at
the rim in at least this share of such pictures."""


@dataclass(frozen=True)
class CheckResult:
    """What the check says of frames.

    Attributes:
        score: in [0, 1], 1 is surely right; None where it cannot tell.
        quarantined: the crop is wrong.
        reason: why quarantined, or why there is no score; empty when all is well.
        shift: where known tiles are commonest, in Game Boy pixels right and down of the grid.
    """

    score: float | None
    quarantined: bool
    reason: str
    shift: tuple[int, int] = (0, 0)

    def as_dict(self) -> dict[str, Any]:
        score = None if self.score is None else round(self.score, 3)
        return {
            "score": score,
            "quarantined": self.quarantined,
            "reason": self.reason,
            "shift": list(self.shift),
        }


def judge_frames(shades: np.ndarray, book: TileBook, below: float = QUARANTINE_BELOW) -> CheckResult:
    """Judge the crop by frames taken evenly over a stretch with one rectangle: `(n, 144, 160) uint8 in [0, 4)`.

    Args:
        below: the score under which the crop is wrong.
    """
    if len(book.hashes) < _MIN_BOOK:
        return CheckResult(None, False, f"random play saw too little of this game: {len(book.hashes)} tiles")
    hashes = tile_hashes(shades)
    known, detailed = book.knows(hashes), int((grid(hashes) != 0).sum())
    if len(shades) < _MIN_FRAMES or detailed < _MIN_TILES:
        return CheckResult(
            None, False, f"too little to tell: {len(shades)} frames with too few tiles in detail"
        )
    counts = {
        (dx, dy): _counts(known, dx, dy)
        for dy in range(-_REACH_PX, _REACH_PX + 1)
        for dx in range(-_REACH_PX, _REACH_PX + 1)
    }
    totals = {shift: int(count.sum()) for shift, count in counts.items()}
    # Of equal ones the one in its place.
    shift = max(totals, key=lambda s: (totals[s], s == (0, 0)))
    share = totals[shift] / detailed
    if share < _CHANCE:
        reason = f"only {share:.1%} of the tiles are tiles of the game: another picture, or a wrong scale"
        return CheckResult(0.0, True, reason, shift)
    in_place = totals[0, 0] / totals[shift]
    fit = min([in_place, *_parts_in_place(counts)])
    rim, side = _rim(shades, grid(hashes), book)
    # How often tiles reach the rim depends on the scenes: half as often as usual is as good as always.
    score = float(np.clip(min(fit, 2 * rim), 0, 1))
    if score >= below:
        return CheckResult(score, False, "", shift)
    if in_place < below:
        right, down = shift
        reason = f"the game's tiles lie {right:+d} px across and {down:+d} px down of where they should: move the rectangle"
    elif fit <= 2 * rim:
        reason = "the game's tiles are in their places in a part of the picture only: the scale is wrong"
    else:
        reason = f"no tiles of the game at the {side}: the rectangle reaches beyond the game there"
    return CheckResult(score, True, reason, shift)


def _counts(known: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Known tiles at each place of the grid moved so far: `(16, 18) int`, without the rim, to which not all shifts reach."""
    rows = slice(TILE_PX + dy, TILE_PX * (TILE_ROWS - 1) + dy, TILE_PX)
    columns = slice(TILE_PX + dx, TILE_PX * (TILE_COLUMNS - 1) + dx, TILE_PX)
    return np.asarray(known[:, rows, columns].sum(0))


def _parts_in_place(counts: dict[tuple[int, int], np.ndarray]) -> Iterator[float]:
    """For the four outer quarters, where a wrong scale is furthest off, and the middle: known tiles on the grid, against
    the most that any shift of it shows there. Against nothing else, since random play knows some scenes and not others."""
    outer, everything = 4, slice(None)
    inner = (slice(outer, -outer), slice(outer, -outer))
    first, last = slice(0, outer), slice(-outer, None)
    for part in ((first, everything), (last, everything), (everything, first), (everything, last), inner):
        most = max(int(count[part].sum()) for count in counts.values())
        if most >= _MIN_IN_A_PART:
            yield int(counts[0, 0][part].sum()) / most


def _rim(shades: np.ndarray, hashes: np.ndarray, book: TileBook) -> tuple[float, str]:
    """The worst side: how often tiles show at its rim, against how often they do in the emulator's own frames."""
    found = [(1.0, "")]
    for (name, _, _), usual, (share, pictures) in zip(
        SIDES, book.rims, filled_rims(shades, hashes, book), strict=True
    ):
        if usual >= _USUAL_AT_THE_RIM and pictures >= _MIN_PICTURES:
            found.append((share / float(usual), name))
    return min(found)
