"""Which numbers of each stage stand first, and beside which baselines. The report and Dagster show the same ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from emurl_core.artifacts import Artifact


@dataclass(frozen=True)
class Score:
    """A held-out metric and the metrics it has to be better than."""

    label: str
    metric: str
    baselines: Mapping[str, str]
    fewer_is_better: bool = False


@dataclass(frozen=True)
class Row:
    """A score with its numbers written out."""

    stage: str
    label: str
    value: str
    baseline: str
    verdict: str
    """✓ better than every baseline, = as good as the best one, ✗ worse, nothing where there is none."""


SCORES: dict[str, tuple[Score, ...]] = {
    "tokenizer": (
        Score(
            "pixels in their exact shade",
            "test/exact_shade_accuracy",
            {"patch k-means": "test/patch_kmeans_accuracy", "commonest shade": "test/majority_accuracy"},
        ),
        Score(
            "perplexity of the codebook", "test/perplexity", {"patch k-means": "test/patch_kmeans_perplexity"}
        ),
        Score("share of codes in use", "test/codes_used", {"patch k-means": "test/patch_kmeans_codes_used"}),
        Score("PSNR, dB", "test/psnr_db", {"patch k-means": "test/patch_kmeans_psnr_db"}),
    ),
    "dynamics": (
        Score(
            "bits to tell the next frame (fewer is better)",
            "test/bits_per_frame",
            {"copy": "test/copy_mix_bits_per_frame", "bigram": "test/bigram_bits_per_frame"},
            fewer_is_better=True,
        ),
        Score(
            "tokens of the next frame foreseen",
            "test/accuracy",
            {"copy": "test/copy_accuracy", "bigram": "test/bigram_accuracy"},
        ),
        Score(
            "of those that change",
            "test/accuracy_changed",
            {"copy": "0", "bigram": "test/bigram_accuracy_changed"},
        ),
    ),
    "reward_model": (
        Score(
            "Kendall τ, median over runs",
            "test/kendall_tau_median",
            {"pixel ridge": "test/pixel_ridge/kendall_tau_median", "chance": "0"},
        ),
        Score(
            "pairs in the right order",
            "test/pairwise_accuracy",
            {"pixel ridge": "test/pixel_ridge/pairwise_accuracy", "chance": "0.5"},
        ),
        Score(
            "calibration error (fewer is better)",
            "test/ece",
            {"pixel ridge": "test/pixel_ridge/ece"},
            fewer_is_better=True,
        ),
        Score("progress gained by a running timer, at most 0.01", "test/timer_gain", {}),
    ),
    "ood_detector": (
        *(
            Score(
                f"AUROC, {where} against unseen speedruns",
                f"test/auroc_{place}",
                {
                    "reconstruction": f"test/reconstruction/auroc_{place}",
                    "rare tokens": f"test/rare_tokens/auroc_{place}",
                    "quantisation distance": f"test/quantisation/auroc_{place}",
                },
            )
            for place, where in (
                ("grove", "grove (tiles of its own)"),
                ("pit", "pit"),
                ("off_path", "aside of the way on a known map"),
            )
        ),
        Score("unseen speedruns' frames flagged, at most 0.02", "test/flagged_above_99", {}),
        Score("what gains in unseen speedruns are worth", "test/mean_multiplier", {}),
        Score("µs a frame, tokens given", "index_us_per_frame", {}),
        Score("MB of kept frames", "index_megabytes", {}),
    ),
    "inverse_dynamics": (
        Score(
            "buttons named rightly, held-out play",
            "test/accuracy",
            {"commonest": "test/majority_accuracy", "still = none": "test/still_accuracy"},
        ),
        Score(
            "of those pressed",
            "test/pressed_accuracy",
            {"commonest": "test/pressed_majority_accuracy", "still = none": "test/pressed_still_accuracy"},
        ),
    ),
    "label_truth": (
        Score(
            "labels of held-out speedruns that are right",
            "test/accuracy",
            {"commonest": "test/majority_accuracy", "still = none": "test/still_accuracy"},
        ),
        Score(
            "of those pressed",
            "test/pressed_accuracy",
            {"commonest": "test/pressed_majority_accuracy", "still = none": "test/pressed_still_accuracy"},
        ),
    ),
    "warm_start": (
        Score(
            "runners' presses foreseen, held-out speedruns",
            "test/accuracy",
            {"commonest": "test/majority_accuracy", "the one before": "test/previous_accuracy"},
        ),
    ),
    "policy": (
        Score(
            "progress gained in an episode, end of training",
            "train/last/episode_progress_gain",
            {"beginning": "train/first/episode_progress_gain"},
        ),
        Score(
            "share of the highest entropy, end of training (fewer is surer)",
            "train/last/entropy_share",
            {"beginning": "train/first/entropy_share"},
            fewer_is_better=True,
        ),
    ),
    "evaluation": (
        Score(
            "true progress reached",
            "stochastic/true_progress",
            {"random": "random/true_progress", "always A": "fixed/true_progress"},
        ),
        Score(
            "learned progress reached", "stochastic/learned_progress", {"random": "random/learned_progress"}
        ),
        Score("walkable tiles visited", "stochastic/tiles_visited", {"random": "random/tiles_visited"}),
        Score(
            "time in loops of few pictures (fewer is better)",
            "stochastic/loop_share",
            {"random": "random/loop_share"},
            fewer_is_better=True,
        ),
        Score("episodes that leave the intro", "stochastic/intro_left", {"random": "random/intro_left"}),
        Score(
            "probability of getting further than random",
            "comparison/probability_of_improvement",
            {"chance": "0.5"},
        ),
    ),
}
"""A baseline is the name of a metric, or a number that is known without measuring."""


def scores_of(artifact: Artifact, named_only: bool = False) -> list[Row]:
    """The stage's scores; unless `named_only`, all its metrics where none is named here."""
    metrics = artifact.metrics
    named = [s for s in SCORES.get(artifact.kind, ()) if s.metric in metrics]
    if not named and not named_only:
        return [Row(artifact.kind, k, number(v), "", "") for k, v in metrics.items()]
    return [_row(artifact.kind, score, metrics) for score in named]


