"""From pictures that share a layout to the rectangle of the game: activity, then the lattice.

Cutting a video into such stretches is the work of `screen_finder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from emurl_core.frames.activity import activity_map
from emurl_core.frames.candidates import find_candidates, snap_edges
from emurl_core.frames.lattice import Axis, AxisFit, busy_lines, counts
from emurl_core.frames.outlines import find_outlines
from emurl_core.frames.rectangle import Rect
from emurl_core.frames.resample import KERNELS, Kernel
from emurl_core.screen import FRAME_SHAPE, HEIGHT_PX, WIDTH_PX

_LINE_PICTURES = 12
_VAGUE, _CLEAR_SIDES = 0.5, 0.6
_SURE_LATTICE, _CLEAR_OUTLINE = 0.7, 0.45
_SEEN_STRETCH_PX = 1.5
"""What the lattice's own search finds by itself."""


@dataclass(frozen=True)
class Found:
    """A rectangle and the evidence for it.

    Attributes:
        contrast: how well the sides part motion from standstill; about 1.3 for a clean layout, 0 for none.
        sharpness: how much worse a lattice half a pixel off explains the picture, in [0, 1]: 0 for a webcam, above 0.8
            for a Game Boy picture.
    """

    rect: Rect
    kernel: Kernel
    contrast: float
    sharpness: float


def locate(lumas: Sequence[np.ndarray]) -> Found | None:
    """The game's rectangle in pictures of one layout (`n × (H, W) uint8`), or None where nothing like a game moves."""
    if len(lumas) < 3:
        return None
    if lumas[0].shape == FRAME_SHAPE:
        # An emulator's own recording, unscaled: no lattice to find, every pixel is one.
        return Found(Rect(0.0, 0.0, float(WIDTH_PX), float(HEIGHT_PX)), "nearest", 1.0, 0.9)
    activity = activity_map(lumas)
    best: Found | None = None
    for candidate in find_candidates(activity):
        if candidate.contrast < 0.15 or (best is not None and candidate.contrast < 0.5 * best.contrast):
            continue
        rough = snap_edges(activity, candidate.rect, reach_px=max(8, round(0.03 * lumas[0].shape[0])))
        found = fit_lattice(lumas, rough, candidate.contrast)
        if found.sharpness < _VAGUE and candidate.contrast > _CLEAR_SIDES:
            # One side may have stood still too long to be seen: trust the other three.
            others = [fit_lattice(lumas, r, candidate.contrast) for r in _unstretched(rough, lumas[0].shape)]
            found = max([found, *others], key=_merit)
        found = _whole_pixel(activity, found)
        if best is None or _merit(found) > _merit(best):
            best = found
        if best.sharpness > 0.8 and best.contrast > 0.6:
            break
    if best is None or best.sharpness < _SURE_LATTICE or best.contrast < _CLEAR_SIDES:
        outlined = _by_outline(lumas)
        if outlined is not None and (best is None or _merit(outlined) > _merit(best)):
            return outlined
    return best


def _by_outline(lumas: Sequence[np.ndarray]) -> Found | None:
    """The game by its still rim, where the lattice leaves no doubt."""
    clear = [c for c in find_outlines(lumas) if c.contrast > _CLEAR_OUTLINE]
    fits = [fit_lattice(lumas, c.rect, c.contrast, least_sharpness=_SURE_LATTICE) for c in clear]
    sure = [f for f in fits if f is not None]
    return max(sure, key=_merit, default=None)


def _unstretched(rect: Rect, shape: tuple[int, ...]) -> list[Rect]:
    """Rectangles of 10:9 that share three sides with this one, where that makes a difference."""
    high, wide = rect.w * HEIGHT_PX / WIDTH_PX, rect.h * WIDTH_PX / HEIGHT_PX
    if abs(high - rect.h) < _SEEN_STRETCH_PX:
        return []
    right, bottom = rect.x + rect.w, rect.y + rect.h
    candidates = [
        Rect(rect.x, rect.y, rect.w, high),
        Rect(rect.x, bottom - high, rect.w, high),
        Rect(rect.x, rect.y, wide, rect.h),
        Rect(right - wide, rect.y, wide, rect.h),
    ]
    return [
        r
        for r in candidates
        if min(r.x, r.y) >= -1 and r.x + r.w <= shape[1] + 1 and r.y + r.h <= shape[0] + 1
    ]


