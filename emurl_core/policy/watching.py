"""Learned progress along trajectories, for reward models that look at more than one frame.

`sight` remembers what a single frame shows; here is what was seen last in each of the episodes that run side by side. Where
one frame is all that progress is read off, nothing is kept and values pass through as they are.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Reader(Protocol):
    """What is needed of `emurl_core.reward.RewardModel`."""

    @property
    def context_frames(self) -> int: ...

    @property
    def features(self) -> int: ...

    def read(self, windows: Tensor) -> Tensor: ...


class Watch:
    """Progress of E episodes from what `Sight` sees of their frames, in order.

    Args:
        reader: judges the last few frames together; None: what is seen of a frame is its progress.
    """

    def __init__(self, envs: int, reader: Reader | None = None) -> None:
        self._reader = reader
        shape = (envs, reader.context_frames, reader.features) if reader else (envs, 0, 0)
        self._windows = np.zeros(shape, np.float32)

    def start(self, seen: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Episodes begin in `rows`: `(R,)` or `(R, features) float32 -> (R,) float32` progress. The past is a still picture."""
        if self._reader is None:
            return seen
        self._windows[rows] = seen[:, None]
        return self._read(self._windows[rows])

    def step(self, seen: np.ndarray) -> np.ndarray:
        """The next frame of every episode: `(E,)` or `(E, features) float32 -> (E,) float32` progress."""
        if self._reader is None:
            return seen
        self._windows[:, :-1] = self._windows[:, 1:].copy()
        self._windows[:, -1] = seen
        return self._read(self._windows)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on; nothing where nothing is kept."""
        return {"windows": torch.from_numpy(self._windows.copy())} if self._reader else {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        if self._reader is not None:
            self._windows = state["windows"].numpy().copy()

    def _read(self, windows: np.ndarray) -> np.ndarray:
        assert self._reader is not None
        device = next((p.device for p in _parameters(self._reader)), torch.device("cpu"))
        return self._reader.read(torch.from_numpy(windows).to(device)).cpu().numpy()


def _parameters(reader: Reader) -> list[Tensor]:
    return list(reader.parameters()) if isinstance(reader, torch.nn.Module) else []
