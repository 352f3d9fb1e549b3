"""Convolutions between a frame and its 9×10 grid of latent vectors (van den Oord et al. 2017, arXiv:1711.00937).

Four stride-2 stages shrink 144×160 to 9×10. What turns latents into codes is in `quantisers`.
"""

import torch
from torch import nn

from emurl_core.screen import SHADES


class ResidualBlock(nn.Module):
    """x + 1×1(act(3×3(act(x)))): `(B, width, 9, 10) -> (B, width, 9, 10)`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Encoder(nn.Module):
    """`(B, 144, 160) uint8 shades -> (B, width, 9, 10) float`."""

    def __init__(self, channels: tuple[int, ...], residual_blocks: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((1, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.SiLU()]
        # The last activation goes: residual blocks begin with one of their own.
        layers.pop()
        layers += [ResidualBlock(channels[-1]) for _ in range(residual_blocks)]
        layers.append(nn.Conv2d(channels[-1], width, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        centred = frames.unsqueeze(1).float() / 1.5 - 1.0
        return self.layers(centred)


class Decoder(nn.Module):
    """`(B, width, 9, 10) float -> (B, 4, 144, 160) float logits of the four shades`."""

    def __init__(self, channels: tuple[int, ...], residual_blocks: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(width, channels[-1], 1)]
        layers += [ResidualBlock(channels[-1]) for _ in range(residual_blocks)]
        upward = tuple(reversed(channels))
        for before, after in zip(upward, (*upward[1:], SHADES), strict=True):
            layers += [nn.SiLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.layers(latents)
