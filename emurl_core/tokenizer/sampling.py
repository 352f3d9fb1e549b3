"""Which frames are looked at: training batches that mix video and emulator frames, and evenly spaced held-out ones."""

import numpy as np
import torch

from emurl_core.frames.dataset import EmptyDatasetError, FrameDataset
from emurl_core.frames.manifest import Split
from emurl_core.training import Batch, step_generator


class FrameBatches:
    """step -> `{"frames": (B, 144, 160) uint8}`, a pure function of the step.

    Args:
        frames: where the video frames are.
        rows: the global rows to draw from, uniformly.
        emulator: `(N, 144, 160) uint8` emulator frames, or None.
        emulator_share: share of a batch that comes from them.
    """

    def __init__(
        self,
        frames: FrameDataset,
        rows: np.ndarray,
        batch_size: int,
        seed: int,
        emulator: np.ndarray | None = None,
        emulator_share: float = 0.0,
    ) -> None:
        self.frames, self.rows, self.seed = frames, rows, seed
        self.emulator = emulator if emulator is not None and len(emulator) else None
        self.emulator_share = emulator_share if self.emulator is not None else 0.0
        self.batch_size = batch_size

    def __call__(self, step: int) -> Batch:
        return {"frames": torch.from_numpy(self.draw(step_generator(self.seed, step), self.batch_size))}

    def typical(self, at_most: int) -> np.ndarray:
        """`(n, 144, 160) uint8`: video frames evenly spaced over all of them, and emulator frames in the mix of a batch."""
        video = self.frames.shades(spaced(self.rows, round(at_most * (1 - self.emulator_share))))
        if self.emulator is None:
            return video
        others = round(len(video) * self.emulator_share / (1 - self.emulator_share))
        chosen = np.arange(others) * len(self.emulator) // max(1, others)
        return np.concatenate([video, self.emulator[chosen]])

    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """`(count, 144, 160) uint8` in the mix of a batch."""
        others = round(count * self.emulator_share)
        picked = self.frames.shades(generator.choice(self.rows, count - others))
        if self.emulator is None:
            return picked
        chosen = self.emulator[generator.integers(len(self.emulator), size=others)]
        return np.concatenate([picked, chosen])


def rows_of(frames: FrameDataset, split: Split, at_most: int | None = None) -> np.ndarray:
    """Rows of a split, evenly thinned to `at_most`. Raises EmptyDatasetError when the split is empty."""
    rows = frames.rows(split)
    if not len(rows):
        raise EmptyDatasetError(
            f"found no frames in the split {split!r}, expected at least one speedrun in each of train, validation and "
            "test; add speedruns or change the split shares of the dataset, then build the dataset again"
        )
    return rows if at_most is None else spaced(rows, at_most)


def spaced(rows: np.ndarray, at_most: int) -> np.ndarray:
    """Evenly thinned to `at_most`."""
    if len(rows) <= at_most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, at_most).astype(np.int64)]
