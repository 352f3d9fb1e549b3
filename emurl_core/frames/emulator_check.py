"""Is a crop right? Frames cut out of a video are compared with what an emulator draws of the same game.

At the places of the 8×8 grid a right crop shows the game's own tiles (`tile_book`), all over the picture. One that is
moved by a pixel shows them beside the grid; one that is scaled wrongly shows them in a part of the picture only, or
nowhere; one that is moved by whole tiles shows none in its outermost row or column. So the score is the share of known
tiles in the worst part of the picture, against the best share that any place of the grid gives.
"""

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
_FLOOR = 0.05
"""Shares below this are chance."""
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
    hashes = tile_hashes(shades)
    known = book.knows(hashes)
    detailed = hashes != 0
    if len(shades) < _MIN_FRAMES or grid(detailed).sum() < _MIN_TILES:
        return CheckResult(
            None, False, f"too little to tell: {len(shades)} frames with too few tiles in detail"
        )
    shares = {
        (dx, dy): _share(known, detailed, dx, dy)
        for dy in range(-_REACH_PX, _REACH_PX + 1)
        for dx in range(-_REACH_PX, _REACH_PX + 1)
    }
    # Of equal shares the one in its place.
    shift = max(shares, key=lambda s: (shares[s], s == (0, 0)))
    here, there = grid(known).sum(0), grid(detailed).sum(0)
    parts = [p for p in (_part(here, there, part) for part in _parts()) if p is not None]
    fit = min(parts, default=1.0) / max(shares[shift], *parts, _FLOOR)
    rim, side = _rim(shades, grid(hashes), book)
    # How often tiles reach the rim depends on the scenes: half as often as usual is as good as always.
    score = float(np.clip(min(fit, 2 * rim), 0, 1))
    if score >= below:
        return CheckResult(score, False, "", shift)
    return CheckResult(score, True, _reason(shares, shift, fit, rim, side), shift)


def _share(known: np.ndarray, detailed: np.ndarray, dx: int, dy: int) -> float:
    # Without the rim, so that every shift has as many places.
    rows = slice(TILE_PX + dy, TILE_PX * (TILE_ROWS - 1) + dy, TILE_PX)
    columns = slice(TILE_PX + dx, TILE_PX * (TILE_COLUMNS - 1) + dx, TILE_PX)
    return float(known[:, rows, columns].sum() / max(1, detailed[:, rows, columns].sum()))


def _parts() -> list[tuple[slice, slice]]:
    """The outer fifths, where a wrong scale is furthest off, and the middle."""
    everything, rows, columns = slice(None), TILE_ROWS // 5 + 1, TILE_COLUMNS // 5
    outer_rows = [(slice(0, rows), everything), (slice(-rows, None), everything)]
    outer_columns = [(everything, slice(0, columns)), (everything, slice(-columns, None))]
    return [*outer_rows, *outer_columns, (slice(rows, -rows), slice(columns, -columns))]


def _part(known: np.ndarray, detailed: np.ndarray, part: tuple[slice, slice]) -> float | None:
    tiles = detailed[part].sum()
    # A part that is blank nearly all the time says nothing.
    return float(known[part].sum() / tiles) if tiles >= _MIN_TILES // 10 else None


def _rim(shades: np.ndarray, hashes: np.ndarray, book: TileBook) -> tuple[float, str]:
    """The worst side: how often tiles show at its rim, against how often they do in the emulator's own frames."""
    found = [(1.0, "")]
    for (name, _, _), usual, (share, pictures) in zip(
        SIDES, book.rims, filled_rims(shades, hashes, book), strict=True
    ):
        if usual >= _USUAL_AT_THE_RIM and pictures >= _MIN_PICTURES:
            found.append((share / float(usual), name))
    return min(found)


def _reason(
    shares: dict[tuple[int, int], float], shift: tuple[int, int], fit: float, rim: float, side: str
) -> str:
    if max(shares.values()) < _FLOOR:
        return (
            f"only {shares[0, 0]:.1%} of the tiles are tiles of the game: another picture, or a wrong scale"
        )
    if shift != (0, 0) and shares[shift] > 2 * shares[0, 0]:
        right, down = shift
        return f"the game's tiles lie {right:+d} px across and {down:+d} px down of where they should: move the rectangle"
    if fit <= rim:
        return "the game's tiles show in a part of the picture only: the scale is wrong"
    return f"no tiles of the game at the {side}: the rectangle reaches beyond the game there"
