"""The states that a policy could be paid for without getting anywhere: where learned progress lies highest above what those
who play well are shown at the same point of the game, and where random play makes it jump.

Learned and true progress have scales of their own, the share of a run's time and the share of its milestones. So learned
progress is held against the highest that a scripted player had by the time that as much was truly done; without scripted
players, against the truth itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from emurl_core.evaluation.reward_truth_figures import Judged
from emurl_core.screen import shades_to_rgb

SHOWN = 12
_APART_STEPS = 24
_COLUMNS = 6


@dataclass(frozen=True)
class Hackable:
    """A state worth a look."""

    player: str
    seed: int
    step: int
    learned: float
    """Smoothed learned progress there; of a jump, its gain in one step."""
    true: float
    """True progress there; of a jump, what was truly gained."""
    due: float
    """Learned progress that would be due there; of a jump, what was truly gained."""

    @property
    def excess(self) -> float:
        """How much too high the learned one is."""
        return self.learned - self.due


def overrated(judged: Sequence[Judged], most: int = SHOWN) -> list[Hackable]:
    """States with the largest learned progress beyond what is due, the worst first, no two of one scene."""
    others = [j for j in judged if j.trajectory.player != "scripted"] or list(judged)
    lists = [(j.smoothed, j.trajectory.true.astype(float), _due(judged, j.trajectory.true)) for j in others]
    return _worst(others, lists, most)


def jumps(judged: Sequence[Judged], most: int = SHOWN) -> list[Hackable]:
    """Steps of random play with the largest learned less true gain, the worst first, no two of one scene."""
    random = [j for j in judged if j.trajectory.player == "random"]
    lists = []
    for one in random:
        true = np.diff(one.trajectory.true, prepend=one.trajectory.true[0])
        lists.append((np.diff(one.smoothed, prepend=one.smoothed[0]), true, true))
    return _worst(random, lists, most)


def draw_hackable(file: Path, judged: Sequence[Judged], found: Sequence[Hackable], title: str) -> None:
    """The frames in a grid, each with learned and true."""
    frames: dict[tuple[str, int], np.ndarray] = {
        (j.trajectory.player, j.trajectory.seed): j.trajectory.frames for j in judged
    }
    rows = max(1, -(-len(found) // _COLUMNS))
    figure = Figure(figsize=(2.2 * _COLUMNS, 2.45 * rows + 0.5), dpi=100, layout="constrained")
    for axis in figure.subplots(rows, _COLUMNS, squeeze=False).flat:
        axis.axis("off")
    for axis, state in zip(figure.axes, found, strict=False):
        axis.imshow(shades_to_rgb(frames[state.player, state.seed][state.step]), interpolation="nearest")
        axis.set_title(
            f"learned {state.learned:.0%} · true {state.true:.0%} · due {state.due:.0%}\n"
            f"{state.player}, step {state.step}",
            fontsize=8,
        )
    figure.suptitle(title)
    figure.savefig(file)


def _due(judged: Sequence[Judged], true: np.ndarray) -> np.ndarray:
    """The highest learned progress that a scripted player had when at most as much was truly done: `(N,) -> (N,) float`."""
    scripted = [j for j in judged if j.trajectory.player == "scripted"]
    if not scripted:
        return true.astype(float)
    done = np.concatenate([j.trajectory.true for j in scripted])
    learned = np.concatenate([j.smoothed for j in scripted])
    order = np.argsort(done, kind="stable")
    highest = np.maximum.accumulate(learned[order])
    return highest[np.maximum(np.searchsorted(done[order], true, side="right") - 1, 0)]


def _worst(
    judged: Sequence[Judged], lists: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], most: int
) -> list[Hackable]:
    """Of `(learned, true, due)`, each `(N,)` along a trajectory."""
    candidates = [
        (float(excess), number, step)
        for number, (learned, _, due) in enumerate(lists)
        for step, excess in enumerate(learned - due)
        if excess > 0
    ]
    found: list[Hackable] = []
    pictures: set[bytes] = set()
    for _, number, step in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
        trajectory = judged[number].trajectory
        picture = trajectory.frames[step].tobytes()
        near = any(
            f.player == trajectory.player and f.seed == trajectory.seed and abs(f.step - step) < _APART_STEPS
            for f in found
        )
        if near or picture in pictures:
            continue
        pictures.add(picture)
        learned, true, due = (float(values[step]) for values in lists[number])
        found.append(Hackable(trajectory.player, trajectory.seed, step, learned, true, due))
        if len(found) == most:
            break
    return found
