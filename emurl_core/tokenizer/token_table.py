"""Every frame of a dataset as tokens, computed once for each pair of dataset and tokenizer.

    <home>/cache/tokens/<dataset version>-<codebook hash>.npy      (rows, 90) uint16, mapped, not read

A cache only: deleting it costs time and nothing else.
"""

import os
import uuid
from pathlib import Path

import numpy as np
import torch

from emurl_core.artifacts import Artifact
from emurl_core.frames.dataset import FrameDataset
from emurl_core.runtime import pick_device, track
from emurl_core.screen import TOKENS
from emurl_core.stage import StageContext
from emurl_core.tokenizer.loading import load_encoder

CHUNK_FRAMES = 256


def token_table(
    dataset: Artifact, tokenizer: Artifact, frames: FrameDataset, context: StageContext
) -> np.ndarray:
    """Tokens by global row: `(len(frames), 90) uint16 in [0, codes)`, read-only and memory-mapped."""
    # Not the tokenizer's version: trained anew on another machine, it may have that version and another codebook.
    codebook = tokenizer.facts["codebook_sha256"][:16]
    path = context.store.home / "cache" / "tokens" / f"{dataset.version}-{codebook}.npy"
    if path.is_file():
        try:
            table = np.load(path, mmap_mode="r")
            if table.shape == (len(frames), TOKENS) and table.dtype == np.uint16:
                return table
        except (OSError, ValueError):
            pass  # A damaged cache is worth no message: it is written anew.
    with context.store.explain_full_disk("the token cache"):
        _write(path, tokenizer, frames, context)
    return np.load(path, mmap_mode="r")


def _write(path: Path, artifact: Artifact, frames: FrameDataset, context: StageContext) -> None:
    device = pick_device(context.runtime)
    # In float32 whatever the runtime's precision is: tokens are the same wherever they are computed.
    encoder = load_encoder(artifact, device)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.parent / f".{uuid.uuid4().hex}.npy"
    try:
        table = np.lib.format.open_memmap(staged, "w+", np.uint16, (len(frames), TOKENS))
        with torch.no_grad():
            for chunk in track(-(-len(frames) // CHUNK_FRAMES), "tokens"):
                rows = np.arange(chunk * CHUNK_FRAMES, min(len(frames), (chunk + 1) * CHUNK_FRAMES))
                shades = torch.from_numpy(frames.shades(rows)).to(device)
                table[rows] = encoder.encode(shades).flatten(1).cpu().numpy()
        table.flush()
        del table
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
