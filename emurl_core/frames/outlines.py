"""Rectangles of about 10:9 with a straight edge on every side, for stretches in which the game hardly moves.

An intro is text on a white screen: nothing moves at its rim, yet the rim is plain to see. Only the lattice can say
whether such a box is a game: a face camera has edges too. Where things move, `candidates` knows better.
"""

from collections.abc import Sequence

import numpy as np

from emurl_core.frames.candidates import MIN_SCALE, STRETCHES, Candidate, distinct
from emurl_core.frames.rectangle import Rect
from emurl_core.screen import HEIGHT_PX, WIDTH_PX

_GRID_ROWS = 90
_CLEAR_STEP = 40.0
"""Luma step that counts as an edge in full."""
_BORDER = 0.6
"""What the border of the picture counts as an edge: a game may fill it from top to bottom."""


def find_outlines(lumas: Sequence[np.ndarray], at_most: int = 3) -> list[Candidate]:
    """Boxes by how clear their weakest side is, best first; exact to about a pixel: `n × (H, W) uint8 -> candidates`."""
    still = np.median(np.stack(lumas[:: max(1, len(lumas) // 9)]), axis=0).astype(np.float32)
    steps_x, steps_y = _steps(still, 1), _steps(still, 0)
    cell = max(1, round(still.shape[0] / _GRID_ROWS))
    sides, rows = _pooled(steps_x, cell), _pooled(steps_y.T, cell).T
    down = np.pad(sides.cumsum(0), ((1, 0), (0, 0)))
    across = np.pad(rows.cumsum(1), ((0, 0), (1, 0)))
    found: list[tuple[float, Rect]] = []
    height, width = sides.shape[0], rows.shape[1]
    for h in range(max(8, int(MIN_SCALE * HEIGHT_PX / cell)), height + 1):
        for w in sorted({round(h * WIDTH_PX / HEIGHT_PX * stretch) for stretch in STRETCHES}):
            if w <= width:
                found += _best_places(down, across, h, w, cell)
    coarse = distinct(found, at_most)
    return [Candidate(_snapped(c.rect, steps_x, steps_y, 2 * cell), c.contrast) for c in coarse]


def _steps(still: np.ndarray, axis: int) -> np.ndarray:
    """Luma steps between neighbours, `[0, 1]`; entry i is the edge before pixel i, the picture's border included."""
    inner = np.minimum(np.abs(np.diff(still, axis=axis)) / _CLEAR_STEP, 1)
    widths = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
    return np.pad(inner, widths, constant_values=_BORDER)


def _pooled(steps: np.ndarray, cell: int) -> np.ndarray:
    """Vertical edges on the coarse grid: the best position within half a cell, the mean along the side."""
    columns = (steps.shape[1] - 1) // cell
    padded = np.pad(steps, ((0, 0), (cell // 2, cell)))
    best = np.stack([padded[:, k * cell : k * cell + cell + 1].max(1) for k in range(columns + 1)], axis=1)
    rows = steps.shape[0] // cell
    return best[: rows * cell].reshape(rows, cell, -1).mean(1)


def _best_places(down: np.ndarray, across: np.ndarray, h: int, w: int, cell: int) -> list[tuple[float, Rect]]:
    rows, columns = down.shape[0] - h, across.shape[1] - w
    sides = (down[h:] - down[:-h]) / np.float32(h)
    lying = (across[:, w:] - across[:, :-w]) / np.float32(w)
    left, right = sides[:, :columns], sides[:, w : w + columns]
    top, bottom = lying[:rows], lying[h : h + rows]
    least = np.minimum(np.minimum(left, right), np.minimum(top, bottom))
    score = 0.7 * least + 0.075 * (left + right + top + bottom)
    best = np.argpartition(score, -2, axis=None)[-2:] if score.size > 2 else np.arange(score.size)
    places = [np.unravel_index(i, score.shape) for i in best]
    return [(float(score[p]), Rect(int(p[1]) * cell, int(p[0]) * cell, w * cell, h * cell)) for p in places]


def _snapped(rect: Rect, steps_x: np.ndarray, steps_y: np.ndarray, reach: int) -> Rect:
    for _ in range(2):
        left, top, right, bottom = (round(v) for v in (rect.x, rect.y, rect.x + rect.w, rect.y + rect.h))
        columns = steps_x[max(0, top) : bottom].mean(0)
        left, right = _nearest_peak(columns, left, reach), _nearest_peak(columns, right, reach)
        rows = steps_y[:, max(0, left) : right].mean(1)
        top, bottom = _nearest_peak(rows, top, reach), _nearest_peak(rows, bottom, reach)
        rect = Rect(left, top, max(1, right - left), max(1, bottom - top))
    return rect


def _nearest_peak(profile: np.ndarray, position: int, reach: int) -> int:
    first = max(0, position - reach)
    return first + int(np.argmax(profile[first : position + reach + 1]))
