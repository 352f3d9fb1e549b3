"""The picture of a detector: how far held-out speedruns and strange places are apart, and frames on either side."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from emurl_core.ood.off_route import PLACES, OffRoute
from emurl_core.screen import shades_to_rgb

_SHOWN = 6


def draw_scores(path: Path, lost: OffRoute, scores: np.ndarray, test: np.ndarray) -> None:
    """Cumulative scores of each place, and a row of frames from the least to the most suspicious of each."""
    rows = [(name, lost.place == name) for name in (*PLACES, "")]
    rows = [(name or "on the way there", there) for name, there in rows if there.any()]
    figure = Figure(figsize=(9, 3.2 + 1.5 * len(rows)), layout="constrained")
    grid = figure.add_gridspec(1 + len(rows), _SHOWN, height_ratios=[3.2, *[1.5] * len(rows)])
    axes = figure.add_subplot(grid[0, :])
    axes.ecdf(test, label="held-out speedruns")
    for name, there in rows:
        axes.ecdf(scores[there], label=name.replace("_", " "))
    axes.axvspan(0.95, 0.999, alpha=0.15, color="grey")
    axes.set(
        xlabel="score: percentile of held-out speedruns, above 1 beyond all of them", ylabel="share of frames"
    )
    axes.legend()
    for i, (name, there) in enumerate(rows, 1):
        order = np.flatnonzero(there)[np.argsort(scores[there], kind="stable")]
        for j, row in enumerate(order[np.linspace(0, len(order) - 1, _SHOWN).astype(int)]):
            cell = figure.add_subplot(grid[i, j])
            cell.imshow(shades_to_rgb(lost.frames[row]))
            cell.set_title(f"{name.replace('_', ' ') if j == 0 else ''} {scores[row]:.2f}", fontsize=8)
            cell.axis("off")
    figure.savefig(path, dpi=100)
