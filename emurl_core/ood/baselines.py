"""What the detector has to beat: how badly a frame is redrawn, and how rare its codes are."""

import numpy as np
import torch
from torch import Tensor

from emurl_core.screen import GRID_SHAPE
from emurl_core.tokenizer import Tokenizer

_CHUNK = 128


@torch.no_grad()
def reconstruction_error(tokenizer: Tokenizer, frames: Tensor, tokens: Tensor) -> np.ndarray:
    """Share of pixels that come back in another shade: `(N, 144, 160) uint8, (N, 90) int64 -> (N,) float32`."""
    found = []
    for start in range(0, len(frames), _CHUNK):
        codes = tokens[start : start + _CHUNK].to(tokenizer.codebook.device).unflatten(1, GRID_SHAPE)
        drawn = tokenizer.decode_tokens(codes).argmax(1).cpu()
        found.append((drawn != frames[start : start + _CHUNK]).float().mean((1, 2)))
    return torch.cat(found).numpy()


def rarity(training: Tensor, tokens: Tensor, codes: int) -> np.ndarray:
    """Mean surprise of a frame's codes under how often training speedruns show them, in nats a token.

    `(M, 90) integer, (N, 90) integer -> (N,) float32`.
    """
    counts = torch.bincount(training.flatten(), minlength=codes).double() + 1
    nats = -(counts / counts.sum()).log().float()
    return nats[tokens.long().cpu()].mean(1).numpy()
