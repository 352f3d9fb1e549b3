"""The reward stage: train a reward model on a frame dataset, calibrate it, judge it, publish it."""

from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from emurl_core.artifacts import Artifact, ArtifactError, Input, file_sha256, version_of
from emurl_core.frames.dataset import FrameDataset, RunFrames
from emurl_core.frames.manifest import Split
from emurl_core.reward.model import RewardConfig, RewardModel
from emurl_core.reward.pairs import PairSampler, soft_labels
from emurl_core.reward.ranking import ranking_metrics
from emurl_core.reward.report import report, score_run
from emurl_core.reward.resnet import load_weights
from emurl_core.runtime import pick_device
from emurl_core.stage import StageContext
from emurl_core.training import Batch, fit

CODE_VERSION = "2"
KIND = "reward_model"


def train_reward(dataset: Artifact, config: RewardConfig, context: StageContext) -> Artifact:
    """Train on the train speedruns, choose and calibrate on the validation ones, report on the test ones.

    `facts["gate_passed"]` says whether the median Kendall τ on test speedruns reaches `config.gate_kendall_tau`. A model that
    fails is published all the same, so that it can be looked at; nothing should be built on it.

    Raises:
        ValueError: a split has no run of two frames, all frames are equal, or the weights file does not fit.
        TrainingError: training diverged.
        ArtifactError: `dataset` is no frame dataset, or damaged.
    """
    inputs = [Input("dataset", dataset.expect("frame_dataset"))]
    weights = Path(config.weights_file).expanduser() if config.weights_file else None
    content = file_sha256(weights) if weights and weights.is_file() else ""
    version = version_of(config, CODE_VERSION, inputs, content)
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    frames = FrameDataset.open(dataset, context.store)
    train, validation, test = (_usable(frames, split) for split in ("train", "validation", "test"))
    device = pick_device(context.runtime)
    torch.manual_seed(config.seed)
    model = RewardModel(config)
    if weights:
        load_weights(model.scorer.net, weights)
    sampler = PairSampler(train, frames, config.batch_size, config.log_gap_share, config.seed)

    def batches(step: int) -> Batch:
        pairs = sampler.draw(step)
        return {
            "earlier": torch.from_numpy(pairs.earlier),
            "later": torch.from_numpy(pairs.later),
            "label": torch.from_numpy(soft_labels(pairs.gap_frames, config.soften_frames)),
        }

    thin = max(1, -(-sum(r.length for r in validation) // config.validation_frames))

    def validate() -> dict[str, float]:
        scored = [score_run(model, frames, run, device, thin) for run in validation]
        found = ranking_metrics(scored)
        return {"disorder": 1 - found["kendall_tau_median"], **found}

    result = fit(
        model,
        batches,
        config,
        context,
        context.store.work(KIND, version),
        name="reward",
        validate=validate,
        objective="disorder",
    )
    held = [score_run(model, frames, run, device) for run in validation]
    model.calibration.fit(
        np.concatenate([r.score for r in held]), np.concatenate([r.time_share for r in held])
    )
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.metrics |= report(model, frames, device, draft.pictures())
        draft.save_tensors(model.state_dict())
        tau = draft.metrics["test/kendall_tau_median"]
        draft.facts |= {
            "variant": config.variant,
            "parameters": sum(p.numel() for p in model.scorer.parameters()),
            "initial_weights": weights.name if weights else "random",
            "dataset_manifest_sha256": dataset.facts["manifest_sha256"],
            "runs": {"train": len(train), "validation": len(validation), "test": len(test)},
            "train_frames": sum(r.length for r in train),
            "steps": result.steps,
            "best_step": result.best_step,
            "seconds": round(result.seconds, 1),
            "gate": f"test/kendall_tau_median >= {config.gate_kendall_tau}",
            "gate_passed": bool(tau >= config.gate_kendall_tau),
        }
    return context.store.get(KIND, version)


def load_reward(artifact: Artifact, device: torch.device | str) -> RewardModel:
    """The trained model in evaluation mode, without gradients. Raises ArtifactError for another kind or damaged weights."""
    artifact.expect(KIND)
    try:
        model = RewardModel(RewardConfig.model_validate(artifact.config))
        missing = model.load_state_dict(artifact.tensors(), strict=False)
    except (ValidationError, RuntimeError) as error:
        raise ArtifactError(
            f"{artifact.id} does not fit this code ({error}); expected one made by the code in use: build it again"
        ) from error
    if missing.missing_keys or missing.unexpected_keys:
        raise ArtifactError(
            f"{artifact.id} does not fit this code: found {len(missing.missing_keys)} weights missing and "
            f"{len(missing.unexpected_keys)} unknown, expected none; build it again"
        )
    return model.to(device).eval().requires_grad_(False)


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
