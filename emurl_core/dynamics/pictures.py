"""Pictures of what the dynamics model expects, drawn through the tokenizer."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from emurl_core.dynamics.model import Dynamics
from emurl_core.screen import GRID_SHAPE, shades_to_rgb
from emurl_core.tokenizer.model import Tokenizer

SAMPLED_FRAMES = 3


def draw_predictions(
    path: Path, model: Dynamics, tokenizer: Tokenizer, clips: torch.Tensor, seed: int
) -> None:
    """A line for each clip `(n, context_frames + 1, 90) int64`: context, true next frame, its teacher-forced prediction, and
    a sampled continuation. Everything is drawn from tokens, so that what differs is the model's doing.
    """
    device = next(model.parameters()).device
    clips = clips.to(device)
    seen = model.config.context_frames
    with torch.no_grad():
        foreseen = model.logits(clips)[:, -1].argmax(-1)
    generator = torch.Generator(device).manual_seed(seed)
    warmth = model.config.temperature
    sampled = model.continuation(clips[:, :seen], SAMPLED_FRAMES, warmth, generator)
    columns = torch.cat([clips, foreseen[:, None], sampled], 1)
    titles = [f"frame t−{seen - 1 - i}" if i < seen - 1 else "frame t" for i in range(seen)]
    titles += ["true t+1", "predicted t+1\n(teacher-forced)"]
    titles += [f"sampled t+{i + 1}" for i in range(SAMPLED_FRAMES)]
    right = (foreseen == clips[:, -1]).float().mean(1).tolist()
    copied = (clips[:, -2] == clips[:, -1]).float().mean(1).tolist()

    figure = Figure(figsize=(1.75 * columns.shape[1] + 0.6, 1.75 * len(clips) + 0.5), layout="constrained")
    axes = figure.subplots(len(clips), columns.shape[1], squeeze=False)
    for line, row in enumerate(columns):
        for axis, picture in zip(axes[line], _drawn(tokenizer, row), strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
        axes[line, seen + 1].set_xlabel(f"{right[line]:.0%} right, copying {copied[line]:.0%}", fontsize=8)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110)


def _drawn(tokenizer: Tokenizer, tokens: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        logits = tokenizer.decode_tokens(tokens.unflatten(-1, GRID_SHAPE))
    return shades_to_rgb(logits.argmax(1).to(torch.uint8).cpu().numpy())
