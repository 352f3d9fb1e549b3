"""Pictures of a reward model on held-out speedruns: progress curves, reliability, frames in predicted order."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from emurl_core.reward.ranking import SMOOTHING_WINDOW, ScoredRun, reliability
from emurl_core.reward.smoothing import smooth
from emurl_core.screen import shades_to_rgb

_MODEL, _BASELINE, _TRUTH = "#1f77b4", "#ff7f0e", "#555555"
_CURVES = 4


def draw_progress_curves(file: Path, runs: Sequence[ScoredRun], baseline: Sequence[ScoredRun]) -> None:
    """Calibrated progress against time, one panel a run (the first four), beside the diagonal and the baseline."""
    shown = min(_CURVES, len(runs))
    figure = Figure(figsize=(4.2 * shown + 0.6, 4.9), layout="constrained")
    axes = figure.subplots(1, shown, sharey=True, squeeze=False)[0]
    for axis, run, simple in zip(axes, runs[:shown], baseline[:shown], strict=True):
        axis.plot(run.time_share, simple.progress, ".", ms=2, color=_BASELINE, alpha=0.5, label="pixel ridge")
        axis.plot(
            run.time_share, run.progress, ".", ms=3, color=_MODEL, alpha=0.5, label="reward model, each frame"
        )
        axis.plot(
            run.time_share,
            smooth(run.progress, SMOOTHING_WINDOW),
            color=_MODEL,
            lw=1.5,
            label=f"reward model, mean of {SMOOTHING_WINDOW} frames",
        )
        axis.plot([0, 1], [0, 1], "--", color=_TRUTH, lw=1, label="truth")
        axis.set(title=_short(run.run_id), xlabel="true share of the run", xlim=(0, 1), ylim=(-0.02, 1.02))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("predicted share of the run")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, 2 * shown - 1), markerscale=3)
    figure.suptitle("Progress on speedruns the reward model never saw")
    _save(figure, file)


def draw_reliability(file: Path, runs: Sequence[ScoredRun], baseline: Sequence[ScoredRun]) -> None:
    """Mean true share of run in each bin of predicted share, with the number of frames behind it."""
    figure = Figure(figsize=(5.4, 5.4), layout="constrained")
    axis, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axis.plot([0, 1], [0, 1], "--", color=_TRUTH, lw=1, label="perfect")
    for name, colour, table in (
        ("pixel ridge", _BASELINE, reliability(baseline)),
        ("reward model", _MODEL, reliability(runs)),
    ):
        axis.plot(table[:, 0], table[:, 1], "o-", color=colour, label=name)
    counts.bar(table[:, 0], table[:, 2], width=0.06, color=_MODEL)
    axis.set(
        ylabel="true share of the run, mean",
        xlim=(0, 1),
        ylim=(0, 1),
        title=f"Reliability, {len(runs)} held-out runs",
    )
    counts.set(xlabel="predicted share of the run", ylabel="frames")
    axis.legend(loc="upper left")
    for each in (axis, counts):
        each.grid(alpha=0.3)
    _save(figure, file)


def draw_frames_by_progress(file: Path, frames: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> None:
    """Frames in the order of predicted progress: `(N, 144, 160) uint8`, `(N,)`, `(N,)` shares; a row of six each."""
    columns = 6
    rows = -(-len(frames) // columns)
    figure = Figure(figsize=(2.1 * columns, 2.25 * rows + 0.5), layout="constrained")
    for axis in figure.subplots(rows, columns, squeeze=False).flat:
        axis.axis("off")
    order = np.argsort(predicted, kind="stable")
    for axis, i in zip(figure.axes, order, strict=False):
        axis.imshow(shades_to_rgb(frames[i]), interpolation="nearest")
        axis.set_title(f"predicted {predicted[i]:.0%} · true {true[i]:.0%}", fontsize=8)
    figure.suptitle("Frames of held-out runs, sorted by predicted progress")
    _save(figure, file)


def _short(run_id: str) -> str:
    # Ids of one source begin alike: what tells them apart is the end.
    return run_id if len(run_id) <= 32 else f"…{run_id[-31:]}"


def _save(figure: Figure, file: Path) -> None:
    with matplotlib.rc_context({"font.size": 10}):
        figure.savefig(file, dpi=100)
