"""How well the next frame is foreseen, on clips of speedruns the model never saw."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from emurl_core.dynamics.baselines import TokenTables
from emurl_core.dynamics.model import Dynamics, DynamicsConfig
from emurl_core.screen import TOKENS
from emurl_core.tokenizer.screens import SCREEN_TYPES
from emurl_core.training import Demand, verdict

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


def metrics_by_screen(
    model: Dynamics, tables: TokenTables, clips: torch.Tensor, types: np.ndarray
) -> dict[str, float]:
    """All metrics of model and tables, under `test/`; and under `test/<type>/` over the clips whose last frame is of a type.

    `clips (n, context_frames + 1, 90) int64`, `types (n,) int64`: indices into `SCREEN_TYPES`.
    """
    found: dict[str, float] = {}
    parts = {"test/": np.ones(len(clips), bool)}
    parts |= {f"test/{name}/": types == i for i, name in enumerate(SCREEN_TYPES)}
    for prefix, chosen in parts.items():
        if chosen.any():
            some = clips[torch.from_numpy(chosen)]
            found |= prediction_metrics(model, some, prefix)
            found |= tables.metrics(some[:, -2].numpy(), some[:, -1].numpy(), prefix)
            found[f"{prefix}clips"] = float(len(some))
    return found


def gate(config: DynamicsConfig, metrics: Mapping[str, float]) -> dict[str, Any]:
    """The facts `gate`, `gate_passed` and `gate_missed`."""
    rival = min(metrics["test/copy_mix_bits_per_frame"], metrics["test/bigram_bits_per_frame"])
    copied, changed = metrics["test/copy_accuracy"], metrics["test/bigram_accuracy_changed"]
    return verdict(
        [
            Demand(
                "test/bits_per_frame",
                metrics["test/bits_per_frame"],
                config.gate_bits_share * rival,
                at_most=True,
            ),
            Demand("test/accuracy", metrics["test/accuracy"], copied + config.gate_over_copy),
            Demand(
                "test/accuracy_changed",
                metrics["test/accuracy_changed"],
                changed + config.gate_changed_over_bigram,
            ),
        ]
    )
