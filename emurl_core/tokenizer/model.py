"""The tokenizer: a vector-quantised autoencoder from a frame to 90 codes and back.

The way inward alone is in `frame_encoder`; how it is trained in `training`, how well it does in `quality`.
"""

import hashlib

import torch

from emurl_core.screen import GRID_SHAPE
from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.frame_encoder import FrameEncoder
from emurl_core.tokenizer.network import Decoder, silence
from emurl_core.training import Batch, Losses, Trainable


class Tokenizer(FrameEncoder, Trainable):
    """Frames to codes and back. Weights: those of `FrameEncoder`, and `decoder.*`."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__(config)
        self.decoder = Decoder(
            self.pixels.drawn_channels, config.channels, config.residual_blocks, config.width
        )
        if self.shortcut is not None:
            silence(self.decoder.out)

    def decode_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """`(B, 9, 10) int64 -> (B, 4, 144, 160) float logits of the shades`."""
        return self.pixels.logits(self._drawn(self.codebook[tokens]))

    def reconstruct(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames drawn from their own tokens: `(B, 144, 160) uint8 -> (B, 144, 160) uint8`."""
        return self.decode_tokens(self.encode(frames)).argmax(1).to(torch.uint8)

    def loss(self, batch: Batch) -> Losses:
        """How far the drawing is from `batch["frames"]` (see `pixels`), plus the quantiser's own loss."""
        frames = batch["frames"]
        latents = self.latents(frames).flatten(0, 2)
        vectors, codes, tie = self.quantiser(latents)
        drawing = self._drawn(vectors.unflatten(0, (-1, *GRID_SHAPE))).float()
        picture = self.pixels.loss(drawing, frames)
        with torch.no_grad():
            exact = (self.pixels.logits(drawing).argmax(1) == frames).float().mean()
        return picture + tie, {
            "picture": picture.detach(),
            "tie": tie.detach(),
            "exact_shade_accuracy": exact,
            "perplexity": perplexity(codes, len(self.codebook)),
        }

    def _drawn(self, vectors: torch.Tensor) -> torch.Tensor:
        latents = vectors.permute(0, 3, 1, 2)
        drawing = self.decoder(latents)
        return drawing if self.shortcut is None else drawing + self.shortcut.outward(latents)


def perplexity(codes: torch.Tensor, size: int) -> torch.Tensor:
    """Effective number of codes in use, in [1, size]: the exponential of the codes' entropy."""
    share = torch.bincount(codes.flatten(), minlength=size).float() / codes.numel()
    return torch.exp(-(share * share.clamp_min(1e-12).log()).sum())


def codebook_sha256(tokenizer: FrameEncoder) -> str:
    """What a token means rests on the way inward and the codebook: the hash names both. Hex, 64 digits.

    The decoder takes no part: it only draws.
    """
    digest = hashlib.sha256()
    state = tokenizer.state_dict()
    for name in sorted(n for n in state if not n.startswith("decoder.")):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
