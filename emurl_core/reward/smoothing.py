"""Trailing mean of progress along a trajectory: a single frame's jitter is larger than a step's true progress.

The policy's own, of many episodes side by side, is in `emurl_core.policy.reward`.
"""

import numpy as np


def smooth(progress: np.ndarray, window: int) -> np.ndarray:
    """The mean of the last `window` values, fewer at the start, over one finished trajectory: `(N,) float -> (N,) float`."""
    total = np.concatenate([[0.0], np.cumsum(progress, dtype=np.float64)])
    end = np.arange(1, len(progress) + 1)
    begin = np.maximum(end - window, 0)
    return (total[end] - total[begin]) / (end - begin)
