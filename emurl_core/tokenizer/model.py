"""The tokenizer: a vector-quantised autoencoder from a frame to 90 codes and back.

How it is trained is in `training`, how well it does in `quality`.
"""

import hashlib
import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch.nn.functional import cross_entropy

from emurl_core.screen import GRID_SHAPE
from emurl_core.tokenizer.network import Decoder, Encoder, PatchShortcut
from emurl_core.tokenizer.quantisers import EmaQuantiser, FsqQuantiser, Quantiser
from emurl_core.training import Batch, FitConfig, Losses, Trainable


class TokenizerConfig(FitConfig):
    """Size and training of the tokenizer."""

    channels: tuple[int, int, int, int] = (64, 128, 192, 192)
    """Channels after each of the four halvings."""
    residual_blocks: int = Field(2, ge=0)
    """Residual blocks at 9×10, on either side."""
    width: int = Field(192, ge=1)
    """Length of a code's vector."""
    patch_shortcut: bool = True
    """Carry each patch by a linear map beside the convolutions, started from the patches' principal components."""
    codes: int = Field(512, ge=2)
    """Size of the codebook."""
    quantiser: Literal["ema", "fsq"] = "ema"
    """`ema`: averaged codebook with k-means start and revival. `fsq`: rounding, which needs neither."""
    fsq_levels: tuple[int, ...] = (8, 8, 8)
    """Levels of each rounded dimension; their product is the number of codes."""
    ema_decay: float = Field(0.99, gt=0, lt=1)
    """Share of a code's running mean that survives a batch."""
    commitment: float = Field(0.25, ge=0)
    """Weight of the pull of latents towards their codes."""
    unquantised_steps: int = Field(200, ge=0)
    """Steps at the start that train a plain autoencoder; k-means over its latents then starts the codebook."""
    revive_after: int = Field(25, ge=1)
    """Batches without use after which a code moves onto a live latent."""
    emulator_share: float = Field(0.15, ge=0, lt=1)
    """Share of each batch drawn from emulator frames of random play, when a game is given: video frames come at any
    scroll phase, an agent's mostly aligned."""
    emulator_frames: int = Field(2000, ge=1)
    """Emulator frames collected for that."""
    evaluated_frames: int = Field(4096, ge=1)
    """Held-out frames, evenly spaced, that the metrics are taken on at most."""
    learning_rate: float = Field(6e-4, gt=0)
    """AdamW's step size at its peak, after the warm-up."""

    @model_validator(mode="after")
    def _levels_fit_codes(self) -> "TokenizerConfig":
        if self.quantiser == "fsq" and math.prod(self.fsq_levels) != self.codes:
            raise ValueError(
                f"found fsq_levels={self.fsq_levels} with product {math.prod(self.fsq_levels)}, expected "
                f"codes={self.codes}; change one of them"
            )
        return self


class Tokenizer(Trainable):
    """Frames to codes and back. Weights: `encoder.*`, `shortcut.*`, `quantiser.*`, `decoder.*`."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.channels, config.residual_blocks, config.width)
        self.quantiser: Quantiser = (
            EmaQuantiser(config.codes, config.width, config.ema_decay, config.commitment, config.revive_after)
            if config.quantiser == "ema"
            else FsqQuantiser(config.fsq_levels, config.width)
        )
        self.decoder = Decoder(config.channels, config.residual_blocks, config.width)
        self.shortcut = PatchShortcut(config.width) if config.patch_shortcut else None
        if self.shortcut is not None:
            # The convolutions start small, so that at first the shortcut is what is seen.
            for last in (self.encoder.out, self.decoder.out):
                last.weight.data.mul_(0.1)

    @property
    def codebook(self) -> torch.Tensor:
        """The vector of each code: `(codes, width) float`."""
        return self.quantiser.codebook

    def latents(self, frames: torch.Tensor) -> torch.Tensor:
        """Unquantised vectors: `(B, 144, 160) uint8 in [0, 4) -> (B, 9, 10, width) float`."""
        latents = self.encoder(frames)
        if self.shortcut is not None:
            latents = latents + self.shortcut.inward(frames)
        return latents.permute(0, 2, 3, 1)

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """`(B, 144, 160) uint8 in [0, 4) -> (B, 9, 10) int64 in [0, codes)`."""
        return self.quantiser.codes(self.latents(frames).flatten(0, 2)).unflatten(0, (-1, *GRID_SHAPE))

    def decode_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """`(B, 9, 10) int64 -> (B, 4, 144, 160) float logits of the shades`."""
        return self._drawn(self.codebook[tokens])

    def reconstruct(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames drawn from their own tokens: `(B, 144, 160) uint8 -> (B, 144, 160) uint8`."""
        return self.decode_tokens(self.encode(frames)).argmax(1).to(torch.uint8)

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy of the four shades, in nats a pixel, plus the quantiser's own loss."""
        frames = batch["frames"]
        latents = self.latents(frames).flatten(0, 2)
        vectors, codes, tie = self.quantiser(latents)
        logits = self._drawn(vectors.unflatten(0, (-1, *GRID_SHAPE))).float()
        shades = cross_entropy(logits, frames.long())
        with torch.no_grad():
            exact = (logits.argmax(1) == frames).float().mean()
        return shades + tie, {
            "shades": shades.detach(),
            "tie": tie.detach(),
            "exact_shade_accuracy": exact,
            "perplexity": perplexity(codes, len(self.codebook)),
        }

    def _drawn(self, vectors: torch.Tensor) -> torch.Tensor:
        latents = vectors.permute(0, 3, 1, 2)
        logits = self.decoder(latents)
        return logits if self.shortcut is None else logits + self.shortcut.outward(latents)


def perplexity(codes: torch.Tensor, size: int) -> torch.Tensor:
    """Effective number of codes in use, in [1, size]: the exponential of the codes' entropy."""
    share = torch.bincount(codes.flatten(), minlength=size).float() / codes.numel()
    return torch.exp(-(share * share.clamp_min(1e-12).log()).sum())


def codebook_sha256(tokenizer: Tokenizer) -> str:
    """What a token means rests on the way inward and the codebook: the hash names both. Hex, 64 digits.

    The decoder takes no part: it only draws.
    """
    digest = hashlib.sha256()
    state = tokenizer.state_dict()
    for name in sorted(n for n in state if not n.startswith("decoder.")):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
