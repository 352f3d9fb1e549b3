"""The reward stage: train a reward model on a frame dataset, calibrate it, judge it, publish it.

All variants, and each member of an ensemble, go through this one function. How a finished one is loaded is in `loading`.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from emurl_core.artifacts import Artifact, Input, file_sha256, version_of
from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.frames.manifest import Split
from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.loading import KIND
from emurl_core.reward.member import RewardMember
from emurl_core.reward.model import RewardModel
from emurl_core.reward.pairs import PairSampler, Pictures, TokenPictures, soft_labels
from emurl_core.reward.pixel_scorer import PixelScorer
from emurl_core.reward.ranking import ranking_metrics
from emurl_core.reward.report import report
from emurl_core.reward.resnet import load_weights
from emurl_core.reward.scoring import score_run, thinning
from emurl_core.runtime import pick_device
from emurl_core.screen import TOKENS
from emurl_core.stage import StageContext
from emurl_core.tokenizer import load_tokenizer, token_table
from emurl_core.training import Batch, Demand, FitResult, fit, verdict

CODE_VERSION = "4"
_TIMED_FRAMES = 64


def train_reward(
    dataset: Artifact,
    config: RewardConfig,
    context: StageContext,
    tokenizer: Artifact | None = None,
    *,
    kind: str = KIND,
    partition: str | None = None,
) -> Artifact:
    """Train on the train speedruns, choose and calibrate on the validation ones, report on the test ones.

    `facts["gate_passed"]` says whether the median Kendall τ on test speedruns reaches `config.gate_kendall_tau`. A model that
    fails is published all the same, so that it can be looked at; nothing should be built on it. The artifact holds the best
    weights by validation; `last.safetensors` (`last-0`, … of an ensemble) those after the last step.

    Args:
        tokenizer: for the variants that read tokens; no part of the others.
        kind: what it is published as, and `partition` under which name: a comparison has places of its own.

    Raises:
        ValueError: a split has no run of two frames, all frames are equal, the weights file does not fit, or a variant that
            reads tokens has no tokenizer.
        TrainingError: training diverged.
        ArtifactError: `dataset` is no frame dataset, `tokenizer` no tokenizer, or damaged.
    """
    inputs = reward_inputs(dataset, config, tokenizer)
    weights = Path(config.weights_file).expanduser() if config.weights_file else None
    version = reward_version(config, inputs)
    if (existing := context.store.reuse(kind, version, partition)) is not None:
        return existing
    frames = FrameDataset.open(dataset, context.store)
    train, validation, test = (_usable(frames, split) for split in ("train", "validation", "test"))
    device = pick_device(context.runtime)
    eyes, table = None, None
    if config.reads_tokens:
        assert tokenizer is not None
        eyes = load_tokenizer(tokenizer, device)
        table = token_table(dataset, tokenizer, frames, context)
    pictures: Pictures = frames if table is None else TokenPictures(table)
    torch.manual_seed(config.seed)
    model = RewardModel(config, eyes)
    work = context.store.work(kind, version, partition)
    results = []
    for number in range(config.ensemble):
        own = config.of_member(number)
        torch.manual_seed(own.seed)
        alone = RewardModel(own, eyes)
        (member,) = alone.members
        assert isinstance(member, RewardMember)
        if weights:
            assert isinstance(member.scorer, PixelScorer)
            load_weights(member.scorer.net, weights)
        place = work / f"member-{number}" if config.ensemble > 1 else work
        place.mkdir(exist_ok=True)
        base = f"reward-{partition}" if partition else "reward"
        name = f"{base}-{number}" if config.ensemble > 1 else base
        results.append(
            _train_member(alone, member, train, validation, frames, pictures, table, context, place, name)
        )
        model.members[number] = member
    with context.store.draft(
        kind, version, config=config, code_version=CODE_VERSION, inputs=inputs, partition=partition
    ) as draft:
        draft.metrics |= report(model, frames, device, draft.pictures(), table)
        draft.save_tensors(model.state_dict())
        for number, result in enumerate(results):
            draft.save_tensors(result.last, f"last-{number}" if config.ensemble > 1 else "last")
        tau = draft.metrics["test/kendall_tau_median"]
        draft.facts |= {
            "variant": config.variant,
            "members": config.ensemble,
            "parameters": sum(p.numel() for p in model.parameters()),
            "initial_weights": weights.name if weights else "random",
            "dataset_manifest_sha256": dataset.facts["manifest_sha256"],
            "runs": {"train": len(train), "validation": len(validation), "test": len(test)},
            "train_frames": sum(r.length for r in train),
            "steps": sum(r.steps for r in results),
            "best_step": results[0].best_step,
            "seconds": round(sum(r.seconds for r in results), 1),
            **_microseconds_per_frame(model, frames, test[0], device),
            **verdict([Demand("test/kendall_tau_median", tau, config.gate_kendall_tau)]),
        }
        if config.reads_tokens and tokenizer is not None:
            draft.facts["codebook_sha256"] = tokenizer.facts["codebook_sha256"]
    return context.store.get(kind, version, partition)


def reward_inputs(dataset: Artifact, config: RewardConfig, tokenizer: Artifact | None) -> list[Input]:
    """What a model of this configuration is built from. Raises ValueError when a tokenizer is needed and missing."""
    inputs = [Input("dataset", dataset.expect("frame_dataset"))]
    if config.reads_tokens:
        if tokenizer is None:
            raise ValueError(
                f"found no tokenizer, expected one: the reward variant {config.variant!r} scores frames by their tokens; "
                "train a tokenizer first, or choose the variant resnet or global"
            )
        inputs.append(Input("tokenizer", tokenizer.expect("tokenizer")))
    return inputs


def reward_version(config: RewardConfig, inputs: Sequence[Input]) -> str:
    """The version that such a model has, wherever it is published."""
    weights = Path(config.weights_file).expanduser() if config.weights_file else None
    return version_of(
        config, CODE_VERSION, inputs, file_sha256(weights) if weights and weights.is_file() else ""
    )


def _train_member(
    alone: RewardModel,
    member: RewardMember,
    train: Sequence[RunFrames],
    validation: Sequence[RunFrames],
    frames: FrameDataset,
    pictures: Pictures,
    table: np.ndarray | None,
    context: StageContext,
    work: Path,
    name: str,
) -> FitResult:
    """Train and calibrate one member in place."""
    config, device = member.config, pick_device(context.runtime)
    sampler = PairSampler(
        train, pictures, config.batch_size, config.log_gap_share, config.seed, config.context_frames
    )

    def batches(step: int) -> Batch:
        pairs = sampler.draw(step)
        return {
            "earlier": torch.from_numpy(pairs.earlier),
            "later": torch.from_numpy(pairs.later),
            "label": torch.from_numpy(soft_labels(pairs.gap_frames, config.soften_frames)),
            "elapsed": torch.from_numpy(pairs.elapsed),
        }

    thin = thinning(sum(r.length for r in validation), config.validation_frames)

    def validate() -> dict[str, float]:
        scored = [score_run(alone, frames, run, device, thin, table) for run in validation]
        found = ranking_metrics(scored)
        return {"disorder": 1 - found["kendall_tau_median"], **found}

    result = fit(member, batches, config, context, work, name=name, validate=validate, objective="disorder")
    held = [score_run(alone, frames, run, device, table=table) for run in validation]
    member.calibration.fit(
        np.concatenate([r.score for r in held]), np.concatenate([r.time_share for r in held])
    )
    return result


def _microseconds_per_frame(
    model: RewardModel, frames: FrameDataset, run: RunFrames, device: torch.device
) -> dict[str, float]:
    """Time of one frame's progress in a batch: from its pixels, and as the policy pays for it, whose frames have tokens."""
    shades = torch.from_numpy(frames.shades(run.rows[:_TIMED_FRAMES])).to(device)
    tokens = torch.zeros(len(shades), TOKENS, dtype=torch.int64, device=device)
    found = {}
    for name, known in (("", None), ("_tokens_known", tokens)):
        taken = []
        for _ in range(3):
            began = time.perf_counter()
            model.progress(shades, known).cpu()
            taken.append(time.perf_counter() - began)
        found[f"microseconds_per_frame{name}"] = round(min(taken) / len(shades) * 1e6, 1)
    return found


def _usable(frames: FrameDataset, split: Split) -> list[RunFrames]:
    """Runs of at least two frames."""
    runs = frames.runs(split)
    usable = [r for r in runs if r.length >= 2]
    if not usable:
        raise ValueError(
            f"found {len(runs)} {split} runs and none with two frames, expected at least one: the reward model learns, is "
            "calibrated and is judged on different speedruns; add speedruns, or change the split shares of the dataset"
        )
    return usable
