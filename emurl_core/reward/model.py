"""The reward model: a frame's score, the loss that teaches it to rank, and calibrated progress.

Bradley–Terry (Bradley & Terry 1952; as a reward from ordered pairs, Christiano et al. 2017,
https://arxiv.org/abs/1706.03741): the later of two frames of a speedrun is ahead with probability
sigmoid(score(later) − score(earlier)). Which pairs it sees is in `pairs`; what a score is worth, in `calibration`.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from emurl_core.reward.augment import augment
from emurl_core.reward.calibration import Calibration
from emurl_core.reward.resnet import ResNet34
from emurl_core.screen import SHADE_TO_GREY
from emurl_core.training import Batch, FitConfig, Losses, Trainable

# Mean and deviation of grey over ImageNet: where weights from there expect their input.
GREY_MEAN = 0.449
GREY_DEVIATION = 0.226


class RewardConfig(FitConfig):
    """The reward model: what ranks frames, which pairs it learns from, and when it is good enough."""

    variant: Literal["resnet"] = "resnet"
    """What scores a frame. `resnet`: ResNet-34, Bradley–Terry on pairs."""
    width: int = Field(64, ge=1)
    """Channels of the ResNet's first stage; 64 is the published ResNet-34."""
    downsample: Literal[1, 2, 4] = 1
    """Average squares of so many pixels first; 2 is a quarter of the work, for machines without a GPU."""
    weights_file: str = ""
    """Safetensors file with torchvision's ResNet-34 names to start from; empty starts from random weights."""
    batch_size: int = Field(64, ge=1)
    """Pairs in one step; each is two frames."""
    log_gap_share: float = Field(0.5, ge=0, le=1)
    """Share of pairs whose distance in time is log-uniform; the others are uniform over the run."""
    soften_frames: float = Field(8.0, ge=0)
    """Distance in frames (two a second) at which the doubt that later means further has shrunk to 1/e; 0: no doubt."""
    max_shift_px: int = Field(4, ge=0, le=32)
    """Frames are shifted by up to this many pixels in training."""
    shade_noise: float = Field(0.02, ge=0, le=1)
    """Share of pixels that get a random shade in training."""
    validation_frames: int = Field(4096, ge=2)
    """Frames of the validation runs, evenly thinned, that each look during training scores."""
    gate_kendall_tau: float = Field(0.65, ge=-1, le=1)
    """Lowest median Kendall τ on test speedruns that a policy may be built on."""


class GreyResNet(nn.Module):
    """Shades through ResNet-34: `(B, 144, 160) uint8 in [0, 4) -> (B,) float`."""

    grey: Tensor

    def __init__(self, config: RewardConfig) -> None:
        super().__init__()
        grey = (torch.from_numpy(SHADE_TO_GREY).float() / 255 - GREY_MEAN) / GREY_DEVIATION
        self.register_buffer("grey", grey, persistent=False)
        self.net = ResNet34(config.width)
        self._downsample = config.downsample

    def forward(self, frames: Tensor) -> Tensor:
        grey = self.grey[frames.long()]
        if self._downsample > 1:
            grey = nn.functional.avg_pool2d(grey[:, None], self._downsample)[:, 0]
        return self.net(grey)


class RewardModel(Trainable):
    """A scorer of frames and the curve that turns scores into progress. Random until trained or loaded."""

    def __init__(self, config: RewardConfig) -> None:
        super().__init__()
        self.config = config
        self.scorer = GreyResNet(config)
        self.calibration = Calibration()

    def forward(self, frames: Tensor) -> Tensor:
        """Differentiable raw score: `(B, 144, 160) uint8 in [0, 4) -> (B,) float32`."""
        return self.scorer(frames).float()

    @torch.no_grad()
    def score(self, frames: Tensor) -> Tensor:
        """Raw score, of no unit: `(B, 144, 160) uint8 in [0, 4) -> (B,) float32`."""
        return self(frames)

    @torch.no_grad()
    def progress(self, frames: Tensor) -> Tensor:
        """Share of the run that lies behind each frame: `(B, 144, 160) uint8 in [0, 4) -> (B,) float32 in [0, 1]`."""
        return self.calibration(self(frames))

    def loss(self, batch: Batch) -> Losses:
        """Bradley–Terry loss of a batch of pairs.

        `earlier, later (B, 144, 160) uint8`, `label (B,) float32 in [0.5, 1]`: how sure to be that the later one is ahead.
        """
        frames = torch.cat([batch["earlier"], batch["later"]])
        if self.training:
            frames = augment(frames, self.config.max_shift_px, self.config.shade_noise)
        # One forward pass for both: in two, each batch would be normalised by its own statistics, and batch norm would
        # tell the earlier frames from the later ones.
        earlier, later = self(frames).chunk(2)
        loss = bradley_terry_loss(earlier, later, batch["label"])
        return loss, {"pairwise_accuracy": (later > earlier).float().mean().detach()}


def bradley_terry_loss(earlier: Tensor, later: Tensor, label: Tensor) -> Tensor:
    """Mean cross-entropy of "the later one is ahead": scores `(B,) float`, label `(B,) float in [0.5, 1]` -> scalar."""
    return nn.functional.binary_cross_entropy_with_logits(later - earlier, label)
