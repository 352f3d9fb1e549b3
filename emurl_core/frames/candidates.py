"""Rectangles of about 10:9 that move inside and stand still around, by integral images.

Exhaustive on a coarse grid, then each edge is moved at full resolution to where the activity steps up. The exact place
within a pixel is the work of `lattice`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from emurl_core.frames.rectangle import Rect
from emurl_core.screen import HEIGHT_PX, WIDTH_PX

_GRID_ROWS = 90
STRETCHES = (0.94, 0.97, 1.0, 1.03, 1.06)
MIN_SCALE = 1.3
_MARGIN = 8
"""Cells around the picture; more than a side is thick."""


@dataclass(frozen=True)
class Candidate:
    """A rectangle to within a few pixels and how well its four sides separate motion from standstill, in [-1, 1]."""

    rect: Rect
    contrast: float


def find_candidates(activity: np.ndarray, at_most: int = 6) -> list[Candidate]:
    """The best separated rectangles, best first: `(H, W) float32 in [0, 1] -> candidates`."""
    height, width = activity.shape
    cell = max(1, round(height / _GRID_ROWS))
    grid = cv2.resize(np.sqrt(activity), (width // cell, height // cell), interpolation=cv2.INTER_AREA)
    integral = np.pad(cv2.integral(grid).astype(np.float32), _MARGIN, mode="edge")
    found: list[tuple[float, Rect]] = []
    rows, columns = grid.shape
    for h in range(max(8, int(MIN_SCALE * HEIGHT_PX / cell)), rows + 1, 2):
        for w in sorted({round(h * WIDTH_PX / HEIGHT_PX * stretch) for stretch in STRETCHES}):
            if w <= columns:
                found += _best_places(integral, h, w, cell)
    return distinct(found, at_most)


def _best_places(integral: np.ndarray, h: int, w: int, cell: int) -> list[tuple[float, Rect]]:
    """The best three places of a rectangle of `h × w` cells.

    Args:
        integral: of the activity, with `_MARGIN` cells around it in which nothing moves.
    """
    thick = max(1, round(0.04 * h))
    m = _MARGIN
    rows, columns = integral.shape[0] - 2 * m - h, integral.shape[1] - 2 * m - w

    def corner(y: int, x: int) -> np.ndarray:
        return integral[m + y : m + y + rows, m + x : m + x + columns]

    def total(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        return corner(y1, x1) - corner(y0, x1) - corner(y1, x0) + corner(y0, x0)

    left = total(0, h, 0, thick) - total(0, h, -thick, 0)
    right = total(0, h, w - thick, w) - total(0, h, w, w + thick)
    top = total(0, thick, 0, w) - total(-thick, 0, 0, w)
    bottom = total(h - thick, h, 0, w) - total(h, h + thick, 0, w)
    upright, lying = np.float32(1 / (thick * h)), np.float32(1 / (thick * w))
    mean = (left + right) * (upright / 4) + (top + bottom) * (lying / 4)
    least = np.minimum(np.minimum(left, right) * upright, np.minimum(top, bottom) * lying)
    score = mean + 0.7 * least + total(0, h, 0, w) * np.float32(0.3 / (h * w))
    best = np.argpartition(score, -3, axis=None)[-3:] if score.size > 3 else np.arange(score.size)
    places = [np.unravel_index(i, score.shape) for i in best]
    return [(float(score[p]), Rect(int(p[1]) * cell, int(p[0]) * cell, w * cell, h * cell)) for p in places]


def distinct(found: list[tuple[float, Rect]], at_most: int) -> list[Candidate]:
    """The best of these scored rectangles, without those that nearly repeat a better one."""
    kept: list[Candidate] = []
    for score, rect in sorted(found, key=lambda f: -f[0]):
        if all(rect.iou(k.rect) < 0.8 for k in kept):
            kept.append(Candidate(rect, score))
            if len(kept) == at_most:
                break
    return kept


def snap_edges(activity: np.ndarray, rect: Rect, reach_px: int) -> Rect:
    """Move each edge, within `reach_px`, to the whole pixel where activity steps up most."""
    for _ in range(2):
        left, top, right, bottom = (round(v) for v in (rect.x, rect.y, rect.x + rect.w, rect.y + rect.h))
        columns = _profile(activity[max(0, top + 4) : bottom - 4], 0)
        left, right = _step(columns, left, reach_px, +1), _step(columns, right, reach_px, -1)
        rows = _profile(activity[:, max(0, left + 4) : right - 4], 1)
        top, bottom = _step(rows, top, reach_px, +1), _step(rows, bottom, reach_px, -1)
        rect = Rect(left, top, max(1, right - left), max(1, bottom - top))
    return rect


def _profile(strip: np.ndarray, axis: int) -> np.ndarray:
    # The root keeps a column that is seldom active apart from one that never is.
    return np.sqrt(strip).mean(axis) if strip.size else np.zeros(strip.shape[1 - axis], np.float32)


def _step(profile: np.ndarray, position: int, reach: int, sign: int, thick: int = 3) -> int:
    """The edge near `position` with the greatest rise towards the inside (`sign` +1: inside is to the right)."""
    padded = np.concatenate([np.zeros(thick), profile, np.zeros(thick)])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    edges = np.arange(max(0, position - reach), min(len(profile), position + reach) + 1)
    middle = edges + thick
    rise = sign * (sums[middle + thick] - 2 * sums[middle] + sums[middle - thick]) / thick
    near = 1e-3 * np.abs(edges - position) / max(1, reach)
    return int(edges[np.argmax(rise - near)])
