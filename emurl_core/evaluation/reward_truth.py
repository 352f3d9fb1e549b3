"""The stage `reward_truth`: what learned progress is worth where the truth is known. Nothing is built on its result.

Trajectories of known players (`reward_truth_trajectories`), figures (`reward_truth_figures`), and the states that would
tempt a policy most (`hackable`). RAM is read; no policy and no reward depends on this artifact.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from pydantic import Field

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.evaluation.hackable import draw_hackable, jumps, overrated
from emurl_core.evaluation.reward_truth_figures import Judged, judge, truth_metrics
from emurl_core.evaluation.reward_truth_trajectories import PlayerName, TruthConfig, trajectories
from emurl_core.game import GameConfig, open_game
from emurl_core.reward import load_reward
from emurl_core.runtime import pick_device
from emurl_core.stage import StageContext

CODE_VERSION = "1"
KIND = "reward_truth"
COLOURS = {"scripted": "#2ca02c", "lost": "#d62728", "random": "#999999"}


class RewardTruthConfig(TruthConfig):
    """Whose trajectories a reward model is held against the truth on, and how its progress is read."""

    players: tuple[PlayerName, ...] = ("scripted", "lost", "random")
    """`scripted` plays the embedded game to its end, `lost` leaves the way, `random` presses the useful buttons alike. Games
    other than the embedded one have `random` only."""
    plays: int = Field(8, ge=1)
    """Trajectories of each player."""


def measure_reward_truth(
    reward_model: Artifact,
    config: RewardTruthConfig,
    game: GameConfig,
    context: StageContext,
    tokenizer: Artifact | None = None,
) -> Artifact:
    """Play, judge, compare, publish.

    Args:
        tokenizer: the one that the reward model was trained with, where it reads tokens.

    Raises:
        ValueError: the ROM is missing or bad, nothing is known about the truth of the game, or
            none of the players can play it.
        ArtifactError: `reward_model` is of another kind, damaged, or was trained on another codebook.
    """
    opened = open_game(game)
    inputs = [Input("reward_model", reward_model)]
    device = pick_device(context.runtime)
    model = load_reward(reward_model, device, tokenizer)
    version = version_of(config, CODE_VERSION, inputs, json.dumps(opened.identity))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    seen = trajectories(opened, config.players, config.plays, config.steps)
    judged = judge(model, seen, config.progress_window, device)
    worst, leaps = overrated(judged), jumps(judged)
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.metrics |= truth_metrics(judged, config.interval)
        if worst:
            draft.metrics["largest_excess"] = worst[0].excess
        if leaps:
            draft.metrics["largest_random_jump"] = leaps[0].excess
        draft.facts |= opened.identity | {
            "variant": model.config.variant,
            "frames": sum(len(t.frames) for t in seen),
            "truth": "milestones and the way between them"
            if opened.game.name == "embedded"
            else "milestones",
            "overrated": [asdict(state) for state in worst],
            "jumps": [asdict(state) for state in leaps],
        }
        _write_table(judged, draft.path / "trajectories.parquet")
        folder = draft.pictures()
        draw_against_truth(folder / "against_truth.png", judged)
        draw_hackable(folder / "overrated.png", judged, worst, "Learned progress highest above what is due")
        draw_hackable(folder / "jumps.png", judged, leaps, "Largest learned gain of a step of random play")
    return context.store.get(KIND, version)


def draw_against_truth(file: Path, judged: Sequence[Judged]) -> None:
    """One panel a player: smoothed learned over true progress, a line a trajectory."""
    players = list(dict.fromkeys(j.trajectory.player for j in judged))
    figure = Figure(figsize=(4.0 * len(players) + 0.6, 4.2), dpi=100, layout="constrained")
    axes = figure.subplots(1, len(players), sharex=True, sharey=True, squeeze=False)[0]
    for axis, player in zip(axes, players, strict=True):
        group = [j for j in judged if j.trajectory.player == player]
        for one in group:
            axis.plot(one.trajectory.true, one.smoothed, ".-", ms=2, lw=0.4, alpha=0.5, color=COLOURS[player])
        axis.plot([0, 1], [0, 1], "--", lw=1, color="#555555")
        axis.set(
            title=f"{player} ({len(group)})", xlabel="true progress", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)
        )
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("learned progress, smoothed")
    figure.suptitle("Learned progress against the truth (from RAM, for evaluation only)")
    figure.savefig(file)


def _write_table(judged: Sequence[Judged], path: Path) -> None:
    """One row a trajectory."""
    numbers = pa.list_(pa.float32())
    columns = {
        "player": pa.array([j.trajectory.player for j in judged]),
        "seed": pa.array([j.trajectory.seed for j in judged], pa.int64()),
        "true_progress": pa.array([j.trajectory.true.tolist() for j in judged], numbers),
        "learned_progress": pa.array([j.progress.tolist() for j in judged], numbers),
        "smoothed_progress": pa.array([j.smoothed.tolist() for j in judged], numbers),
    }
    pq.write_table(pa.table(columns), path)
