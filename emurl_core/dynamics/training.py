"""The dynamics stage: tokens of speedruns in, a dynamics artifact out."""

import numpy as np
import torch

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.dynamics.baselines import TokenTables
from emurl_core.dynamics.clips import ClipBatches, clip_starts, clips_at
from emurl_core.dynamics.continuing import animate_continuations, continuations, draw_continuations
from emurl_core.dynamics.model import Dynamics, DynamicsConfig
from emurl_core.dynamics.pictures import draw_predictions
from emurl_core.dynamics.quality import gate, metrics_by_screen, prediction_metrics
from emurl_core.frames.dataset import EmptyDatasetError, FrameDataset
from emurl_core.runtime import pick_device, seed_everything
from emurl_core.screen import TOKENS
from emurl_core.stage import StageContext
from emurl_core.tokenizer.loading import load_tokenizer
from emurl_core.tokenizer.sampling import spaced
from emurl_core.tokenizer.screens import screen_types
from emurl_core.tokenizer.token_table import token_table
from emurl_core.training import fit

CODE_VERSION = "2"

_VALIDATED_CLIPS = 256
_PICTURED_CLIPS = 5
_CONTINUED_CLIPS = 4


def train_dynamics(
    dataset: Artifact, tokenizer: Artifact, config: DynamicsConfig, context: StageContext
) -> Artifact:
    """Train on the training speedruns' tokens; metrics are from the test speedruns.

    Args:
        dataset: a `frame_dataset`.
        tokenizer: makes the tokens; the model is bound to its codebook.

    The artifact holds the best weights by validation, `last.safetensors` those after the last step. `facts["gate_passed"]`
    says whether it reaches its gate; one that does not is published all the same.

    Raises:
        ValueError: a split has no clip, or the loss stopped being finite.
    """
    inputs = [
        Input("dataset", dataset.expect("frame_dataset")),
        Input("tokenizer", tokenizer.expect("tokenizer")),
    ]
    version = version_of(config, CODE_VERSION, inputs)
    if (existing := context.store.reuse("dynamics", version)) is not None:
        return existing
    work = context.store.work("dynamics", version)
    device = pick_device(context.runtime)
    frames = FrameDataset.open(dataset, context.store)
    length = config.context_frames + 1
    train = clip_starts(frames, "train", length)
    tuned = spaced(clip_starts(frames, "validation", length), _VALIDATED_CLIPS)
    test = spaced(clip_starts(frames, "test", length), config.evaluated_clips)
    tokens = token_table(dataset, tokenizer, frames, context)
    codes = int(tokenizer.facts["codes"])

    seed_everything(config.seed)
    model = Dynamics(config, codes)
    validation = clips_at(tokens, tuned, length)
    result = fit(
        model, ClipBatches(tokens, train, length, config.batch_size, config.seed), config, context, work,
        name="dynamics", validate=lambda: prediction_metrics(model, validation, ""), objective="bits_per_frame",
    )  # fmt: skip

    def last_two(starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tokens[starts + length - 2], tokens[starts + length - 1]

    tables = TokenTables.fit(*last_two(train), tune=last_two(tuned), codes=codes)
    held_out = clips_at(tokens, test, length)
    types = screen_types(frames.shades(test + length - 1))
    with context.store.draft(
        "dynamics", version, config=config, code_version=CODE_VERSION, inputs=inputs
    ) as draft:
        draft.save_tensors(model.state_dict())
        draft.save_tensors(result.last, "last")
        draft.metrics |= metrics_by_screen(model, tables, held_out, types)
        draft.metrics["copy_gate"] = float(model.gate.detach())
        draft.facts |= gate(config, draft.metrics) | {
            "codebook_sha256": tokenizer.facts["codebook_sha256"],
            "codes": codes,
            "parameters": sum(p.numel() for p in model.parameters()),
            "train_clips": len(train),
            "steps": result.steps,
            "best_step": result.best_step,
            "training_s": round(result.seconds, 1),
        }
        eyes = load_tokenizer(tokenizer, device)
        pictured = clips_at(tokens, _lively(tokens, test, length), length)
        draw_predictions(draft.pictures() / "predictions.png", model, eyes, pictured, config.seed)
        longer = _long_clips(frames, tokens, config)
        if len(longer):
            drawn = continuations(model, eyes, longer, config.seed)
            draw_continuations(draft.pictures() / "continuations.png", drawn)
            animate_continuations(draft.pictures() / "continuations_moving.gif", drawn)
    return context.store.get("dynamics", version)


def _long_clips(frames: FrameDataset, tokens: np.ndarray, config: DynamicsConfig) -> torch.Tensor:
    """Held-out clips of `context_frames + continued_frames` frames, `(n, F, 90) int64`; none when no speedrun is long enough."""
    length = config.context_frames + config.continued_frames
    try:
        starts = spaced(clip_starts(frames, "test", length), config.evaluated_clips)
    except EmptyDatasetError:
        return torch.zeros(0, length, TOKENS, dtype=torch.int64)
    return clips_at(tokens, _lively(tokens, starts, length)[-_CONTINUED_CLIPS:], length)


def _lively(tokens: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Clips spread over those in which something changes: still pictures would flatter any model."""
    changed = (tokens[starts + length - 2] != tokens[starts + length - 1]).mean(1)
    order = np.argsort(changed, kind="stable")
    quantiles = np.linspace(0.3, 0.95, _PICTURED_CLIPS) * (len(order) - 1)
    return starts[order[np.unique(quantiles.astype(int))]]
