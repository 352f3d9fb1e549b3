"""How well a score orders the frames of runs, and how far calibrated progress is from the truth. Pure NumPy.

Everything here judges runs one by one: a frame is compared with frames of its own run only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, spearmanr

from emurl_core.reward.smoothing import smooth

GAPS: tuple[tuple[int, int | None], ...] = ((1, 5), (5, 20), (20, 100), (100, 400), (400, None))
"""Distances in frames, lower bound in, upper bound out."""

CALIBRATION_BINS = 10
SMOOTHING_WINDOW = 8
_PAIRS_A_RUN = 20_000


@dataclass(frozen=True)
class ScoredRun:
    """What a model says about the frames of one run, in order."""

    run_id: str
    time_share: np.ndarray
    """`(N,) float in [0, 1]`: the truth, the share of the run that lies behind a frame."""
    score: np.ndarray
    """`(N,) float`: higher means later; any scale."""
    progress: np.ndarray
    """`(N,) float in [0, 1]`: calibrated."""
    picture: np.ndarray
    """`(N,) int`: equal numbers are equal frames; their pairs count nowhere."""
    doubt: np.ndarray | None = None
    """`(N,) float`: how far the members of an ensemble disagree on progress; None of a single model."""


def ranking_metrics(runs: Sequence[ScoredRun]) -> dict[str, float]:
    """Pairwise accuracy overall and by gap, median Kendall τ and Spearman ρ over runs. Ties count one half."""
    metrics = {"pairwise_accuracy": _accuracy(runs, 1, None)}
    for low, high in GAPS:
        accuracy = _accuracy(runs, low, high)
        if not np.isnan(accuracy):
            metrics[f"pairwise_accuracy_gap_{gap_name(low, high)}"] = accuracy
    # A constant score has no correlation; it orders nothing, which is 0.
    ordering = [r for r in runs if np.ptp(r.score) > 0]
    constant = [0.0] * (len(runs) - len(ordering))
    tau = [float(kendalltau(r.score, r.time_share).statistic) for r in ordering] + constant
    rho = [float(spearmanr(r.score, r.time_share).statistic) for r in ordering] + constant
    metrics["kendall_tau_median"] = float(np.median(tau))
    metrics["kendall_tau_min"] = min(tau)
    metrics["spearman_median"] = float(np.median(rho))
    return metrics


def progress_metrics(runs: Sequence[ScoredRun]) -> dict[str, float]:
    """How calibrated progress deviates from the truth, and its jitter beside the slope it should show.

    `ece`: mean distance between predicted and true share of run, over bins of predicted progress. `jitter_per_frame`:
    standard deviation of the change from a frame to the next; `slope_per_frame`: its true mean; `jitter_to_slope`: their
    ratio. `..._smoothed`: of the mean of the last few frames, which rewards are taken from.
    """
    table = reliability(runs)
    weight = table[:, 2] / table[:, 2].sum()
    steps = np.concatenate([np.diff(r.progress) for r in runs])
    smoothed = np.concatenate([np.diff(smooth(r.progress, SMOOTHING_WINDOW)) for r in runs])
    slope = np.concatenate([np.diff(r.time_share) for r in runs]).mean()
    return {
        "ece": float((np.abs(table[:, 0] - table[:, 1]) * weight).sum()),
        "progress_mean_absolute_error": float(
            np.mean(np.concatenate([np.abs(r.progress - r.time_share) for r in runs]))
        ),
        "jitter_per_frame": float(steps.std()),
        "jitter_per_frame_smoothed": float(smoothed.std()),
        "slope_per_frame": float(slope),
        "jitter_to_slope": float(steps.std() / slope),
        "jitter_to_slope_smoothed": float(smoothed.std() / slope),
    }


def doubt_metrics(runs: Sequence[ScoredRun]) -> dict[str, float]:
    """What an ensemble's disagreement is worth: its mean, and its Spearman ρ with how far progress is from the truth."""
    doubt = np.concatenate([r.doubt for r in runs if r.doubt is not None] or [np.zeros(0)])
    if not len(doubt):
        return {}
    error = np.concatenate([np.abs(r.progress - r.time_share) for r in runs if r.doubt is not None])
    useful = np.ptp(doubt) > 0 and np.ptp(error) > 0
    return {
        "doubt_mean": float(doubt.mean()),
        "doubt_error_spearman": float(spearmanr(doubt, error).statistic) if useful else 0.0,
    }


def reliability(runs: Iterable[ScoredRun]) -> np.ndarray:
    """`(bins, 3)`: mean predicted progress, mean true share of run, frames; bins without frames are left out."""
    runs = list(runs)
    predicted = np.concatenate([r.progress for r in runs])
    true = np.concatenate([r.time_share for r in runs])
    bin_of = np.minimum((predicted * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return np.array(
        [
            (predicted[bin_of == b].mean(), true[bin_of == b].mean(), (bin_of == b).sum())
            for b in np.unique(bin_of)
        ]
    )


def gap_name(low: int, high: int | None) -> str:
    """`(5, 20) -> "5_20"`, `(400, None) -> "400_up"`; a metric's name bears no plus."""
    return f"{low}_{high or 'up'}"


def _accuracy(runs: Sequence[ScoredRun], low: int, high: int | None) -> float:
    """Share of pairs with `low <= gap < high` in the right order; NaN when there is no such pair."""
    right = total = 0.0
    for run in runs:
        n = len(run.score)
        top = n if high is None else min(high, n)
        if top <= low:
            continue
        # Every pair of the band is equally likely: gap g offers n − g places.
        generator = np.random.default_rng(n)
        gaps = np.arange(low, top)
        gap = generator.choice(gaps, size=_PAIRS_A_RUN, p=(n - gaps) / (n - gaps).sum())
        first = (generator.random(_PAIRS_A_RUN) * (n - gap)).astype(int)
        second = first + gap
        differ = run.picture[first] != run.picture[second]
        step = run.score[second] - run.score[first]
        right += float(((step > 0) + 0.5 * (step == 0))[differ].sum())
        total += float(differ.sum())
    return right / total if total else float("nan")
