"""Play that goes nowhere, told from what is seen alone: frames that come again and again, and openings that are not left.

A trap (a menu opened and closed, a wall walked against, a title screen) shows few different frames for long.
"""

import numpy as np
import torch
from torch import Tensor

from emurl_core.screen import TOKENS

WINDOW = 64
"""Steps that are looked back on: half a minute."""
FEW_FRAMES = 6
"""Different frames or fewer in the window are a trap. Random play on the embedded game shows more in nearly all windows."""
OPENING_GAIN = 0.05
"""Learned progress above an episode's first that shows that its opening was left."""


def trapped(windows: np.ndarray) -> np.ndarray:
    """Whether few different frames are in each window: `(N, WINDOW)` numbers, one a frame, equal for equal ones -> `(N,) bool`."""
    ordered = np.sort(windows, axis=1)
    return 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1) <= FEW_FRAMES


class Ruts:
    """Watches E episodes that run side by side."""

    def __init__(self, envs: int) -> None:
        # Odd random weights: tokens that differ give other numbers, nearly always.
        self._weights = np.random.default_rng(0).integers(2**62, size=TOKENS) | 1
        self._seen = np.zeros((envs, WINDOW), np.int64)
        self._steps = np.zeros(envs, np.int64)
        self._first = np.zeros(envs, np.float64)
        self._highest = np.zeros(envs, np.float64)
        self._counted = np.zeros(envs, bool)
        self._trapped: list[float] = []
        self._left: list[bool] = []

    def start(self, rows: np.ndarray, progress: np.ndarray, at_power_on: np.ndarray) -> None:
        """Episodes begin in `rows (E,) bool` at this learned progress, `(E,)`; openings are those of episodes `at_power_on (E,)`."""
        self._steps[rows] = 0
        self._first[rows] = self._highest[rows] = progress[rows]
        self._counted[rows] = at_power_on[rows]

    def skip(self, rows: np.ndarray) -> None:
        """Episodes in `rows (E,) bool` will be cut early: how they end says nothing."""
        self._counted[rows] = False

    def step(self, tokens: np.ndarray, progress: np.ndarray) -> None:
        """A step led to frames of these tokens, `(E, 90)`, and smoothed learned progress, `(E,)`."""
        rows = np.arange(len(tokens))
        self._seen[rows, self._steps % WINDOW] = (tokens.astype(np.int64) * self._weights).sum(1)
        self._steps += 1
        self._highest = np.maximum(self._highest, progress)
        if (full := self._steps >= WINDOW).any():
            self._trapped.append(float(trapped(self._seen[full]).mean()))

    def end(self, rows: np.ndarray) -> None:
        """Episodes `rows (E,) bool` ended."""
        ended = rows & self._counted
        self._left += (self._highest - self._first >= OPENING_GAIN)[ended].tolist()

    def report(self) -> dict[str, float]:
        """Scalars since the last report: `trapped_share` of the steps, `opening_left_share` of the episodes that ended."""
        found = {}
        if self._trapped:
            found["trapped_share"] = float(np.mean(self._trapped))
        if self._left:
            found["opening_left_share"] = float(np.mean(self._left))
        self._trapped, self._left = [], []
        return found

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on after a report."""
        return {
            "seen": torch.from_numpy(self._seen.copy()),
            "steps": torch.from_numpy(self._steps.copy()),
            "progress": torch.from_numpy(np.stack([self._first, self._highest])),
            "counted": torch.from_numpy(self._counted.copy()),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._seen, self._steps = state["seen"].numpy().copy(), state["steps"].numpy().copy()
        self._first, self._highest = state["progress"].numpy().copy()
        self._counted = state["counted"].numpy().copy()
