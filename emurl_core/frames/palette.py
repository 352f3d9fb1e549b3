"""Which colours stand for the four shades.

A plain Game Boy picture has four lumas. A Super Game Boy or Game Boy Color one has several sets of four at once, each
set on its own part of the screen: then every 8×8 cell chooses the set that fits it best, chroma included.
"""

from itertools import pairwise

import cv2
import numpy as np

from emurl_core.screen import FRAME_SHAPE, SHADES

CELL_PX = 8
_CHROMA_WEIGHT = 0.5
_OUTLIER = 60.0
_MAX_SETS = 5
_WORTH = 0.2
"""Share of the error that one more set must remove to be taken."""
_NEW_COLOUR = 18.0
"""How far a set's most different colour must be from every other set's: blur alone makes smaller differences."""


class Palette:
    """One or several sets of four colours, and how to tell a pixel's shade by them.

    Args:
        colours: `(sets, 4, 3) float32` of Y, U, V, lightest first.
        chroma_weight: what a step of chroma counts against one of luma. Chroma is stored at half resolution and so bleeds
            into its neighbours: it may choose between sets, hardly between shades.
    """

    def __init__(self, colours: np.ndarray, chroma_weight: float = _CHROMA_WEIGHT) -> None:
        self.colours, self.chroma_weight = colours, chroma_weight
        self._tables: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def gap(self) -> float:
        """The mean luma distance between neighbouring shades."""
        return float(np.abs(np.diff(self.colours[:, :, 0], axis=1)).mean())

    def shades(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nearest shade of each pixel and its distance: `(3, 144, 160) float32 -> (144, 160) uint8, float32 in luma steps`.

        With one set, luma alone will do: `(1, 144, 160)`.
        """
        if len(self.colours) == 1:
            lumas = self.colours[0, ::-1, 0]
            borders = (lumas[1:] + lumas[:-1]) / 2
            shades = (SHADES - 1 - np.searchsorted(borders, picture[0])).astype(np.uint8)
            return shades, np.abs(picture[0] - self.colours[0, shades, 0])
        shades, errors = self._by_set(picture)
        chosen = np.stack([_cell_means(e) for e in errors]).argmin(0)
        own = chosen.repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        return np.choose(own, shades), np.sqrt(np.choose(own, errors))

    def labels(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Set and shade of each pixel, and each cell's squared error: `(n, 144, 160)` twice and `(n, 18, 20)`."""
        which, shade, error = [], [], []
        for picture in pictures:
            shades, errors = self._by_set(picture)
            cells = np.stack([_cell_means(e) for e in errors])
            own = cells.argmin(0).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
            which.append(own)
            shade.append(np.choose(own, shades))
            error.append(cells.min(0))
        return np.stack(which), np.stack(shade), np.stack(error)

    def _by_set(self, picture: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        # Nearest colours come from a table over coarse Y, U, V: an order faster than distances for each pixel.
        if not self._tables:
            self._tables = [_table(colours, self.chroma_weight) for colours in self.colours]
        y, u, v = picture
        code = np.clip(y, 0, 255).astype(np.int32) >> 1
        code = code * 1024 + (np.clip(u, 0, 255).astype(np.int32) >> 3) * 32
        code += np.clip(v, 0, 255).astype(np.int32) >> 3
        return [t[0].take(code) for t in self._tables], [t[1].take(code) for t in self._tables]


def _table(colours: np.ndarray, chroma_weight: float) -> tuple[np.ndarray, np.ndarray]:
    luma = np.square(np.arange(128)[:, None] * 2 + 1 - colours[:, 0])
    u = np.square((np.arange(32)[:, None] * 8 + 4 - colours[:, 1]) * chroma_weight)
    v = np.square((np.arange(32)[:, None] * 8 + 4 - colours[:, 2]) * chroma_weight)
    squared = (
        (luma[:, None, None] + u[None, :, None] + v[None, None, :]).astype(np.float32).reshape(-1, SHADES)
    )
    # An outlier says no more than any other clear contradiction.
    return squared.argmin(1).astype(np.uint8), np.minimum(squared.min(1), _OUTLIER**2)


def fit_palette(pictures: np.ndarray) -> Palette:
    """The palette of a video: `(n, 3, 144, 160) float32 in Y, U, V -> Palette`."""
    palette = _refine(pictures, Palette(_first_set(pictures)[None]), rounds=1)
    error = palette.labels(pictures)[2]
    for _ in range(_MAX_SETS - 1):
        if np.quantile(error, 0.97) < (0.15 * palette.gap) ** 2:
            break
        colours = np.concatenate([palette.colours, _worst_cells_set(pictures, error)[None]])
        extended = _refine(pictures, Palette(colours, palette.chroma_weight), rounds=2)
        # Judged with the same weight, else fewer chroma errors could be had by ignoring chroma.
        before = Palette(palette.colours, extended.chroma_weight).labels(pictures)[2]
        better = extended.labels(pictures)[2]
        if better.mean() > (1 - _WORTH) * before.mean() or not _is_new(extended.colours):
            break
        palette, error = extended, better
    return palette


def _is_new(colours: np.ndarray) -> bool:
    return all(np.sqrt(np.square(colours[-1] - other).sum(1)).max() > _NEW_COLOUR for other in colours[:-1])


def _first_set(pictures: np.ndarray) -> np.ndarray:
    lumas = split_lumas(_flat_lumas(pictures[:, 0]))
    return _means(pictures, np.abs(pictures[:, 0, ..., None] - lumas).argmin(-1), lumas)


def _flat_lumas(lumas: np.ndarray) -> np.ndarray:
    """Lumas of pixels whose neighbours look alike: free of blur and ringing."""
    calm = np.ones(lumas.shape, bool)
    for axis in (1, 2):
        step = np.abs(np.diff(lumas, axis=axis)) < 6
        grown = np.pad(step, [(0, 0), *((0, 1) if a == axis else (0, 0) for a in (1, 2))])
        calm &= grown
    chosen = lumas[calm]
    return chosen if chosen.size > 0.05 * lumas.size else lumas.ravel()


def split_lumas(lumas: np.ndarray) -> np.ndarray:
    """Four levels, lightest first, that leave the least squared error: exact, on the histogram."""
    counts = np.bincount(np.clip(lumas.round().astype(int), 0, 255).ravel(), minlength=256).astype(float)
    # The root keeps a rare shade from being given up for a finer cut through a common one.
    counts = np.sqrt(counts) * (counts > 2e-5 * counts.sum())
    levels = np.arange(256.0)
    n, s, q = (np.concatenate([[0.0], np.cumsum(counts * levels**k)]) for k in range(3))
    a, b = np.arange(257)[:, None], np.arange(257)[None, :]
    weight = n[b] - n[a]
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(weight > 0, q[b] - q[a] - (s[b] - s[a]) ** 2 / weight, 0.0)
    cost = np.where(b >= a, cost, np.inf)
    total, cuts = cost[0], []
    for _ in range(SHADES - 1):
        table = total[:, None] + cost
        cuts.append(table.argmin(0))
        total = table.min(0)
    ends = [256]
    for cut in reversed(cuts):
        ends.append(int(cut[ends[-1]]))
    ends.append(0)
    ends = ends[::-1]
    centres = [(s[b] - s[a]) / (n[b] - n[a]) if n[b] > n[a] else float(a) for a, b in pairwise(ends)]
    return np.array(sorted(centres, reverse=True))


def _means(pictures: np.ndarray, labels: np.ndarray, lumas: np.ndarray) -> np.ndarray:
    colours = np.zeros((SHADES, 3), np.float32)
    planes = pictures.transpose(1, 0, 2, 3)
    for shade in range(SHADES):
        mask = labels == shade
        colours[shade] = np.median(planes[:, mask], axis=1) if mask.any() else (lumas[shade], 128, 128)
    return colours


def _cell_means(values: np.ndarray) -> np.ndarray:
    size = (FRAME_SHAPE[1] // CELL_PX, FRAME_SHAPE[0] // CELL_PX)
    return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _worst_cells_set(pictures: np.ndarray, errors: np.ndarray) -> np.ndarray:
    bad = errors >= np.quantile(errors, 0.97)
    mask = np.kron(bad, np.ones((1, CELL_PX, CELL_PX), bool))
    lumas = split_lumas(pictures[:, 0][mask])
    labels = np.where(mask, np.abs(pictures[:, 0, ..., None] - lumas).argmin(-1), SHADES)
    return _means(pictures, labels, lumas)


def _refine(pictures: np.ndarray, palette: Palette, rounds: int) -> Palette:
    """Move the colours to the medians of the pixels that chose them, and the chroma weight to what its spread is worth."""
    for _ in range(rounds):
        which, shade, _ = palette.labels(pictures)
        renewed = []
        for i, colours in enumerate(palette.colours):
            own = np.where(which == i, shade, SHADES)
            means = _means(pictures, own, colours[:, 0])
            seen = np.bincount(own.ravel(), minlength=SHADES + 1)[:SHADES] > 0
            means = np.where(seen[:, None], means, colours)
            renewed.append(means[np.argsort(-means[:, 0])])
        table = np.stack(renewed)
        rest = np.abs(pictures - table[which, shade].transpose(0, 3, 1, 2))
        luma, chroma = np.sqrt(np.square(np.minimum(rest, _OUTLIER)).mean((0, 2, 3)))[:2], rest[:, 1:]
        spread = float(np.sqrt(np.square(np.minimum(chroma, 2 * _OUTLIER)).mean()))
        weight = float(np.clip(luma[0] / max(spread, 1e-3), 0.08, _CHROMA_WEIGHT))
        palette = Palette(table, weight)
    return palette
