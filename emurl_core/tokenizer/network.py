"""Convolutions between a frame and its 9×10 grid of latent vectors (van den Oord et al. 2017, arXiv:1711.00937).

Four stride-2 stages shrink 144×160 to 9×10. Beside them, a linear shortcut carries each 16×16 patch on its own: started as
the patches' principal components, it makes an untrained tokenizer about as good as patch k-means, and what the convolutions
learn comes on top. What turns latents into codes is in `quantisers`.
"""

from itertools import pairwise

import numpy as np
import torch
from einops import rearrange
from torch import nn

from emurl_core.screen import PATCH_PX, SHADES


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
        for before, after in pairwise((1, *channels)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.SiLU()]
        # The last activation goes: residual blocks begin with one of their own.
        layers.pop()
        layers += [ResidualBlock(channels[-1]) for _ in range(residual_blocks)]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(channels[-1], width, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        centred = frames.unsqueeze(1).float() / 1.5 - 1.0
        return self.out(self.layers(centred))


class Decoder(nn.Module):
    """`(B, width, 9, 10) float -> (B, 4, 144, 160) float logits of the four shades`."""

    def __init__(self, channels: tuple[int, ...], residual_blocks: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(width, channels[-1], 1)]
        layers += [ResidualBlock(channels[-1]) for _ in range(residual_blocks)]
        upward = tuple(reversed(channels))
        for before, after in pairwise(upward):
            layers += [nn.SiLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers, nn.SiLU())
        self.out = nn.ConvTranspose2d(channels[0], SHADES, 4, stride=2, padding=1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.out(self.layers(latents))


class PatchShortcut(nn.Module):
    """The same linear map inward and, transposed, outward, patch by patch.

    Outward it gives a value on the scale of shades for each pixel; a shade's logit falls with its squared distance.
    """

    START_SHARPNESS = 4.0

    def __init__(self, width: int) -> None:
        super().__init__()
        pixels = PATCH_PX * PATCH_PX
        self.mean = nn.Parameter(torch.full((pixels,), (SHADES - 1) / 2))
        self.basis = nn.Parameter(torch.randn(pixels, width) / pixels**0.5)
        self.sharpness = nn.Parameter(torch.tensor(self.START_SHARPNESS))

    @torch.no_grad()
    def start(self, patches: np.ndarray) -> None:
        """Take the mean and the principal components of training patches `(N, 256) uint8`."""
        values = patches.astype(np.float64)
        mean = values.mean(0)
        _, vectors = np.linalg.eigh((values - mean).T @ (values - mean))
        width = self.basis.shape[1]
        strongest = vectors[:, ::-1][:, :width]
        self.basis.zero_()
        self.basis[:, : strongest.shape[1]] = torch.from_numpy(strongest.copy()).float()
        self.mean.copy_(torch.from_numpy(mean).float())

    def inward(self, frames: torch.Tensor) -> torch.Tensor:
        """`(B, 144, 160) uint8 -> (B, width, 9, 10) float`."""
        patches = rearrange(frames, "b (h y) (w x) -> b h w (y x)", y=PATCH_PX, x=PATCH_PX).float()
        return ((patches - self.mean) @ self.basis).permute(0, 3, 1, 2)

    def outward(self, latents: torch.Tensor) -> torch.Tensor:
        """`(B, width, 9, 10) float -> (B, 4, 144, 160) float logits`."""
        patches = latents.permute(0, 2, 3, 1) @ self.basis.T + self.mean
        values = rearrange(patches, "b h w (y x) -> b 1 (h y) (w x)", y=PATCH_PX, x=PATCH_PX)
        shades = torch.arange(SHADES, device=values.device, dtype=values.dtype).view(1, -1, 1, 1)
        # −sharpness/2·(value − shade)², less the part that is the same for all shades.
        return self.sharpness * (values * shades - shades.square() / 2)
