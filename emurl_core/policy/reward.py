"""What PPO is paid: the gain of learned progress. RAM has no part in it.

The progress of single frames jitters by more than a step's true gain, so it is smoothed and paid out as differences over
several steps. The differences telescope: over an episode they add up to progress at its end minus progress at its start,
whatever lies between, so walking in a circle pays nothing.

Where no speedrun has been, learned progress is a guess. There a gain counts a share of its worth (`emurl_core.ood`), and a
loss counts in full. The sum then no longer telescopes exactly: it is at most progress at the end minus progress at the
start, because each term is at most the undamped one. So a circle still earns nothing; one that leads through doubtful
frames loses, again and again, and so does standing there while progress jitters. That is the price: going where no
speedrun went never pays in itself, and what is gained there is paid in full only when seen again from trusted frames
after the way down was paid for.

Differences make a trap of every place from which all ways lead through less progress: whoever stays loses nothing. `records`
pays for progress beyond the episode's best alone. Then staying and going back pay the same, nothing, and only what is new is
worth looking for. Progress counts as much of itself there as its frames are worth, so the sum telescopes exactly: the best
trusted progress minus that of the start. How a frame's progress is estimated is in `emurl_core.reward`.
"""

import numpy as np
import torch

from emurl_core.ood import damped


class ProgressReward:
    """Rewards of E episodes that run side by side, from the progress of each new frame.

    Args:
        interval: steps between two payments; what is owed at an episode's end is paid then.
        window: frames that progress is averaged over, fewer at an episode's start.
        penalty: taken off every step.
        records: pay for progress beyond the episode's best alone, in frames that are trusted, see above.
    """

    def __init__(self, envs: int, interval: int, window: int, penalty: float, records: bool = False) -> None:
        self._interval, self._penalty, self._records = interval, penalty, records
        self._recent = np.zeros((envs, window), np.float64)
        self._worth = np.ones((envs, window), np.float64)
        self._steps = np.zeros(envs, np.int64)
        self._paid = np.zeros(envs, np.float64)

    @property
    def progress(self) -> np.ndarray:
        """(E,) float64: smoothed progress now."""
        return self._mean(self._recent)

    @property
    def _level(self) -> np.ndarray:
        """(E,) float64: what differences are taken of."""
        return self.progress * self.worth if self._records else self.progress

    @property
    def worth(self) -> np.ndarray:
        """(E,) float64 in [0, 1]: what a gain is worth now, the mean over the frames that progress is read from."""
        return self._mean(self._worth)

    def start(
        self, progress: np.ndarray, rows: np.ndarray | slice = slice(None), worth: np.ndarray | float = 1.0
    ) -> None:
        """Begin episodes in `rows` at frames of this progress and worth: `(R,) float` each."""
        self._recent[rows], self._worth[rows] = 0, 0
        self._recent[rows, 0], self._worth[rows, 0] = progress, worth
        self._steps[rows] = 0
        self._paid[rows] = self._level[rows]

    def step(
        self, progress: np.ndarray, ended: np.ndarray, worth: np.ndarray | float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rewards of a step that led to frames of this progress and worth, `(E,) float` each.

        `ended (E,) bool` are the last of theirs. Returns `(reward, gain)`, both `(E,) float64`: the gain without the
        penalty, 0 on steps that are not paid. Gains are damped by `worth`, losses are not.
        """
        self._steps += 1
        newest = np.arange(len(progress)), self._steps % self._recent.shape[1]
        self._recent[newest], self._worth[newest] = progress, worth
        due = ended | (self._steps % self._interval == 0)
        now = self._level
        if self._records:
            now = np.maximum(now, self._paid)
        gain = np.where(due, now - self._paid, 0.0)
        if not self._records:
            gain = damped(torch.from_numpy(gain), torch.from_numpy(self.worth)).numpy()
        self._paid = np.where(due, now, self._paid)
        return gain - self._penalty, gain

    def state(self) -> dict[str, torch.Tensor]:
        """Everything needed to go on."""
        arrays = {"recent": self._recent, "worth": self._worth, "steps": self._steps, "paid": self._paid}
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from `state()`."""
        names = "recent", "worth", "steps", "paid"
        self._recent, self._worth, self._steps, self._paid = (state[n].numpy().copy() for n in names)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """Over the frames of the window that the episode has seen: `(E, window) -> (E,)`."""
        return values.sum(1) / np.minimum(self._steps + 1, values.shape[1])


class RewardNormaliser:
    """Divides rewards by the running deviation of the discounted return, then clips (Engstrom et al. 2020).

    Only divides: subtracting a mean would pay for mere survival or for a quick end.
    """

    def __init__(self, envs: int, gamma: float, clip: float, enabled: bool = True) -> None:
        self._gamma, self._clip, self._enabled = gamma, clip, enabled
        self._returns = np.zeros(envs, np.float64)
        self._count, self._mean, self._square = 1e-4, 0.0, 1e-4

    @property
    def deviation(self) -> float:
        """Running deviation of the discounted return."""
        return float(np.sqrt(self._square / self._count + 1e-12))

    def __call__(self, rewards: np.ndarray, ended: np.ndarray) -> np.ndarray:
        """`(E,) float -> (E,) float32 in [-clip, clip]`; `ended (E,) bool` begins new returns after this step."""
        if self._enabled:
            self._returns = self._returns * self._gamma + rewards
            # Welford's update with a batch (Chan et al. 1979).
            count, mean = len(rewards), self._returns.mean()
            delta, total = mean - self._mean, self._count + count
            self._square += ((self._returns - mean) ** 2).sum() + delta**2 * self._count * count / total
            self._mean += delta * count / total
            self._count = total
            self._returns[ended] = 0
            rewards = rewards / self.deviation
        return np.clip(rewards, -self._clip, self._clip).astype(np.float32)

    def forget(self, rows: np.ndarray) -> None:
        """Begin new returns in `rows (E,) bool`, whose episodes ended after all."""
        self._returns[rows] = 0

    def state(self) -> dict[str, torch.Tensor]:
        """Everything needed to go on."""
        moments = torch.tensor([self._count, self._mean, self._square], dtype=torch.float64)
        return {"returns": torch.from_numpy(self._returns.copy()), "moments": moments}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from `state()`."""
        self._returns = state["returns"].numpy().copy()
        self._count, self._mean, self._square = state["moments"].tolist()
