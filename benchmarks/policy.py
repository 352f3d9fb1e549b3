"""Agents beside what they must beat: presets, ablations one change at a time, and a peer, over several seeds.

    python benchmarks/policy.py --home DIR [--seeds 0 1 2] [--variants default "no smoothing" ...] [--iterations 36] [--sb3]

DIR holds a tokenizer, a dynamics model, a reward model and perhaps a detector and a warm start (`benchmarks/learning.py`
makes them). Trains and evaluates with `emurl policy` and `emurl evaluate`, each in a process of its own; what is published
in DIR is not made again. `--sb3` adds Stable-Baselines3's PPO with a CnnPolicy on the same emulators, reward and steps.

Prints Markdown: true progress from power-on as the interquartile mean over seeds and episodes with its stratified bootstrap
interval, the share of episodes that reach each milestone, steps out of the intro, entropy at the end of the training. RAM
decides what is true, here only.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from stages import Commands, spread, table

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.evaluation.statistics import interquartile_mean
from emurl_core.game import GameConfig, open_game

VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "from scratch": ("--no-pretrained",),
    "preset classic": ("--preset", "classic"),
    "interval 1": ("--reward-interval", "1"),
    "interval 16": ("--reward-interval", "16"),
    "interval 64": ("--reward-interval", "64"),
    "no smoothing": ("--progress-window", "1"),
    "return filter .8": ("--return-filter", "0.8"),
    "no OOD damping": ("--no-ood",),
}
"""What each variant changes."""
MILESTONES = open_game(GameConfig()).game.milestones


@dataclass
class Played:
    """Episodes of one player, a stratum a training seed."""

    progress: list[np.ndarray] = field(default_factory=list)
    reached: list[dict[str, np.ndarray]] = field(default_factory=list)
    """Milestone -> steps, NaN where it was not reached."""
    curves: list[dict[str, float]] = field(default_factory=list)
    """The last point of each training's curves."""
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
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=["default"], choices=list(VARIANTS))
    parser.add_argument("--iterations", type=int, default=0, help="0: as the profile has it")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--episode-steps", type=int, default=1_000)
    parser.add_argument("--sb3", action="store_true")
    args = parser.parse_args()
    store, emurl = ArtifactStore(args.home), Commands(args.profile, args.home)
    evaluation = (
        "--episodes",
        str(args.episodes),
        "--episode-steps",
        str(args.episode_steps),
        "--seed",
        "1000",
    )
    found: dict[str, Played] = {}
    for name in args.variants:
        for seed in args.seeds:
            options = [*VARIANTS[name], "--seed", str(seed)]
            if args.iterations:
                options += ["--iterations", str(args.iterations)]
            began = time.monotonic()
            emurl("policy", *options)
            wall_s = time.monotonic() - began
            policy = store.get("policy")
            emurl("evaluate", "--players", "stochastic", "greedy", "random", *evaluation)
            _add(found, name, store.get("evaluation"), policy, wall_s)
        print(tables(found), file=sys.stderr, flush=True)
    if args.sb3:
        from sb3_peer import play_sb3

        seeds = np.random.default_rng(1000).integers(2**32, size=args.episodes).tolist()
        for seed in args.seeds:
            played, wall_s = play_sb3(store.get("policy"), store, seed, seeds, args.episode_steps)
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


def _add(found: dict[str, Played], name: str, evaluation: Artifact, policy: Artifact, wall_s: float) -> None:
    episodes = pq.read_table(evaluation.path / "episodes.parquet").to_pylist()
    # Random play is the same in every evaluation.
    labels = {"stochastic": name, "greedy": f"{name}, greedy"} | (
        {} if "random" in found else {"random": "random"}
    )
    for player, label in labels.items():
        played = found.setdefault(label, Played())
        played.add([e for e in episodes if e["player"] == player])
        if player == "stochastic":
            played.curves.append(pq.read_table(policy.path / "curves.parquet").to_pylist()[-1])
            played.wall_s.append(wall_s)


def tables(found: Mapping[str, Played]) -> str:
    """Progress and training of every player, then its milestones."""
    head = ["", "episodes", "true progress, IQM [95%]", "entropy at the end", "explained variance", "wall s"]
    rows = [
        [
            name,
            str(sum(map(len, p.progress))),
            "{:.3f} [{:.3f}–{:.3f}]".format(*interquartile_mean(p.progress)),
            spread([c["entropy_share"] for c in p.curves]),
            spread([c["explained_variance"] for c in p.curves]),
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


def _share(strata: Sequence[np.ndarray]) -> str:
    steps = np.concatenate(list(strata))
    middle = np.median(np.where(np.isnan(steps), np.inf, steps))
    return f"{np.mean(~np.isnan(steps)):.0%}" + (f" ({middle:.0f})" if np.isfinite(middle) else "")


if __name__ == "__main__":
    main()