@overload
def fit_lattice(lumas: Sequence[np.ndarray], rough: Rect, contrast: float) -> Found: ...
@overload
def fit_lattice(
    lumas: Sequence[np.ndarray], rough: Rect, contrast: float, least_sharpness: float
) -> Found | None: ...
def fit_lattice(
    lumas: Sequence[np.ndarray], rough: Rect, contrast: float, least_sharpness: float | None = None
) -> Found | None:
    """Refine a rectangle that is right to 1.5 pixels; None, and soon, where `least_sharpness` is not passed."""
    chosen = [lumas[round(i)] for i in np.linspace(0, len(lumas) - 1, min(len(lumas), _LINE_PICTURES))]
    x_axis = Axis(busy_lines(chosen, rough, across=True), counts(True))
    x = x_axis.search(rough.x, rough.x + rough.w)
    sharpness = x_axis.sharpness(x)
    if least_sharpness is not None and sharpness <= least_sharpness:
        return None
    y_axis = Axis(busy_lines(chosen, rough, across=False), counts(False))
    y = y_axis.search(rough.y, rough.y + rough.h)
    sharpness = min(sharpness, y_axis.sharpness(y))
    if least_sharpness is not None and sharpness <= least_sharpness:
        return None

    def cost(kernel: Kernel) -> float:
        return x_axis.misfit(x.start, x.end, kernel) + y_axis.misfit(y.start, y.end, kernel)

    kernel = min((x.kernel, y.kernel), key=cost)
    rect = Rect(x.start, y.start, x.end - x.start, y.end - y.start)
    return Found(rect, kernel, contrast, sharpness)


def judge_rect(lumas: Sequence[np.ndarray], rect: Rect) -> Found:
    """The interpolation that fits a given rectangle best."""
    x_axis = Axis(busy_lines(lumas, rect, across=True), counts(True))
    y_axis = Axis(busy_lines(lumas, rect, across=False), counts(False))

    def fits(kernel: Kernel) -> tuple[AxisFit, AxisFit]:
        x = x_axis.misfit(rect.x, rect.x + rect.w, kernel)
        y = y_axis.misfit(rect.y, rect.y + rect.h, kernel)
        return AxisFit(rect.x, rect.x + rect.w, kernel, x), AxisFit(rect.y, rect.y + rect.h, kernel, y)

    x, y = min((fits(k) for k in KERNELS), key=lambda pair: pair[0].misfit + pair[1].misfit)
    return Found(rect, x.kernel, 1.0, min(x_axis.sharpness(x), y_axis.sharpness(y)))


def _merit(found: Found) -> float:
    return found.sharpness**2 * (0.3 + found.contrast)


def _whole_pixel(activity: np.ndarray, found: Found) -> Found:
    """Shift by whole Game Boy pixels to where activity begins and ends: the lattice itself looks the same there."""
    rect = found.rect
    sx, sy = rect.scale
    root = np.sqrt(activity)
    top, bottom = max(0, round(rect.y + 4 * sy)), round(rect.y + rect.h - 4 * sy)
    left, right = max(0, round(rect.x + 4 * sx)), round(rect.x + rect.w - 4 * sx)
    dx = _shift(root[top:bottom].mean(0), rect.x, sx, counts(True))
    dy = _shift(root[:, left:right].mean(1), rect.y, sy, counts(False))
    moved = Rect(rect.x + dx * sx, rect.y + dy * sy, rect.w, rect.h)
    return Found(moved, found.kernel, found.contrast, found.sharpness)


def _shift(profile: np.ndarray, start: float, scale: float, count: int) -> int:
    sums = np.concatenate([[0.0], np.cumsum(profile)])

    def mean(a: float, b: float) -> float:
        edges = np.clip(np.array([a, b]) * scale + start, 0, len(profile))
        return float(np.diff(np.interp(edges, np.arange(len(sums)), sums))[0]) / ((b - a) * scale)

    best, best_rise = 0, -np.inf
    for d in (0, -1, 1, -2, 2):
        rise = (
            mean(d, d + 1) - mean(d - 1, d) + mean(d + count - 1, d + count) - mean(d + count, d + count + 1)
        )
        # A shift must be clearly better than staying.
        if rise > best_rise + (0.05 if d else 0):
            best, best_rise = d, rise
    return best
