"""Pictures of an evaluation: who reached which milestone, and what progress looked like on the way.

Drawn on figures of their own, so that nothing is left in matplotlib's global state.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emurl_core.evaluation.appearance import colour_of, label_of
from emurl_core.evaluation.episodes import Episode
from emurl_core.evaluation.scores import Groups, milestone_share


def milestones_picture(groups: Groups, milestones: Sequence[str], path: Path) -> None:
    """Bars: share of each player's episodes that reached each milestone, with 95% Wilson intervals."""
    figure = Figure(figsize=(max(7.0, 1.0 + 0.85 * len(milestones)), 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(1, len(groups))
    for i, (player, episodes) in enumerate(groups.items()):
        shares = [milestone_share(episodes, m) for m in milestones]
        errors = np.array([[s.value - s.low for s in shares], [s.high - s.value for s in shares]]).reshape(
            2, -1
        )
        place = np.arange(len(milestones)) + (i - (len(groups) - 1) / 2) * width
        axes.bar(
            place, [s.value for s in shares], width, yerr=np.abs(errors), capsize=2,
            color=colour_of(player), label=f"{label_of(player)} ({len(episodes)})", error_kw={"linewidth": 0.8},
        )  # fmt: skip
    axes.set_xticks(np.arange(len(milestones)), [m.replace("_", "\n") for m in milestones], fontsize=8)
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("share of episodes")
    axes.set_title("milestones reached from power-on, 95% intervals")
    axes.legend(title="player (episodes)", fontsize=8)
    figure.savefig(path)


def progress_picture(groups: Groups, truth: bool, path: Path) -> None:
    """Curves over steps: learned progress, and true progress beside it where the game has one."""
    figure = Figure(figsize=(10 if truth else 6, 4.2), dpi=110, layout="constrained")
    panels = figure.subplots(1, 2 if truth else 1, sharex=True, squeeze=False)[0]
    if truth:
        _curves(panels[0], groups, learned=False)
        panels[0].set_title("true progress (from RAM, for evaluation only)")
    _curves(panels[-1], groups, learned=True)
    panels[-1].set_title("learned progress (what pays the agent)")
    panels[0].set_ylabel("share of the game")
    panels[0].legend(fontsize=8)
    figure.savefig(path)


def _curves(axes: Axes, groups: Groups, learned: bool) -> None:
    """Mean of the progress reached so far, and the middle half of the episodes."""
    for player, episodes in groups.items():
        longest = max(episodes, key=lambda e: len(e.actions))
        steps = longest.learned_steps if learned else np.arange(len(longest.true_progress))
        curves = np.stack([_extended(e, learned, len(steps)) for e in episodes])
        low, high = np.quantile(curves, [0.25, 0.75], axis=0)
        axes.plot(
            steps, curves.mean(0), color=colour_of(player), label=f"{label_of(player)}: mean, middle half"
        )
        axes.fill_between(steps, low, high, color=colour_of(player), alpha=0.15, linewidth=0)
    axes.set_xlabel("steps of half a second")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def _extended(episode: Episode, learned: bool, length: int) -> np.ndarray:
    """Highest progress so far; an episode that ended early stays where it ended."""
    curve = np.maximum.accumulate(episode.learned_progress if learned else episode.true_progress)
    return np.concatenate([curve, np.full(length - len(curve), curve[-1])])
