"""Scores a frame by its pixels: shades as grey through ResNet-34. For the variants `resnet` and `global`."""

import torch
from torch import Tensor, nn

from emurl_core.reward.augment import augment
from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.resnet import ResNet34
from emurl_core.reward.scorers import Scorer
from emurl_core.screen import SHADE_TO_GREY

# Mean and deviation of grey over ImageNet: where weights from there expect their input.
GREY_MEAN = 0.449
GREY_DEVIATION = 0.226


class PixelScorer(Scorer):
    """`(B, 144, 160) uint8 in [0, 4) -> (B, 1) float`."""

    grey: Tensor

    def __init__(self, config: RewardConfig) -> None:
        super().__init__()
        grey = (torch.from_numpy(SHADE_TO_GREY).float() / 255 - GREY_MEAN) / GREY_DEVIATION
        self.register_buffer("grey", grey, persistent=False)
        self.net = ResNet34(config.width)
        self._downsample = config.downsample
        self._max_shift_px, self._shade_noise = config.max_shift_px, config.shade_noise

    def embed(self, seen: Tensor) -> Tensor:
        grey = self.grey[seen.long()]
        if self._downsample > 1:
            grey = nn.functional.avg_pool2d(grey[:, None], self._downsample)[:, 0]
        return self.net(grey)[:, None]

    def augmented(self, windows: Tensor) -> Tensor:
        return augment(windows, self._max_shift_px, self._shade_noise)
