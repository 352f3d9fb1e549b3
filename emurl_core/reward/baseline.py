"""The simple thing a reward model must beat: ridge regression of time on what shades stand where.

A frame becomes the share of each shade in each of the 9×10 tiles (360 numbers); the share of the run is regressed on
them over the training runs. It knows places by their colour and nothing else.
"""

from collections.abc import Sequence

import numpy as np

from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.screen import GRID_SHAPE, PATCH_PX, SHADES

_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
_MOST_FRAMES = 20_000
_BATCH = 512


class PixelRidge:
    """Linear progress from tile-wise shade histograms."""

    def __init__(
        self, dataset: FrameDataset, train: Sequence[RunFrames], validation: Sequence[RunFrames]
    ) -> None:
        """Fit on `train`, choose the penalty on `validation`."""
        self._dataset = dataset
        # Evenly thinned: a linear fit of 361 numbers gains nothing from millions of frames.
        thin = max(1, -(-sum(r.length for r in train) // _MOST_FRAMES))
        x = np.concatenate([self._features(r, thin) for r in train])
        y = np.concatenate([r.progress[::thin] for r in train])
        held_x = np.concatenate([self._features(r, thin) for r in validation])
        held_y = np.concatenate([r.progress[::thin] for r in validation])
        self._mean, self._offset = x.mean(0), float(y.mean())
        x, y = x - self._mean, y - self._offset
        gram, moment = x.T @ x, x.T @ y
        fits = [np.linalg.solve(gram + penalty * np.eye(x.shape[1]), moment) for penalty in _PENALTIES]
        errors = [np.mean(((held_x - self._mean) @ w + self._offset - held_y) ** 2) for w in fits]
        self._weights = fits[int(np.argmin(errors))]

    def predict(self, run: RunFrames) -> np.ndarray:
        """Progress of every frame of a run: `(N,) float`, about [0, 1]."""
        return self._judge(self._features(run))

    def progress(self, frames: np.ndarray) -> np.ndarray:
        """Of any frames: `(N, 144, 160) uint8 in [0, 4) -> (N,) float in [0, 1]`."""
        return self._judge(shade_histograms(frames)).clip(0, 1)

    def _judge(self, features: np.ndarray) -> np.ndarray:
        return (features - self._mean) @ self._weights + self._offset

    def _features(self, run: RunFrames, thin: int = 1) -> np.ndarray:
        rows = run.start + np.arange(0, run.length, thin)
        parts = [rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH)]
        return np.concatenate([shade_histograms(self._dataset.shades(p)) for p in parts])


def shade_histograms(frames: np.ndarray) -> np.ndarray:
    """Share of each shade in each tile: `(N, 144, 160) uint8 in [0, 4) -> (N, 360) float64 in [0, 1]`."""
    rows, columns = GRID_SHAPE
    tiles = frames.reshape(-1, rows, PATCH_PX, columns, PATCH_PX)
    shares = [(tiles == shade).mean((2, 4)) for shade in range(SHADES)]
    return np.stack(shares, -1).reshape(len(frames), -1)
