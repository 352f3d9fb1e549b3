"""How well the next frame is foreseen, on clips of speedruns the model never saw."""

import math

import torch
from torch.nn.functional import cross_entropy

from emurl_core.dynamics.model import Dynamics
from emurl_core.screen import TOKENS

CHUNK_CLIPS = 32


@torch.no_grad()
def prediction_metrics(model: Dynamics, clips: torch.Tensor, prefix: str) -> dict[str, float]:
    """Of the last frame of each clip, `(n, context_frames + 1, 90) int64`, teacher-forced.

    `accuracy` and `accuracy_changed` are shares in [0, 1]; `accuracy_changed` is over tokens that differ from one frame
    before, NaN-free: 0 when there are none.
    """
    device = next(model.parameters()).device
    model.eval()
    nats, right, right_changed, changed = 0.0, 0, 0, 0
    for part in clips.split(CHUNK_CLIPS):
        part = part.to(device)
        logits, target = model.logits(part)[:, -1].float(), part[:, -1]
        moved = target != part[:, -2]
        hit = logits.argmax(-1) == target
        nats += float(cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum"))
        right += int(hit.sum())
        right_changed += int((hit & moved).sum())
        changed += int(moved.sum())
    tokens = len(clips) * TOKENS
    return {
        f"{prefix}bits_per_frame": nats / len(clips) / math.log(2),
        f"{prefix}accuracy": right / tokens,
        f"{prefix}accuracy_changed": right_changed / max(1, changed),
    }
