"""How sure a number is: intervals for shares and means, and who is better than whom.

Intervals are two-sided at 95% unless told otherwise.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import trim_mean

LEVEL = 0.95
RESAMPLES = 10_000


class Estimate(NamedTuple):
    """A number with the interval it is believed to lie in."""

    value: float
    low: float
    high: float

    def above(self, other: "Estimate") -> bool:
        """Whether this interval lies wholly above the other one."""
        return self.low > other.high


def share(hits: int, trials: int, level: float = LEVEL) -> Estimate:
    """Share of successes with Wilson's interval (Wilson 1927), which holds at 0 and at 1 too. Trials at least 1."""
    z = float(ndtri(0.5 + level / 2))
    p = hits / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    # Exactly 0 and 1 at the ends, where rounding would leave a trace.
    low = 0.0 if hits == 0 else max(0.0, float(centre - half))
    high = 1.0 if hits == trials else min(1.0, float(centre + half))
    return Estimate(p, low, high)


def mean(values: np.ndarray, seed: int = 0, level: float = LEVEL) -> Estimate:
    """Mean of `(N,) float`, N at least 1, with a percentile bootstrap interval (Efron 1979)."""
    stream = np.random.default_rng(seed)
    resampled = values[stream.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(resampled, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(float(values.mean()), float(low), float(high))


def difference_of_means(
    ours: np.ndarray, theirs: np.ndarray, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Of `(N,), (M,) float`, N and M at least 1, with a percentile bootstrap interval; each is resampled on its own."""
    stream = np.random.default_rng(seed)
    a, b = (v[stream.integers(len(v), size=(RESAMPLES, len(v)))].mean(1) for v in (ours, theirs))
    low, high = np.quantile(a - b, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(float(ours.mean() - theirs.mean()), float(low), float(high))


def probability_of_improvement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Chance that one of ours beats one of theirs, a draw counting half: `(N,), (M,) -> [0, 1]` (Mann & Whitney 1947)."""
    difference = ours[:, None] - theirs[None]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def median_steps(reached: np.ndarray) -> float | None:
    """Median of `(N,) float` steps to a milestone, NaN where it was not reached; None when fewer than half reached it.

    Episodes that never reached it count as later than all others: a median over the lucky ones alone would praise a player
    that rarely gets there.
    """
    steps = np.where(np.isnan(reached), np.inf, reached)
    middle = float(np.median(steps)) if len(steps) else np.inf
    return middle if np.isfinite(middle) else None


def interquartile_mean(strata: Sequence[np.ndarray], seed: int = 0, level: float = LEVEL) -> Estimate:
    """Mean of the middle half of all values, with a stratified percentile bootstrap (Agarwal et al. 2021, arXiv:2108.13264).

    Each stratum is one training seed's `(N,) float`, N at least 1, and is resampled within itself.
    """
    stream = np.random.default_rng(seed)
    resampled = np.concatenate(
        [s[stream.integers(len(s), size=(RESAMPLES // 5, len(s)))] for s in strata], axis=1
    )
    low, high = np.quantile(trim_mean(resampled, 0.25, axis=1), [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(float(trim_mean(np.concatenate(list(strata)), 0.25)), float(low), float(high))
