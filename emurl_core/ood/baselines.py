"""What the detector has to beat: how badly a frame is redrawn, how far it is from the codebook, how rare its codes are."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emurl_core.screen import GRID_SHAPE
from emurl_core.tokenizer import Tokenizer

_CHUNK = 64


@dataclass(frozen=True)
class Misfit:
    """How badly frames fit the tokenizer, and the tokens they got.

    Attributes:
        tokens: `(N, 90) int64`.
        reconstruction: `(N,) float32`, share of pixels that come back in another shade.
        quantisation: `(N,) float32`, mean squared distance of the latents from their codes.
    """

    tokens: Tensor
    reconstruction: np.ndarray
    quantisation: np.ndarray


@torch.no_grad()
def misfit(tokenizer: Tokenizer, frames: Tensor) -> Misfit:
    """Through the tokenizer and back: `(N, 144, 160) uint8 in [0, 4)`."""
    tokens, wrong, distance = [], [], []
    for chunk in frames.split(_CHUNK):
        shown = chunk.to(tokenizer.codebook.device)
        latents = tokenizer.latents(shown)
        codes = tokenizer.quantiser.codes(latents.flatten(0, 2)).unflatten(0, (-1, *GRID_SHAPE))
        drawn = tokenizer.decode_tokens(codes).argmax(1)
        tokens.append(codes.flatten(1).cpu())
        wrong.append((drawn != shown).float().mean((1, 2)).cpu())
        distance.append((latents - tokenizer.codebook[codes]).square().mean((1, 2, 3)).cpu())
    return Misfit(torch.cat(tokens), torch.cat(wrong).numpy(), torch.cat(distance).float().numpy())


def rarity(training: Tensor, tokens: Tensor, codes: int) -> np.ndarray:
    """Mean surprise of a frame's codes under how often training speedruns show them, in nats a token.

    `(M, 90) integer, (N, 90) integer -> (N,) float32`.
    """
    counts = torch.bincount(training.flatten(), minlength=codes).double() + 1
    nats = -(counts / counts.sum()).log().float()
    return nats[tokens.long().cpu()].mean(1).numpy()
