"""Where exactly the 160×144 lattice lies, to a fraction of a Game Boy pixel, and how the picture was scaled.

Every line of video across the screen must be a blend of 160 values: `y = U g`. The share of a line's detail that no `g`
explains is smallest for the true edges and interpolation. This is the gradient comb made exact: it works below scale 2
and for soft scaling too. Which whole pixel the lattice starts at it cannot tell: that is settled by activity.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpbsv as pbsv
from scipy.sparse import csr_matrix

from emurl_core.frames.rectangle import Rect
from emurl_core.frames.resample import RIDGE, Kernel, taps
from emurl_core.screen import HEIGHT_PX, WIDTH_PX

_BAND = 4
_HOPELESS = 0.2
"""Below this sharpness there is no lattice whose last fractions of a pixel would be worth finding."""


@dataclass(frozen=True)
class AxisFit:
    """Edges of one axis in video pixels, the interpolation, and the unexplained share of detail in [0, 1] or so."""

    start: float
    end: float
    kernel: Kernel
    misfit: float


class Axis:
    """Lines of video that cross the screen along one axis.

    Args:
        lines: `(n, length) float32`, luma of whole video rows or columns.
        count: 160 along rows, 144 along columns.
    """

    def __init__(self, lines: np.ndarray, count: int) -> None:
        # Around their mean, so that the sums of squares below keep their digits.
        centred = lines.T.astype(np.float64) - lines.mean()
        self.lines = np.ascontiguousarray(centred)
        self.count = count
        self._squares = np.concatenate([[0.0], np.square(centred).sum(1).cumsum()])
        self._steps = np.concatenate([[0.0], np.square(np.diff(centred, axis=0)).sum(1).cumsum()])

    def misfit(self, start: float, end: float, kernel: Kernel) -> float:
        """Unexplained share of detail between two edges."""
        first, last = max(0, int(np.ceil(start - 0.5))), min(len(self.lines), int(np.ceil(end - 0.5)))
        # Pixels at the rim blend with what is outside: not evidence.
        first, last = first + 1, last - 1
        seen = self.lines[first:last]
        scale = (end - start) / self.count
        columns, weights = taps(kernel, start, scale, self.count, first, last - first)
        ridge = RIDGE * max(1.0, scale)
        blend = csr_matrix(
            (weights.ravel(), columns.ravel(), np.arange(0, columns.size + 1, columns.shape[1])),
            (last - first, self.count),
        )
        wanted = blend.T @ seen
        _, values, failed = pbsv(_bands(columns, weights, self.count, ridge), wanted, lower=1)
        if failed:
            return 1.0
        # |seen − U v|², v being the solution of (UᵀU + ridge) v = Uᵀ seen.
        rest = (
            self._squares[last]
            - self._squares[first]
            - np.vdot(wanted, values)
            - ridge * np.vdot(values, values)
        )
        detail = (self._steps[last - 1] - self._steps[first]) / (last - first - 1) / seen.shape[1] + 1.0
        freedom = max(0.05, 1 - self.count / (last - first))
        return float(max(0.0, rest) / seen.size / freedom / detail)

    def search(self, start: float, end: float, reach_px: float = 1.5) -> AxisFit:
        """The best edges within `reach_px` of the given ones and the best kernel, from coarse to fine."""
        wide = 0.75 if end - start > 2.5 * self.count else 0.5
        soft = self._grid(start, end, "linear", reach_px, wide, start + end)
        hard = self._grid(start, end, "nearest", reach_px, wide, start + end)
        tried: list[tuple[AxisFit, Kernel]] = [
            (soft, "linear"),
            (soft, "cubic"),
            (soft, "area"),
            (hard, "nearest"),
            (hard, "area"),
        ]
        fine = [self._grid(c.start, c.end, kernel, 0.25, 0.25, start + end) for c, kernel in tried]
        best = min(fine, key=lambda f: f.misfit)
        if self.sharpness(best) < _HOPELESS:
            return best
        best = self._grid(best.start, best.end, best.kernel, 0.3, 0.15, start + end)
        # Which line a hard edge falls on turns on small fractions.
        reach, step = (0.15, 0.05) if best.kernel == "nearest" else (0.08, 0.08)
        return self._grid(best.start, best.end, best.kernel, reach, step, start + end)

    def sharpness(self, fit: AxisFit) -> float:
        """How much worse a lattice half a pixel off explains the lines, in [0, 1]."""
        half = (fit.end - fit.start) / self.count / 2
        wrong = 0.5 * sum(self.misfit(fit.start + d, fit.end + d, fit.kernel) for d in (half, -half))
        return float(np.clip(1 - fit.misfit / max(wrong, 1e-9), 0, 1))

    def _grid(
        self, start: float, end: float, kernel: Kernel, reach: float, step: float, sum_wanted: float
    ) -> AxisFit:
        offsets = np.arange(-reach, reach + step / 2, step)
        tried = []
        for a in offsets:
            for b in offsets:
                # A lattice one pixel further on fits as well: stay where activity ended.
                shift = abs(start + a + end + b - sum_wanted) / 2 / ((end - start) / self.count)
                tried.append(
                    (self.misfit(start + a, end + b, kernel) * (1 + 0.15 * shift), start + a, end + b)
                )
        table = np.array(tried)
        # Nearest-neighbour scaling looks the same for a range of edges: take its middle.
        level = table[table[:, 0] <= table[:, 0].min() * 1.02 + 1e-5]
        middle = level[:, 1:].mean(0)
        chosen = level[np.argmin(np.abs(level[:, 1:] - middle).sum(1))]
        return AxisFit(float(chosen[1]), float(chosen[2]), kernel, float(chosen[0]))


def _bands(columns: np.ndarray, weights: np.ndarray, count: int, ridge: float) -> np.ndarray:
    """UᵀU + ridge by its diagonal and those below it: `(4, count) float64`."""
    one, other = np.tril_indices(columns.shape[1])
    apart = np.abs(columns[:, one] - columns[:, other])
    place = apart * count + np.minimum(columns[:, one], columns[:, other])
    # Each pair of different taps stands for two products; two taps on one column are both on the diagonal.
    twice = np.where((apart == 0) & (one != other), 2.0, 1.0)
    bands = np.bincount(place.ravel(), (weights[:, one] * weights[:, other] * twice).ravel(), _BAND * count)
    bands = bands.reshape(_BAND, count)
    bands[0] += ridge
    return bands


def busy_lines(lumas: Sequence[np.ndarray], rect: Rect, across: bool, at_most: int = 64) -> np.ndarray:
    """The rows (or columns) through the screen with the most detail: `(n, length) float32`."""
    top, bottom = max(0, int(rect.y) + 1), int(rect.y + rect.h) - 1
    left, right = max(0, int(rect.x) + 1), int(rect.x + rect.w) - 1
    lines = [luma[top:bottom] if across else luma[:, left:right].T for luma in lumas]
    stacked = np.concatenate(lines)
    inner = stacked[:, left:right] if across else stacked[:, top:bottom]
    detail = np.abs(np.diff(inner.astype(np.int16), axis=1)).mean(1)
    # Evenly over the busier half, so that one scene does not stand for all.
    order = np.flatnonzero(detail >= np.median(detail))
    if len(order) > at_most:
        order = order[np.linspace(0, len(order) - 1, at_most).astype(int)]
    return stacked[order].astype(np.float32)


def counts(across: bool) -> int:
    """Game Boy pixels along an axis."""
    return WIDTH_PX if across else HEIGHT_PX
