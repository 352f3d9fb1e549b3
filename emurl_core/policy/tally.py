"""What is counted while rollouts are gathered: for curves and logs, never for learning.

Only here, in training, is the truth of RAM touched, and only to be written down.
"""

import numpy as np
import torch

from emurl_core.game.parallel import TruthView


class Tally:
    """Counts over E emulators: steps of each episode, progress gained, and what is true of it."""

    def __init__(self, envs: int) -> None:
        self._steps = np.zeros(envs, np.int64)
        self._first = np.zeros(envs, np.float64)
        self._last = np.zeros(envs, np.float64)
        self._true = np.zeros(envs, np.float64)
        self._whole = np.ones(envs, bool)
        self.milestones = 0
        """Bits of the milestones that any episode reached."""
        self._finished: list[tuple[float, float]] = []
        self._gains: list[np.ndarray] = []
        self._worth: list[np.ndarray] = []

    def start(self, rows: np.ndarray, progress: np.ndarray, at_power_on: np.ndarray) -> None:
        """Episodes begin in `rows (E,) bool`, at this learned progress `(E,)`; those not `at_power_on (E,) bool` stay out of the report."""
        self._steps[rows], self._true[rows], self._whole[rows] = 0, 0, at_power_on[rows]
        self._first[rows] = self._last[rows] = progress[rows]

    def stagger(self, steps: np.ndarray) -> None:
        """Count the first episodes as begun `steps (E,) int` ago: they are cut early, and stay out of the report."""
        self._steps, self._whole = steps.copy(), steps == 0

    def step(self, truth: TruthView) -> np.ndarray:
        """A step was played. Returns the steps of each episode so far, `(E,) int64`."""
        self._steps += 1
        self._true = np.maximum(self._true, truth.progress)
        self.milestones |= int(np.bitwise_or.reduce(truth.milestones))
        return self._steps

    def paid(self, gains: np.ndarray, progress: np.ndarray, worth: np.ndarray) -> None:
        """Gains of a step, `(E,)`, 0 where nothing was due; the learned progress reached, and what gains are worth there."""
        self._worth.append(worth)
        self._gains.append(gains[gains != 0])
        self._last = progress.copy()

    def end(self, rows: np.ndarray, lost: np.ndarray) -> None:
        """Episodes `rows (E,) bool` ended; those of lost emulators don't count."""
        for row in np.flatnonzero(rows & ~lost & self._whole):
            self._finished.append((self._last[row] - self._first[row], self._true[row]))

    def report(self) -> dict[str, float]:
        """Scalars since the last report."""
        gains = np.concatenate([*self._gains, np.zeros(0)])
        found = {"milestones_seen": float(self.milestones.bit_count())}
        if len(gains) > 1:
            found["reward_signal_to_noise"] = float(abs(gains.mean()) / (gains.std() + 1e-12))
        if self._worth:
            worth = np.concatenate(self._worth)
            found |= {"ood_flagged_share": float((worth < 1).mean()), "ood_multiplier": float(worth.mean())}
        if self._finished:
            learned, true = zip(*self._finished, strict=True)
            found["episode_progress_gain"] = float(np.mean(learned))
            found["episode_true_progress"] = float(np.mean(true))
        self._finished, self._gains, self._worth = [], [], []
        return found

    def state(self) -> dict[str, torch.Tensor]:
        """Everything needed to go on after a report."""
        return {
            "steps": torch.from_numpy(self._steps.copy()),
            "whole": torch.from_numpy(self._whole.copy()),
            "progress": torch.from_numpy(np.stack([self._first, self._last, self._true])),
            "milestones": torch.tensor(self.milestones),
        }

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from `state()`."""
        self._steps, self._whole = state["steps"].numpy().copy(), state["whole"].numpy().copy()
        self._first, self._last, self._true = state["progress"].numpy().copy()
        self.milestones = int(state["milestones"])
