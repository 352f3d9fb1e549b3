"""Sampled continuations of held-out clips: what came, what the model makes up, and what copying would show.

One frame foreseen with the truth before it is in `pictures`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from emurl_core.dynamics.model import Dynamics
from emurl_core.screen import EMULATOR_FPS, GRID_SHAPE, STEP_FRAMES, shades_to_rgb
from emurl_core.tokenizer.model import Tokenizer

_GAP_PX = 4
_GAP_RGB = (40, 90, 160)


@dataclass(frozen=True)
class Continuations:
    """Pictures `(n, frames, 144, 160) uint8` of n clips; all drawn through the tokenizer, so that what differs is foresight."""

    truth: np.ndarray
    model: np.ndarray
    copied: np.ndarray
    seen: int
    """How many of the first frames were shown to the model."""
    temperature: float


def continuations(model: Dynamics, tokenizer: Tokenizer, clips: torch.Tensor, seed: int) -> Continuations:
    """Go on from the first `context_frames` of clips `(n, context_frames + k, 90) int64`, at the config's temperature."""
    device = next(model.parameters()).device
    clips, seen = clips.to(device), model.config.context_frames
    context, ahead = clips[:, :seen], clips.shape[1] - seen
    generator = torch.Generator(device).manual_seed(seed)
    sampled = model.continuation(context, ahead, model.config.temperature, generator)
    still = context[:, -1:].expand(-1, ahead, -1)
    return Continuations(
        truth=_drawn(tokenizer, clips),
        model=_drawn(tokenizer, torch.cat([context, sampled], 1)),
        copied=_drawn(tokenizer, torch.cat([context, still], 1)),
        seen=seen,
        temperature=model.config.temperature,
    )


def draw_continuations(path: Path, drawn: Continuations) -> None:
    """A strip for each clip: truth over model over copy, time to the right."""
    clips, frames = drawn.truth.shape[:2]
    rows = [("truth", drawn.truth), ("model", drawn.model), ("copy", drawn.copied)]
    figure = Figure(figsize=(1.3 * frames + 0.6, 1.25 * 3 * clips + 0.5), layout="constrained")
    axes = figure.subplots(3 * clips, frames, squeeze=False)
    for clip in range(clips):
        for line, (label, pictures) in enumerate(rows):
            for frame in range(frames):
                axis = axes[3 * clip + line, frame]
                axis.imshow(shades_to_rgb(pictures[clip, frame]), interpolation="nearest")
                axis.set_xticks([])
                axis.set_yticks([])
            axes[3 * clip + line, 0].set_ylabel(label)
    for frame in range(frames):
        ahead = frame - drawn.seen + 1
        axes[0, frame].set_title("seen" if ahead <= 0 else f"t+{ahead}", fontsize=8)
    figure.suptitle(f"held-out clips, sampled at temperature {drawn.temperature:g}", fontsize=9)
    figure.savefig(path, dpi=90)


def animate_continuations(path: Path, drawn: Continuations) -> None:
    """A GIF at the frames' own pace: a row for each clip, from left to right truth, model and copy."""
    columns = [drawn.truth, drawn.model, drawn.copied]
    sheets = []
    for frame in range(drawn.truth.shape[1]):
        rows = [
            np.concatenate([_framed(c[clip, frame]) for c in columns], 1) for clip in range(len(drawn.truth))
        ]
        sheets.append(Image.fromarray(np.concatenate(rows, 0)))
    pause_ms = round(1000 * STEP_FRAMES / EMULATOR_FPS)
    sheets[0].save(path, save_all=True, append_images=sheets[1:], duration=pause_ms, loop=0)


def _framed(picture: np.ndarray) -> np.ndarray:
    sheet = np.full((picture.shape[0] + _GAP_PX, picture.shape[1] + _GAP_PX, 3), _GAP_RGB, dtype=np.uint8)
    sheet[: picture.shape[0], : picture.shape[1]] = shades_to_rgb(picture)
    return sheet


def _drawn(tokenizer: Tokenizer, tokens: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        logits = [tokenizer.decode_tokens(clip.unflatten(-1, GRID_SHAPE)).argmax(1) for clip in tokens]
    return torch.stack(logits).to(torch.uint8).cpu().numpy()
