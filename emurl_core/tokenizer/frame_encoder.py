"""The way inward: frames to codes. All that dynamics, reward and policy need of a tokenizer; `model` adds the way back."""

import torch
from torch import nn

from emurl_core.screen import GRID_SHAPE
from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.network import Encoder, PatchShortcut, silence
from emurl_core.tokenizer.pixels import Pixels, RgbPixels, ShadePixels
from emurl_core.tokenizer.quantisers import EmaQuantiser, FsqQuantiser, Quantiser


class FrameEncoder(nn.Module):
    """Frames to codes. Weights: `encoder.*`, `shortcut.*`, `quantiser.*`."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.pixels: Pixels = ShadePixels() if config.picture == "shades" else RgbPixels()
        self.encoder = Encoder(
            self.pixels.seen_channels, config.channels, config.residual_blocks, config.width
        )
        self.quantiser: Quantiser = (
            EmaQuantiser(config.codes, config.width, config.ema_decay, config.commitment, config.revive_after)
            if config.quantiser == "ema"
            else FsqQuantiser(config.fsq_levels, config.width)
        )
        self.shortcut: PatchShortcut | None = None
        if config.patch_shortcut:
            self.shortcut = PatchShortcut(config.width, self.pixels.drawn_channels, self.pixels.start_gain)
            # The convolutions start without a say, so that training begins at the shortcut and not below it.
            silence(self.encoder.out)

    @property
    def codebook(self) -> torch.Tensor:
        """The vector of each code: `(codes, width) float`."""
        return self.quantiser.codebook

    def latents(self, frames: torch.Tensor) -> torch.Tensor:
        """Unquantised vectors: `(B, 144, 160) uint8 in [0, 4) -> (B, 9, 10, width) float`."""
        latents = self.encoder(self.pixels.seen(frames))
        if self.shortcut is not None:
            latents = latents + self.shortcut.inward(self.pixels.values(frames))
        return latents.permute(0, 2, 3, 1)

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """`(B, 144, 160) uint8 in [0, 4) -> (B, 9, 10) int64 in [0, codes)`."""
        return self.quantiser.codes(self.latents(frames).flatten(0, 2)).unflatten(0, (-1, *GRID_SHAPE))
