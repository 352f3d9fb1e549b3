"""How badly the dynamics model foresaw a frame from the one before it."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from emurl_core.dynamics import Dynamics

_CHUNK = 64


@torch.no_grad()
def surprise_bits(dynamics: Dynamics, before: Tensor, after: Tensor) -> Tensor:
    """Bits to tell the frame `after` when `before` is known: twice `(B, 90) integer -> (B,) float32`."""
    found = []
    for start in range(0, len(after), _CHUNK):
        clip = torch.stack([before[start : start + _CHUNK], after[start : start + _CHUNK]], 1).long()
        logits = dynamics.logits(clip)[:, 0].float()
        nats = cross_entropy(logits.flatten(0, 1), clip[:, 1].flatten(), reduction="none")
        found.append(nats.view(len(clip), -1).sum(1) / math.log(2))
    return torch.cat(found) if found else torch.zeros(0)


def trailing_median(values: Tensor, window: int) -> Tensor:
    """Median over the newest `window` values up to each: `(N,) in time order -> (N,)`; fewer at the beginning."""
    return torch.stack([values[max(0, i + 1 - window) : i + 1].median() for i in range(len(values))])