def _row(stage: str, score: Score, metrics: Mapping[str, float]) -> Row:
    value = metrics[score.metric]
    named = {name: metrics.get(m) if "/" in m else float(m) for name, m in score.baselines.items()}
    known = {name: baseline for name, baseline in named.items() if baseline is not None}
    told = ", ".join(
        f"{name} {number(v)}{_interval(score.baselines[name], metrics)}" for name, v in known.items()
    )
    verdict = ""
    if known:
        best = min(known.values()) if score.fewer_is_better else max(known.values())
        better = value < best if score.fewer_is_better else value > best
        verdict = "=" if value == best else "✓" if better else "✗"
    return Row(stage, score.label, number(value) + _interval(score.metric, metrics), told, verdict)


def _interval(metric: str, metrics: Mapping[str, float]) -> str:
    """The 95% interval of an estimate that has one."""
    low, high = metrics.get(f"{metric}_low"), metrics.get(f"{metric}_high")
    return "" if low is None or high is None else f" [{number(low)}–{number(high)}]"


@dataclass(frozen=True)
class Milestone:
    """Shares of episodes that reach a milestone."""

    name: str
    agent: float
    random: float | None


def milestones_of(evaluation: Artifact) -> list[Milestone]:
    """How far the agent gets and how far a random one does, in the game's order; empty where the game has no milestones."""
    from emurl_core.game import GAMES

    game = GAMES.get(evaluation.facts.get("game", ""))
    metrics = evaluation.metrics
    return [
        Milestone(name, metrics[f"stochastic/reached/{name}"], metrics.get(f"random/reached/{name}"))
        for name in (game.milestones if game else ())
        if f"stochastic/reached/{name}" in metrics
    ]


def number(value: float) -> str:
    """Three significant digits, whole numbers whole."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
