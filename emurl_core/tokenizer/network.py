"""Convolutions between a frame and its 9×10 grid of latent vectors (van den Oord et al. 2017, arXiv:1711.00937).

Four stride-2 stages shrink 144×160 to 9×10. Beside them, a linear shortcut carries each 16×16 patch on its own: the patches'
principal components make an untrained tokenizer as good as patch k-means, and what the convolutions learn comes on top. What
turns latents into codes is in `quantisers`, what a pixel is in `pixels`.
"""

from collections.abc import Iterable
from itertools import pairwise

import torch
from einops import rearrange
from torch import nn

from emurl_core.screen import PATCH_PX


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
    """`(B, seen, 144, 160) float in [-1, 1] -> (B, width, 9, 10) float`."""

    def __init__(self, seen: int, channels: tuple[int, ...], residual_blocks: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((seen, *channels)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.SiLU()]
        # The last activation goes: residual blocks begin with one of their own.
        layers.pop()
        layers += [ResidualBlock(channels[-1]) for _ in range(residual_blocks)]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(channels[-1], width, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.out(self.layers(pictures))


class Decoder(nn.Module):
    """`(B, width, 9, 10) float -> (B, drawn, 144, 160) float`."""

    def __init__(self, drawn: int, channels: tuple[int, ...], residual_blocks: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(width, channels[-1], 1)]
        layers += [ResidualBlock(channels[-1]) for _ in range(residual_blocks)]
        upward = tuple(reversed(channels))
        for before, after in pairwise(upward):
            layers += [nn.SiLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers, nn.SiLU())
        self.out = nn.ConvTranspose2d(channels[0], drawn, 4, stride=2, padding=1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.out(self.layers(latents))


def silence(last: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Let a last layer start at zero: what comes before it has no say until it has learnt something."""
    for parameter in last.parameters():
        nn.init.zeros_(parameter)


class PatchShortcut(nn.Module):
    """A fixed linear map inward and, transposed, outward, patch by patch: the principal components of training patches.

    It is not learnt: the codes keep their meaning while the convolutions find what to add. With shades a pixel is four
    numbers of which one is 1; so a code that stands for many patches is drawn in the shade that most of them have at each
    pixel, and not in a mean shade that none of them may have.

    Args:
        width: length of a latent vector.
        channels: numbers a pixel is drawn by.
        gain: of the drawing, see `Pixels.start_gain`.
    """

    def __init__(self, width: int, channels: int, gain: float) -> None:
        super().__init__()
        numbers = PATCH_PX * PATCH_PX * channels
        self.channels, self.gain = channels, gain
        self.mean: torch.Tensor
        self.basis: torch.Tensor
        self.register_buffer("mean", torch.full((numbers,), 1 / channels))
        self.register_buffer("basis", torch.randn(numbers, width) / numbers**0.5)

    @torch.no_grad()
    def start(self, patches: Iterable[torch.Tensor], weights: torch.Tensor) -> None:
        """Take the mean and the principal components of patches, which come in parts `(m, 256, channels) float`.

        Args:
            weights: how often each patch counts, `(M,)` over all parts.
        """
        # Sums, part by part: a million patches as doubles would fill the memory.
        numbers, begin = len(self.mean), 0
        share = (weights / weights.sum()).double()
        mean = torch.zeros(numbers, dtype=torch.float64)
        square = torch.zeros(numbers, numbers, dtype=torch.float64)
        for part in patches:
            values = part.flatten(1).double().cpu()
            own = share[begin : begin + len(values)]
            mean += own @ values
            square += (values * own[:, None]).T @ values
            begin += len(values)
        _, vectors = torch.linalg.eigh(square - torch.outer(mean, mean))
        strongest = vectors.flip(1)[:, : self.basis.shape[1]]
        self.basis.zero_()
        self.basis[:, : strongest.shape[1]] = strongest.float()
        self.mean.copy_(mean.float())

    def inward(self, values: torch.Tensor) -> torch.Tensor:
        """`(B, 144, 160, channels) float -> (B, width, 9, 10) float`."""
        # In float32 whatever the autocast says: a frame's codes must not depend on the training's precision.
        with torch.autocast(values.device.type, enabled=False):
            patches = rearrange(values, "b (h y) (w x) c -> b h w (y x c)", y=PATCH_PX, x=PATCH_PX)
            return ((patches - self.mean) @ self.basis).permute(0, 3, 1, 2)

    def outward(self, latents: torch.Tensor) -> torch.Tensor:
        """`(B, width, 9, 10) float -> (B, channels, 144, 160) float`."""
        patches = self.gain * (latents.permute(0, 2, 3, 1) @ self.basis.T + self.mean)
        return rearrange(patches, "b h w (y x c) -> b c (h y) (w x)", y=PATCH_PX, x=PATCH_PX, c=self.channels)
