"""Which colours stand for the four shades.

A plain Game Boy picture has four lumas. A Super Game Boy or Game Boy Color one has several sets of four at once, each
set on its own part of the screen: then every 8×8 cell chooses the set that fits it best, chroma included.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from emurl_core.screen import FRAME_SHAPE, SHADES

CELL_PX = 8
_CHROMA_WEIGHT = 0.5
_MAX_SETS = 5
_WORTH = 0.2
"""Share of the error that one more set must remove to be taken."""
_NEW_COLOUR = 18.0
"""How far a set's most different colour must be from every other set's: blur alone makes smaller differences."""


@dataclass(frozen=True)
class Palette:
    """Sets of four colours `(sets, 4, 3) float32` of Y, U, V, lightest first."""

    colours: np.ndarray

    @property
    def gap(self) -> float:
        """The mean luma distance between neighbouring shades."""
        return float(np.abs(np.diff(self.colours[:, :, 0], axis=1)).mean())

    def shades(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nearest shade of each pixel and its distance: `(3, 144, 160) float32 -> (144, 160) uint8, float32 in luma steps`."""
        if len(self.colours) == 1:
            lumas = self.colours[0, ::-1, 0]
            borders = (lumas[1:] + lumas[:-1]) / 2
            shades = (SHADES - 1 - np.searchsorted(borders, picture[0])).astype(np.uint8)
            return shades, np.abs(picture[0] - self.colours[0, shades, 0])
        every = [_nearest(picture, colours) for colours in self.colours]
        errors = np.stack([_cell_means(np.minimum(e, 60.0**2)) for _, e in every])
        chosen = np.kron(errors.argmin(0), np.ones((CELL_PX, CELL_PX), int))
        shades = np.choose(chosen, [s for s, _ in every])
        return shades, np.sqrt(np.choose(chosen, [e for _, e in every]))


def fit_palette(pictures: np.ndarray) -> Palette:
    """The palette of a video: `(n, 3, 144, 160) float32 in Y, U, V -> Palette`."""
    sets = [_first_set(pictures)]
    error = _cell_errors(pictures, sets)
    for _ in range(_MAX_SETS - 1):
        extended = _refine(pictures, [*sets, _worst_cells_set(pictures, error)])
        better = _cell_errors(pictures, extended)
        if better.mean() > (1 - _WORTH) * error.mean() or not _is_new(extended):
            break
        sets, error = extended, better
    return Palette(np.stack(sets))


def _is_new(sets: list[np.ndarray]) -> bool:
    return all(np.sqrt(np.square(sets[-1] - other).sum(1)).max() > _NEW_COLOUR for other in sets[:-1])


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


def _nearest(picture: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = np.array([1.0, _CHROMA_WEIGHT, _CHROMA_WEIGHT], np.float32)[:, None, None]
    squared = np.stack([np.square((picture - c[:, None, None]) * weights).sum(0) for c in colours])
    return squared.argmin(0).astype(np.uint8), squared.min(0)


def _cell_means(values: np.ndarray) -> np.ndarray:
    size = (FRAME_SHAPE[1] // CELL_PX, FRAME_SHAPE[0] // CELL_PX)
    return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _cell_errors(pictures: np.ndarray, sets: list[np.ndarray]) -> np.ndarray:
    """Squared error of the best set by picture and cell: `(n, 18, 20) float32`."""
    return np.stack([np.stack([_cell_means(_nearest(p, c)[1]) for c in sets]).min(0) for p in pictures])


def _worst_cells_set(pictures: np.ndarray, errors: np.ndarray) -> np.ndarray:
    bad = errors >= np.quantile(errors, 0.97)
    mask = np.kron(bad, np.ones((1, CELL_PX, CELL_PX), bool))
    lumas = split_lumas(pictures[:, 0][mask])
    labels = np.where(mask, np.abs(pictures[:, 0, ..., None] - lumas).argmin(-1), SHADES)
    return _means(pictures, labels, lumas)


def _refine(pictures: np.ndarray, sets: list[np.ndarray], rounds: int = 3) -> list[np.ndarray]:
    for _ in range(rounds):
        chosen, labels = [], []
        for picture in pictures:
            every = [_nearest(picture, c) for c in sets]
            cells = np.stack([_cell_means(e) for _, e in every]).argmin(0)
            own = np.kron(cells, np.ones((CELL_PX, CELL_PX), int))
            chosen.append(own)
            labels.append(np.choose(own, [s for s, _ in every]))
        which, shade = np.stack(chosen), np.stack(labels)
        renewed = []
        for i, colours in enumerate(sets):
            means = _means(pictures, np.where(which == i, shade, SHADES), colours[:, 0])
            seen = np.array([((which == i) & (shade == k)).any() for k in range(SHADES)])
            means = np.where(seen[:, None], means, colours)
            renewed.append(means[np.argsort(-means[:, 0])])
        sets = renewed
    return sets
