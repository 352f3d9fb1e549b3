"""Agents beside what they must beat: presets, ablations one change at a time, and a peer, over several seeds.

    python benchmarks/policy.py --home DIR [--seeds 0 1 2] [--variants default "no smoothing" ...] [--sb3] [--picture FILE.png]

DIR holds a tokenizer, a dynamics model, a reward model and a detector (`benchmarks/learning.py` makes them); the cloned policy
that the profile begins with is made in it where it is missing. Trains and evaluates with `emurl policy` and `emurl evaluate`,
each in a process of its own; what is published in DIR is not made again. `--sb3` adds Stable-Baselines3's PPO with a CnnPolicy
on the same emulators, reward and steps.

Prints Markdown: true progress from power-on as the interquartile mean over seeds and episodes with its stratified bootstrap
interval, the share of episodes that reach each milestone, steps out of the intro, entropy at the start and the end of the
training. RAM decides what is true, here only.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq
from stages import Commands, spread, table

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.evaluation.statistics import interquartile_mean
from emurl_core.game.registry import GAMES
from emurl_core.profiles import load_profile

VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "no warm start": ("--no-warm-start",),
    "from scratch": ("--no-warm-start", "--no-pretrained"),
    "archive of starts": ("--start", "archive"),
    "archive, no warm start": ("--start", "archive", "--no-warm-start"),
    "preset classic": ("--preset", "classic", "--no-warm-start"),
    "preset classic, warm start": ("--preset", "classic"),
    "interval 1": ("--reward-interval", "1"),
    "interval 64": ("--reward-interval", "64"),
    "no smoothing": ("--progress-window", "1"),
    "return filter .8": ("--return-filter", "0.8"),
    "no OOD damping": ("--no-ood",),
    "LSTM": ("--lstm", "64"),
    "records": ("--records",),
}
"""What each variant changes of the profile, which begins as a cloned policy."""
CLONING = ("clips", "inverse-dynamics", "label-actions", "clone")
MILESTONES = GAMES["embedded"].milestones


@dataclass
class Played:
    """Episodes of one player, a stratum a training seed."""

    progress: list[np.ndarray] = field(default_factory=list)
    reached: list[dict[str, np.ndarray]] = field(default_factory=list)
    """Milestone -> steps, NaN where it was not reached."""
    curves: list[dict[str, np.ndarray]] = field(default_factory=list)
    """The curves of each training, by name: `(iterations,) float64`."""
    wall_s: list[float] = field(default_factory=list)

    def add(self, episodes: Sequence[Mapping[str, Any]]) -> None:
        """One training seed's episodes, as rows of the evaluation's table."""
        self.progress.append(np.array([e["true_progress_highest"] for e in episodes]))
        self.reached.append(
            {m: np.array([e.get(f"step_{m}") for e in episodes], np.float64) for m in MILESTONES}
        )


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--profile", default=str(Path(__file__).with_suffix(".toml")))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=["default"], choices=list(VARIANTS))
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--episode-steps", type=int, default=2_000)
    parser.add_argument(
        "--beside",
        nargs="*",
        default=["greedy", "random", "fixed"],
        help="measured once, beside the first agent",
    )
    parser.add_argument("--sb3", action="store_true")
    parser.add_argument("--picture", type=Path, help="a PNG of the curves")
    args = parser.parse_args()
    store, emurl = ArtifactStore(args.home), Commands(args.profile, args.home)
    game = load_profile(args.profile).game
    evaluation = (
        "--episodes",
        str(args.episodes),
        "--episode-steps",
        str(args.episode_steps),
        "--seed",
        "1000",
    )
    found: dict[str, Played] = {}
    like: Artifact | None = None
    if store.find("warm_start") is None and any("--no-warm-start" not in VARIANTS[v] for v in args.variants):
        for command in CLONING:
            emurl(command)
    for name in args.variants:
        for seed in args.seeds:
            options = [*VARIANTS[name], "--seed", str(seed)]
            emurl("policy", *options)
            policy = store.get("policy")
            if name == "default":
                like = like or policy
            emurl("evaluate", "--players", "stochastic", *([] if found else args.beside), *evaluation)
            _add(found, name, store.get("evaluation"), policy)
        print(tables(found), file=sys.stderr, flush=True)
    if args.sb3:
        from sb3_peer import play_sb3

        if like is None:
            raise SystemExit("found no variant `default`, expected it: --sb3 is trained with its numbers")
        seeds = np.random.default_rng(1000).integers(2**32, size=args.episodes).tolist()
        for seed in args.seeds:
            played, wall_s = play_sb3(like, store, game, seed, seeds, args.episode_steps)
            rows = [
                {"true_progress_highest": e.true_progress.max()}
                | {f"step_{k}": v for k, v in e.reached.items()}
                for e in played
            ]
            peer = found.setdefault("SB3 PPO, CnnPolicy", Played())
            peer.add(rows)
            peer.wall_s.append(wall_s)
    print(f"Load of the machine at the end: {os.getloadavg()[0]:.1f}.\n")
    print(tables(found))
    if args.picture:
        curves_picture(found, args.picture)


def _add(found: dict[str, Played], name: str, evaluation: Artifact, policy: Artifact) -> None:
    episodes = pq.read_table(evaluation.path / "episodes.parquet").to_pylist()
    for player in evaluation.config["players"]:
        label = {"stochastic": name, "greedy": f"{name}, greedy"}.get(player, player)
        played = found.setdefault(label, Played())
        played.add([e for e in episodes if e["player"] == player])
        if player == "stochastic":
            curves = pq.read_table(policy.path / "curves.parquet").to_pydict()
            played.curves.append({k: np.array(v, np.float64) for k, v in curves.items()})
            played.wall_s.append(policy.facts["seconds_of_last_sitting"])


def tables(found: Mapping[str, Played]) -> str:
    """Progress and training of every player, then its milestones."""
    head = [
        "",
        "episodes",
        "true progress, IQM [95%]",
        "entropy, first tenth",
        "entropy, last tenth",
        "explained variance",
        "wall s",
    ]
    rows = [
        [
            name,
            str(sum(map(len, p.progress))),
            "{:.3f} [{:.3f}–{:.3f}]".format(*interquartile_mean(p.progress)),
            spread([_mean(c["entropy_share"], first=True) for c in p.curves]),
            spread([_mean(c["entropy_share"]) for c in p.curves]),
            spread([_mean(c["explained_variance"]) for c in p.curves]),
            spread(p.wall_s),
        ]
        for name, p in found.items()
    ]
    parts = [table("From power-on", head, rows)]
    parts.append(
        table(
            "Share of episodes that reach a milestone (median steps where half do)",
            ["", *found],
            [[m, *(_share([r[m] for r in p.reached]) for p in found.values())] for m in MILESTONES],
        )
    )
    return "\n".join(parts)


def curves_picture(found: Mapping[str, Played], path: Path) -> None:
    """Entropy and true progress over the training: the mean of the seeds, from the least to the greatest shaded."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    shown = {"entropy_share": "entropy / highest", "episode_true_progress": "true progress, whole episodes"}
    for axis, (figure_name, title) in zip(axes, shown.items(), strict=True):
        for name, played in found.items():
            if not played.curves:
                continue
            points = min(len(c["steps"]) for c in played.curves)
            steps = played.curves[0]["steps"][:points]
            unknown = np.full(points, np.nan)
            lines = np.ma.masked_invalid([c.get(figure_name, unknown)[:points] for c in played.curves])
            (line,) = axis.plot(steps, lines.mean(0), label=name)
            axis.fill_between(steps, lines.min(0), lines.max(0), color=line.get_color(), alpha=0.15, lw=0)
        axis.set(title=title, xlabel="environment steps", ylim=(0, 1))
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=100)


def _mean(curve: np.ndarray, first: bool = False) -> float:
    """Of the last tenth of a training, or of its first."""
    points = max(1, len(curve) // 10)
    return float(np.nanmean(curve[:points] if first else curve[-points:]))


def _share(strata: Sequence[np.ndarray]) -> str:
    steps = np.concatenate(list(strata))
    middle = np.median(np.where(np.isnan(steps), np.inf, steps))
    return f"{np.mean(~np.isnan(steps)):.0%}" + (f" ({middle:.0f})" if np.isfinite(middle) else "")


if __name__ == "__main__":
    main()
