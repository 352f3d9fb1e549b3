"""Trailing mean of progress along a trajectory: a single frame's jitter is larger than a step's true progress."""

from collections import deque

import numpy as np
import torch
from torch import Tensor


class SmoothedProgress:
    """Mean of the last `window` values of each of B trajectories that run side by side."""

    def __init__(self, window: int) -> None:
        if window < 1:
            raise ValueError(f"found window={window}, expected at least 1; 4 to 8 steps serve well")
        self._values: deque[Tensor] = deque(maxlen=window)
        self._age: Tensor | None = None
        self._window = window

    def __call__(self, progress: Tensor, started: Tensor | None = None) -> Tensor:
        """`(B,) float -> (B,) float32`, the mean over what each trajectory has seen so far, at most `window` values.

        Args:
            progress: the newest value of each trajectory.
            started: `(B,) bool`, trajectories whose first value this is (an episode began): they forget the past.
        """
        if self._age is None:
            self._age = torch.zeros(progress.shape, dtype=torch.int64, device=progress.device)
        if started is not None:
            self._age = torch.where(started, 0, self._age)
        self._age = (self._age + 1).clamp(max=self._window)
        self._values.append(progress.float())
        values = torch.stack(list(self._values))
        # Oldest first: a trajectory of age a counts its last a values.
        old = torch.arange(len(values), 0, -1, device=progress.device)[:, None]
        counted = (old <= self._age).float()
        return (values * counted).sum(0) / counted.sum(0)


def smooth(progress: np.ndarray, window: int) -> np.ndarray:
    """The same over one finished trajectory: `(N,) float -> (N,) float`."""
    total = np.concatenate([[0.0], np.cumsum(progress, dtype=np.float64)])
    end = np.arange(1, len(progress) + 1)
    begin = np.maximum(end - window, 0)
    return (total[end] - total[begin]) / (end - begin)
