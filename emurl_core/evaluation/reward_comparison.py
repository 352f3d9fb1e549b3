"""The stage `reward_comparison`: the four reward models side by side, on the same held-out runs and against the truth.

It trains what is not there yet, as `reward_candidate` artifacts, so that the current `reward_model` stays what it is. It
lies among the evaluations because the truth is read here; the reward models themselves are `emurl_core.reward`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from pydantic import Field

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.evaluation.reward_truth_figures import judge, truth_metrics
from emurl_core.evaluation.reward_truth_trajectories import TruthConfig, trajectories
from emurl_core.game import GameConfig, OpenedGame, open_game
from emurl_core.reward import RewardConfig, load_reward, train_reward
from emurl_core.reward.configuration import VARIANTS, Variant
from emurl_core.reward.loading import CANDIDATE, KIND
from emurl_core.reward.train import reward_inputs, reward_version
from emurl_core.runtime import pick_device
from emurl_core.stage import StageContext

CODE_VERSION = "1"
COMPARISON = "reward_comparison"
BASELINE = "pixel ridge"

_HELD_OUT = {
    "τ median": "kendall_tau_median",
    "τ min": "kendall_tau_min",
    "Spearman": "spearman_median",
    "pairs": "pairwise_accuracy",
    "1–5": "pairwise_accuracy_gap_1_5",
    "5–20": "pairwise_accuracy_gap_5_20",
    "20–100": "pairwise_accuracy_gap_20_100",
    "100–400": "pairwise_accuracy_gap_100_400",
    "400+": "pairwise_accuracy_gap_400_up",
    "ECE": "ece",
    "jitter/slope": "jitter_to_slope",
    "smoothed": "jitter_to_slope_smoothed",
    "timer": "timer_gain",
    "border": "border_change",
}
_TRUTH = {
    "truth ρ": "pooled/spearman",
    "truth r": "pooled/pearson",
    "empty gains": "pooled/empty_gain_share",
}
_FACTS = {
    "µs/frame": "microseconds_per_frame",
    "tokens known": "microseconds_per_frame_tokens_known",
    "parameters": "parameters",
    "training s": "seconds",
}


class RewardComparisonConfig(TruthConfig):
    """Which reward models are compared, and on whose play they are held against the truth."""

    variants: tuple[Variant, ...] = VARIANTS
    """Each is trained with the settings of the reward stage."""
    plays: int = Field(8, ge=0)
    """Trajectories of each of the scripted, the lost and the random player; 0 leaves the truth out."""


def compare_rewards(
    dataset: Artifact,
    tokenizer: Artifact,
    config: RewardComparisonConfig,
    reward: RewardConfig,
    game: GameConfig,
    context: StageContext,
) -> Artifact:
    """Train or find each variant, measure all, publish one table.

    Args:
        reward: settings that all variants share; its own variant counts for nothing.

    Raises:
        ValueError: no variant is asked for, a split has no run of two frames, or the ROM is missing or bad.
        TrainingError: a training diverged.
        ArtifactError: an input is of another kind or damaged.
    """
    if not config.variants:
        raise ValueError(f"found no variants, expected at least one of {', '.join(VARIANTS)}; name some")
    opened = open_game(game) if config.plays else None
    models = {
        variant: _candidate(dataset, tokenizer, _settings(reward, variant), context)
        for variant in config.variants
    }
    inputs = [Input(variant, model) for variant, model in models.items()]
    version = version_of(config, CODE_VERSION, inputs, json.dumps(opened.identity if opened else {}))
    if (existing := context.store.reuse(COMPARISON, version)) is not None:
        return existing
    truth = _against_truth(models, tokenizer, config, opened, context) if opened else {}
    rows = _rows(models, truth)
    with context.store.draft(
        COMPARISON, version, config=config, code_version=CODE_VERSION, inputs=inputs
    ) as draft:
        for variant, model in models.items():
            draft.metrics |= {
                f"{variant}/{k.removeprefix('test/')}": v
                for k, v in model.metrics.items()
                if k.startswith("test/") and "pixel_ridge" not in k
            }
            draft.metrics |= {f"{variant}/truth/{k}": v for k, v in truth.get(variant, {}).items()}
        first = next(iter(models.values()))
        draft.metrics |= {
            k.removeprefix("test/"): v for k, v in first.metrics.items() if k.startswith("test/pixel_ridge/")
        }
        draft.facts |= {
            "table": rows,
            "table_markdown": markdown(rows),
            "best_kendall_tau": max(models, key=lambda v: models[v].metrics["test/kendall_tau_median"]),
            "models": {variant: model.id for variant, model in models.items()},
            "test_runs": first.facts["runs"]["test"],
        }
        (draft.path / "table.md").write_text(markdown(rows))
        draw_comparison(draft.pictures() / "comparison.png", rows)
    return context.store.get(COMPARISON, version)


def markdown(rows: Sequence[dict[str, float | str | None]]) -> str:
    """The table, a row a model; a dash where nothing was measured."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in head) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def draw_comparison(file: Path, rows: Sequence[dict[str, float | str | None]]) -> None:
    """Ordering by distance, the other figures, and the table's costs, a colour a model."""
    gaps = [name for name in ("1–5", "5–20", "20–100", "100–400", "400+") if rows[0].get(name) is not None]
    others = [n for n in ("τ median", "Spearman", *_TRUTH) if any(row.get(n) is not None for row in rows)]
    figure = Figure(figsize=(11, 4.4), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    for number, row in enumerate(rows):
        style = {"color": f"C{number}"} if row["model"] != BASELINE else {"color": "#888888"}
        left.plot(gaps, [row[g] for g in gaps], "o-", label=str(row["model"]), **style)
        places = [i + (number - (len(rows) - 1) / 2) * 0.8 / len(rows) for i in range(len(others))]
        right.bar(places, [float(row.get(n) or 0) for n in others], 0.8 / len(rows), **style)
    left.axhline(0.5, ls="--", lw=1, color="#555555")
    left.set(xlabel="frames apart (two a second)", ylabel="pairs in the right order", title="held-out runs")
    right.set_xticks(range(len(others)), others)
    right.set(title="order on held-out runs, and against the truth of play", ylim=(0, 1))
    for axis in (left, right):
        axis.grid(alpha=0.3)
    left.legend(fontsize=8)
    with matplotlib.rc_context({"font.size": 10}):
        figure.savefig(file)


def _settings(reward: RewardConfig, variant: Variant) -> RewardConfig:
    changed = {
        "variant": variant,
        "weights_file": "" if variant in ("tokenizer", "sequence") else reward.weights_file,
    }
    return RewardConfig.model_validate(reward.model_dump() | changed)


def _candidate(
    dataset: Artifact, tokenizer: Artifact, config: RewardConfig, context: StageContext
) -> Artifact:
    """The model of this configuration: the published reward model if it is that one, else a candidate."""
    version = reward_version(config, reward_inputs(dataset, config, tokenizer))
    published = context.store.find(KIND, version)
    if published is not None:
        return published
    return train_reward(dataset, config, context, tokenizer, kind=CANDIDATE, partition=config.variant)


def _against_truth(
    models: dict[Variant, Artifact],
    tokenizer: Artifact,
    config: RewardComparisonConfig,
    opened: OpenedGame,
    context: StageContext,
) -> dict[Variant, dict[str, float]]:
    if not opened.game.milestones:
        return {}
    seen = trajectories(opened, ("scripted", "lost", "random"), config.plays, config.steps)
    device = pick_device(context.runtime)
    found = {}
    for variant, artifact in models.items():
        judged = judge(load_reward(artifact, device, tokenizer), seen, config.progress_window, device)
        found[variant] = truth_metrics(judged, config.interval)
    return found


def _rows(
    models: dict[Variant, Artifact], truth: dict[Variant, dict[str, float]]
) -> list[dict[str, float | str | None]]:
    """One a model, the baseline last."""
    rows: list[dict[str, float | str | None]] = []
    for variant, model in models.items():
        held: dict[str, float | str | None] = {
            name: model.metrics.get(f"test/{key}") for name, key in _HELD_OUT.items()
        }
        true = {name: truth.get(variant, {}).get(key) for name, key in _TRUTH.items()}
        rows.append(
            {"model": variant} | held | true | {name: model.facts[key] for name, key in _FACTS.items()}
        )
    first = next(iter(models.values()))
    ridge: dict[str, float | str | None] = {
        name: first.metrics.get(f"test/pixel_ridge/{key}") for name, key in _HELD_OUT.items()
    }
    rows.append({"model": BASELINE} | ridge | dict.fromkeys((*_TRUTH, *_FACTS)))
    return rows


def _cell(value: float | str | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
