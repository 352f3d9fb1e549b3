"""The tokenizer stage: frames in, a tokenizer artifact out."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.frames.dataset import FrameDataset
from emurl_core.game.collect import random_frames
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.runtime import Stopwatch, pick_device, seed_everything
from emurl_core.stage import StageContext
from emurl_core.tokenizer.baselines import PatchKMeans
from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.loading import encoder_tensors
from emurl_core.tokenizer.model import Tokenizer, codebook_sha256
from emurl_core.tokenizer.pictures import draw_codebook, draw_reconstructions
from emurl_core.tokenizer.quality import exact_shade_accuracy, gate, held_out_metrics, tokens_and_drawings
from emurl_core.tokenizer.sampling import FrameBatches, rows_of
from emurl_core.tokenizer.starting import start_codebook, start_shortcut
from emurl_core.training import FitResult, fit

CODE_VERSION = "3"

_BASELINE_FRAMES = 4096
_VALIDATED_FRAMES = 256
_START_FRAMES = 4096
"""Frames that start the shortcut and the codebook at most, as many as patch k-means is fitted on."""


def train_tokenizer(
    dataset: Artifact, config: TokenizerConfig, context: StageContext, game: GameConfig | None = None
) -> Artifact:
    """Train a tokenizer on the training speedruns; metrics are from the test speedruns.

    The artifact holds the best weights by validation, `last.safetensors` those after the last step, `encoder.safetensors` the
    way inward alone. `facts["gate_passed"]` says whether it reaches its gate; one that does not is published all the same,
    so that it can be looked at.

    Args:
        dataset: a `frame_dataset`.
        game: where the emulator frames come from that `config.emulator_share` mixes in; None trains on video frames only.

    Raises:
        ValueError: a split is empty, the ROM is missing or wrong, or the loss stopped being finite.
    """
    inputs = [Input("dataset", dataset.expect("frame_dataset"))]
    mixes = game is not None and config.emulator_share > 0
    content = json.dumps(open_game(game).identity, sort_keys=True) if game is not None and mixes else ""
    version = version_of(config, CODE_VERSION, inputs, content)
    if (existing := context.store.reuse("tokenizer", version)) is not None:
        return existing
    work = context.store.work("tokenizer", version)
    frames = FrameDataset.open(dataset, context.store)
    train, held_out = rows_of(frames, "train"), rows_of(frames, "test", config.evaluated_frames)

    emulator = _emulator_frames(game, config, work) if game is not None and mixes else None
    seed_everything(config.seed)
    tokenizer = Tokenizer(config)
    held = 0 if emulator is None else min(_VALIDATED_FRAMES, len(emulator) // 4)
    mixed = None if emulator is None else emulator[held:]
    batches = FrameBatches(frames, train, config.batch_size, config.seed, mixed, config.emulator_share)
    result = _fit(tokenizer, frames, batches, config, context, work)

    watch = Stopwatch()
    seen = frames.shades(rows_of(frames, "train", _BASELINE_FRAMES))
    patches = PatchKMeans.fit(seen, config.codes, config.seed)
    baseline_s = watch.seconds
    test = frames.shades(held_out)
    with context.store.draft(
        "tokenizer", version, config=config, code_version=CODE_VERSION, inputs=inputs
    ) as draft:
        draft.save_tensors(tokenizer.state_dict())
        draft.save_tensors(result.last, "last")
        draft.save_tensors(encoder_tensors(tokenizer), "encoder")
        draft.metrics |= held_out_metrics(tokenizer, patches, seen, test)
        if emulator is not None and held:
            drawn = tokens_and_drawings(tokenizer, emulator[:held])[1]
            draft.metrics["emulator/exact_shade_accuracy"] = exact_shade_accuracy(emulator[:held], drawn)
        draft.facts |= gate(config, draft.metrics) | {
            "codebook_sha256": codebook_sha256(tokenizer),
            "parameters": sum(p.numel() for p in tokenizer.parameters()) + _codebook_numbers(tokenizer),
            "codes": config.codes,
            "width": config.width,
            "train_frames": len(train),
            "emulator_frames": 0 if emulator is None else len(emulator),
            "steps": result.steps,
            "best_step": result.best_step,
            "training_s": round(result.seconds, 1),
            "patch_kmeans_s": round(baseline_s, 1),
        }
        draw_reconstructions(draft.pictures() / "reconstructions.png", tokenizer, patches, test)
        draw_codebook(draft.pictures() / "codebook.png", tokenizer, tokens_and_drawings(tokenizer, test)[0])
    return context.store.get("tokenizer", version)


def _emulator_frames(game: GameConfig, config: TokenizerConfig, work: Path) -> np.ndarray:
    """Frames of random play, kept in `work` so that a resumed training need not play again."""
    path = work / "emulator_frames.safetensors"
    if path.is_file():
        return load_file(path)["frames"]
    frames = random_frames(game, config.emulator_frames, config.seed)
    staged = path.with_suffix(".new")
    save_file({"frames": frames}, staged)
    staged.replace(path)
    return frames


def _fit(
    tokenizer: Tokenizer,
    frames: FrameDataset,
    batches: FrameBatches,
    config: TokenizerConfig,
    context: StageContext,
    work: Path,
) -> FitResult:
    device = pick_device(context.runtime)
    validation = torch.from_numpy(frames.shades(rows_of(frames, "validation", _VALIDATED_FRAMES)))

    def validate() -> dict[str, float]:
        if not tokenizer.quantiser.ready:
            # A plain autoencoder would win against every quantised one.
            return {"wrong_shades": float("inf")}
        parts = [tokenizer.loss({"frames": part.to(device)})[1] for part in validation.split(32)]
        exact = float(np.mean([float(p["exact_shade_accuracy"]) for p in parts]))
        picture = float(np.mean([float(p["picture"]) for p in parts]))
        return {"wrong_shades": 1 - exact, "exact_shade_accuracy": exact, "picture": picture}

    def start(step: int) -> None:
        quantises = min(config.unquantised_steps, config.steps - 1)
        if step not in (0, quantises):
            return
        some = batches.typical(_START_FRAMES)
        if step == 0:
            start_shortcut(tokenizer, some)
        if step == quantises and not tokenizer.quantiser.ready:
            start_codebook(tokenizer, some, config.rare_share, config.seed)

    return fit(
        tokenizer, batches, config, context, work,
        name="tokenizer", validate=validate, objective="wrong_shades", before_step=start, validate_start=True,
    )  # fmt: skip


def _codebook_numbers(tokenizer: Tokenizer) -> int:
    # An averaged codebook is a buffer, yet as much learnt as any parameter.
    return tokenizer.codebook.numel() if not list(tokenizer.quantiser.parameters()) else 0
