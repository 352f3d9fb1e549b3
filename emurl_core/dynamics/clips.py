"""Which frames make a clip: neighbours in one speedrun, half a second apart, without a gap between them."""

import numpy as np
import torch

from emurl_core.frames.dataset import EmptyDatasetError, FrameDataset
from emurl_core.frames.manifest import Split
from emurl_core.screen import EMULATOR_FPS, STEP_FRAMES
from emurl_core.training import Batch, step_generator

STEP_S = STEP_FRAMES / EMULATOR_FPS
LONGEST_STEP_S = 1.5 * STEP_S
"""Frames further apart have lost one between them."""


def clip_starts(frames: FrameDataset, split: Split, length: int) -> np.ndarray:
    """Global rows at which `length` frames in a row begin: `(n,) int64`.

    Raises EmptyDatasetError when there is no such place.
    """
    starts: list[np.ndarray] = []
    longest = 0
    for run in frames.runs(split):
        steps = np.diff(run.pts_s)
        follows = (steps > 0) & (steps <= LONGEST_STEP_S)
        broken = np.concatenate([[0], np.cumsum(~follows)])
        first = np.arange(max(0, run.length - length + 1))
        starts.append(run.start + first[broken[first] == broken[first + length - 1]])
        longest = max(longest, run.length)
    found = np.concatenate(starts) if starts else np.zeros(0, np.int64)
    if not len(found):
        raise EmptyDatasetError(
            f"found no {length} frames in a row in the split {split!r} (its longest speedrun has {longest}), expected some; "
            "add longer videos, or look why so many frames were dropped"
        )
    return found


def clips_at(tokens: np.ndarray, starts: np.ndarray, length: int) -> torch.Tensor:
    """`(rows, 90)` tokens, `(n,)` starts `-> (n, length, 90) int64`."""
    rows = starts[:, None] + np.arange(length)
    return torch.from_numpy(tokens[rows].astype(np.int64))


class ClipBatches:
    """step -> `{"clips": (B, length, 90) int64}`, a pure function of the step."""

    def __init__(
        self, tokens: np.ndarray, starts: np.ndarray, length: int, batch_size: int, seed: int
    ) -> None:
        self.tokens, self.starts, self.length = tokens, starts, length
        self.batch_size, self.seed = batch_size, seed

    def __call__(self, step: int) -> Batch:
        chosen = step_generator(self.seed, step).choice(self.starts, self.batch_size)
        return {"clips": clips_at(self.tokens, chosen, self.length)}
