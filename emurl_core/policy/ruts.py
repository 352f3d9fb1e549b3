"""Play that goes nowhere, told from what is seen alone: frames that come again and again, and openings that are not left.

A trap (a menu opened and closed, a wall walked against, a title screen) shows few different frames for long. Who does not leave the
opening ends an episode among the frames it began with. Learned progress alone cannot tell: it is noisy where speedruns never stay,
and in a long game a young policy that did leave has hardly any.
"""

import numpy as np
import torch
from torch import Tensor

from emurl_core.screen import TOKENS

WINDOW = 64
"""Steps that are looked back on, and steps of an opening: half a minute."""
FEW_FRAMES = 6
"""Different frames or fewer in the window are a trap. Random play on the embedded game shows more in nearly all windows."""


def trapped(windows: np.ndarray) -> np.ndarray:
    """Whether few different frames are in each window: `(N, WINDOW)` numbers, one a frame, equal for equal ones -> `(N,) bool`."""
    ordered = np.sort(windows, axis=1)
    return 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1) <= FEW_FRAMES


class Ruts:
    """Watches E episodes that run side by side.

    Args:
        opening_left: share of an episode's last window that must show frames which its first did not, to count as out of the opening.
    """

    def __init__(self, envs: int, opening_left: float) -> None:
        self._opening_left = opening_left
        # Odd random weights: tokens that differ give other numbers, nearly always.
        self._weights = np.random.default_rng(0).integers(2**62, size=TOKENS) | 1
        self._seen = np.zeros((envs, WINDOW), np.int64)
        self._opening = np.zeros((envs, WINDOW), np.int64)
        self._steps = np.zeros(envs, np.int64)
        self._counted = np.zeros(envs, bool)
        self._trapped: list[float] = []
        self._left: list[bool] = []

    def start(self, rows: np.ndarray, at_power_on: np.ndarray) -> None:
        """Episodes begin in `rows (E,) bool`; openings are those of episodes `at_power_on (E,) bool`."""
        self._steps[rows] = 0
        self._counted[rows] = at_power_on[rows]

    def skip(self, rows: np.ndarray) -> None:
        """Episodes in `rows (E,) bool` will be cut early: how they end says nothing."""
        self._counted[rows] = False

    def step(self, tokens: np.ndarray) -> None:
        """A step led to frames of these tokens, `(E, 90)`."""
        rows = np.arange(len(tokens))
        self._seen[rows, self._steps % WINDOW] = (tokens.astype(np.int64) * self._weights).sum(1)
        self._steps += 1
        opened = self._steps == WINDOW
        self._opening[opened] = self._seen[opened]
        if (full := self._steps >= WINDOW).any():
            self._trapped.append(float(trapped(self._seen[full]).mean()))

    def end(self, rows: np.ndarray) -> None:
        """Episodes `rows (E,) bool` ended. One too short to have a last window beside its first tells nothing."""
        for row in np.flatnonzero(rows & self._counted & (self._steps >= 2 * WINDOW)):
            new = ~np.isin(self._seen[row], self._opening[row])
            self._left.append(bool(new.mean() >= self._opening_left))

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
            "opening": torch.from_numpy(self._opening.copy()),
            "steps": torch.from_numpy(self._steps.copy()),
            "counted": torch.from_numpy(self._counted.copy()),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._seen, self._opening = state["seen"].numpy().copy(), state["opening"].numpy().copy()
        self._steps, self._counted = state["steps"].numpy().copy(), state["counted"].numpy().copy()
