"""The dynamics stage: tokens of speedruns in, a dynamics artifact out."""

import numpy as np

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.dynamics.baselines import TokenTables
from emurl_core.dynamics.clips import ClipBatches, clip_starts, clips_at, spaced
from emurl_core.dynamics.model import Dynamics, DynamicsConfig
from emurl_core.dynamics.pictures import draw_predictions
from emurl_core.dynamics.quality import prediction_metrics
from emurl_core.frames.dataset import FrameDataset
from emurl_core.runtime import pick_device, seed_everything
from emurl_core.stage import StageContext
from emurl_core.tokenizer.loading import load_tokenizer
from emurl_core.tokenizer.token_table import token_table
from emurl_core.training import fit

CODE_VERSION = "1"

_VALIDATED_CLIPS = 256
_PICTURED_CLIPS = 5


def train_dynamics(
    dataset: Artifact, tokenizer: Artifact, config: DynamicsConfig, context: StageContext
) -> Artifact:
    """Train on the training speedruns' tokens; metrics are from the test speedruns.

    Args:
        dataset: a `frame_dataset`.
        tokenizer: makes the tokens; the model is bound to its codebook.

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
    with context.store.draft(
        "dynamics", version, config=config, code_version=CODE_VERSION, inputs=inputs
    ) as draft:
        draft.save_tensors(model.state_dict())
        draft.metrics |= prediction_metrics(model, held_out, "test/")
        draft.metrics |= tables.metrics(*last_two(test), prefix="test/")
        draft.metrics["test/clips"] = float(len(test))
        draft.metrics["gate"] = float(model.gate.detach())
        draft.facts |= {
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
    return context.store.get("dynamics", version)


def _lively(tokens: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Clips spread over those in which something changes: still pictures would flatter any model."""
    changed = (tokens[starts + length - 2] != tokens[starts + length - 1]).mean(1)
    order = np.argsort(changed, kind="stable")
    quantiles = np.linspace(0.3, 0.95, _PICTURED_CLIPS) * (len(order) - 1)
    return starts[order[np.unique(quantiles.astype(int))]]
