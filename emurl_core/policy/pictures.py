"""What training looked like: the curves that tell learning from drifting."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

PANELS = (
    ("entropy_share", "entropy / highest", "near 1 and rising: no signal"),
    ("episode_progress_gain", "learned progress gained an episode", "what is paid for"),
    ("episode_true_progress", "true progress reached an episode", "from RAM, logged only"),
    ("explained_variance", "explained variance of the value", "near 0: the critic knows nothing"),
    ("reward_signal_to_noise", "reward: |mean| / deviation", "of the gains paid"),
    ("approx_kl", "policy change an iteration (KL)", "above 0.05: steps too large"),
)


def training_picture(curves: Sequence[dict[str, float]], path: Path) -> None:
    """Six curves over environment steps. Curves that a game has no numbers for stay empty."""
    figure = Figure(figsize=(11, 6), dpi=100, layout="constrained")
    for axes, (name, title, note) in zip(figure.subplots(2, 3, sharex=True).flat, PANELS, strict=True):
        points = [(c["steps"], c[name]) for c in curves if name in c]
        if points:
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 40 else None, linewidth=1.2)
        axes.set_title(title, fontsize=9)
        axes.text(0.02, 0.03, note, transform=axes.transAxes, fontsize=7, color="grey")
        axes.grid(alpha=0.3)
    figure.supxlabel("environment steps of half a second", fontsize=9)
    figure.savefig(path)
