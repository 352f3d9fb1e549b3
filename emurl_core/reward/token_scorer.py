"""Scores a frame by its tokens: the vectors of the codes, on their 9×10 grid, through a few convolutions.

The tokenizer stays as it is. Its codebook is not among the weights here: it comes with the tokenizer, which must be the one
that was trained on (`load_reward` sees to that).
"""

import torch
from torch import Tensor, nn

from emurl_core.reward.augment import augment_tokens
from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.scorers import Scorer
from emurl_core.screen import GRID_SHAPE

_GROUPS = 4


class TokenScorer(Scorer):
    """`(B, 9, 10) integer in [0, codes) -> (B, 1) float`.

    Args:
        codebook: `(codes, C) float`.
    """

    codebook: Tensor

    def __init__(self, config: RewardConfig, codebook: Tensor) -> None:
        super().__init__()
        self.register_buffer("codebook", even(codebook), persistent=False)
        self.net = GridNet(codebook.shape[1], config.token_width, self.features)
        self._noise = config.token_noise

    def embed(self, seen: Tensor) -> Tensor:
        return self.net(self.codebook[seen.long()].permute(0, 3, 1, 2))

    def augmented(self, windows: Tensor) -> Tensor:
        return augment_tokens(windows, len(self.codebook), self._noise)


class GridNet(nn.Module):
    """Code vectors on their grid to a few numbers: `(B, C, 9, 10) float -> (B, out) float`."""

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__()
        small = [-(-side // 2) for side in GRID_SHAPE]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            _norm(width),
            nn.GELU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            _norm(2 * width),
            nn.GELU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            _norm(2 * width),
            nn.GELU(),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.out = nn.Linear(2 * width * small[0] * small[1], out)

    def forward(self, grid: Tensor) -> Tensor:
        flat = self.layers(grid)
        with torch.autocast(flat.device.type, enabled=False):  # as in `resnet`
            return self.out(flat.float())


def even(codebook: Tensor) -> Tensor:
    """The codebook with mean 0 and deviation 1 in all its numbers together, whatever the tokenizer's scale."""
    codebook = codebook.detach().float().clone()
    return (codebook - codebook.mean()) / codebook.std().clamp_min(1e-6)


def _norm(channels: int) -> nn.GroupNorm:
    # No batch norm: a window's frames are alike, and statistics over them would say so.
    return nn.GroupNorm(next(g for g in (_GROUPS, 2, 1) if channels % g == 0), channels)
