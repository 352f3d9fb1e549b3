"""Pictures that say how the tokenizer sees: reconstructions beside the baseline, and every code drawn."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from emurl_core.screen import GRID_SHAPE, PATCH_PX, shades_to_rgb
from emurl_core.tokenizer.baselines import PatchKMeans
from emurl_core.tokenizer.model import Tokenizer
from emurl_core.tokenizer.quality import exact_shade_accuracy, tokens_and_drawings


def draw_reconstructions(
    path: Path, tokenizer: Tokenizer, patches: PatchKMeans, frames: np.ndarray, columns: int = 6
) -> None:
    """Held-out frames over what the tokenizer and patch k-means make of them; wrong pixels in red below."""
    frames = frames[np.linspace(0, len(frames) - 1, min(columns, len(frames))).astype(int)]
    _, drawings = tokens_and_drawings(tokenizer, frames)
    rival = patches.reconstruct(frames)
    rows = [
        ("held-out frame", shades_to_rgb(frames)),
        ("tokenizer", shades_to_rgb(drawings)),
        ("wrong pixels", _errors(frames, drawings)),
        ("patch k-means", shades_to_rgb(rival)),
        ("its wrong pixels", _errors(frames, rival)),
    ]
    figure = Figure(figsize=(1.9 * len(frames) + 1.0, 1.85 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(frames), squeeze=False)
    for (label, pictures), line in zip(rows, axes, strict=True):
        line[0].set_ylabel(label)
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
    for i in range(len(frames)):
        axes[1, i].set_title(f"{exact_shade_accuracy(frames[i], drawings[i]):.1%} exact", fontsize=9)
        axes[3, i].set_title(f"{exact_shade_accuracy(frames[i], rival[i]):.1%} exact", fontsize=9)
    figure.savefig(path, dpi=110)


def draw_codebook(path: Path, tokenizer: Tokenizer, tokens: np.ndarray, columns: int = 32) -> None:
    """Every code, commonest first: the middle patch of a screen drawn from that code alone.

    Args:
        tokens: codes of held-out frames, any shape; they give the order and the counts.
    """
    codes = len(tokenizer.codebook)
    counts = np.bincount(tokens.reshape(-1), minlength=codes)
    order = np.argsort(-counts, kind="stable")
    patches = _alone(tokenizer)[order]
    used = int((counts > 0).sum())
    lines = -(-codes // columns)
    cell = PATCH_PX + 2
    sheet = np.full((lines * cell, columns * cell, 3), (40, 90, 160), dtype=np.uint8)
    for i, patch in enumerate(shades_to_rgb(patches)):
        y, x = (i // columns) * cell + 1, (i % columns) * cell + 1
        sheet[y : y + PATCH_PX, x : x + PATCH_PX] = patch if counts[order[i]] else patch // 2 + (64, 0, 0)
    figure = Figure(figsize=(columns * 0.3, lines * 0.3 + 0.5), layout="constrained")
    axis = figure.subplots()
    axis.imshow(sheet, interpolation="nearest")
    axis.set_axis_off()
    axis.set_title(
        f"{codes} codes, commonest first; {used} used on held-out frames (the rest tinted red)", fontsize=10
    )
    figure.savefig(path, dpi=130)


def _alone(tokenizer: Tokenizer) -> np.ndarray:
    """The middle patch of a screen full of one code, for each code: `(codes, 16, 16) uint8`."""
    device = next(tokenizer.parameters()).device
    row, column = GRID_SHAPE[0] // 2 * PATCH_PX, GRID_SHAPE[1] // 2 * PATCH_PX
    patches = []
    with torch.no_grad():
        for some in torch.arange(len(tokenizer.codebook), device=device).split(32):
            screens = tokenizer.decode_tokens(some[:, None, None].expand(-1, *GRID_SHAPE)).argmax(1)
            patches.append(screens[:, row : row + PATCH_PX, column : column + PATCH_PX].cpu().numpy())
    return np.concatenate(patches).astype(np.uint8)


def _errors(frames: np.ndarray, drawings: np.ndarray) -> np.ndarray:
    pictures = shades_to_rgb(frames) // 2 + 128
    pictures[frames != drawings] = (208, 32, 32)
    return pictures
