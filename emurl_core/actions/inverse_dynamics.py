"""The inverse-dynamics model: which button was held between two frames, seen from the frames around them, later ones too.

Looking ahead makes this far easier than playing (VPT, Baker et al. 2022, arXiv:2206.11795): what a press did is on the screen.
It reads pixels, not tokens: one pixel of motion tells a direction. Its training stage is `inverse_training`.
"""

import torch
from einops import rearrange
from pydantic import Field
from torch import nn
from torch.nn.functional import cross_entropy

from emurl_core.actions.classes import CLASSES, NONE
from emurl_core.actions.rollouts import RolloutConfig
from emurl_core.training import Batch, FitConfig, Losses, Trainable


class InverseDynamicsConfig(RolloutConfig, FitConfig):
    """Rollouts, size and training of the inverse-dynamics model."""

    steps: int = Field(6_000, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(16, ge=1)
    """Windows in one step."""
    learning_rate: float = Field(1e-3, gt=0)
    """AdamW's step size at its peak, after the warm-up."""
    validate_every: int = Field(500, ge=0)
    """Steps between two looks at held-out rollouts; 0 never looks and keeps the last weights."""
    window_frames: int = Field(32, ge=4)
    """Consecutive frames that are learnt from together."""
    channels: tuple[int, int, int] = (32, 64, 64)
    """Channels of the three convolutions over a pair of frames."""
    width: int = Field(128, ge=1)
    """Length of the vector of a pair of frames."""
    noise: float = Field(0.004, ge=0, le=0.5)
    """Share of pixels, at most, that are drawn a shade off in training: no video is read without error."""
    gate_accuracy_gain: float = Field(0.1, ge=-1, le=1)
    """The model passes its gate when its accuracy on held-out rollouts is above the best baseline's by this much …"""
    gate_pressed_accuracy: float = Field(0.5, ge=0, le=1)
    """… and it names this share of the presses rightly."""


class InverseDynamics(Trainable):
    """Frames in order to classes of the intervals between them.

    Weights: `eyes.*` (convolutions over pairs of frames), `pair.*`, `around.*` (convolutions over time), `head.*`.
    """

    reach = 6
    """Intervals before and after one that its class is read off."""

    def __init__(self, config: InverseDynamicsConfig) -> None:
        super().__init__()
        self.config = config
        a, b, c = config.channels
        self.eyes = nn.Sequential(
            nn.Conv2d(3, a, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(a, b, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, 12, 1),
            nn.ReLU(),
        )
        self.pair = nn.Linear(12 * 9 * 10, config.width)
        self.around = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 5, padding=2 * d, dilation=d) for d in (1, 2)
        )
        self.head = nn.Linear(config.width, CLASSES)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """`(B, F, 144, 160) uint8 in [0, 4) -> (B, F - 1, 9) float32` logits of the interval after each frame but the last."""
        # Half the size: what moves, moves by pixels enough, and it is a quarter of the work.
        corners = [frames[..., y::2, x::2] for y in (0, 1) for x in (0, 1)]
        seen = (corners[0] + corners[1] + corners[2] + corners[3]).to(self.head.weight.dtype) / 12
        before, after = seen[:, :-1], seen[:, 1:]
        pairs = torch.stack([before, after, after - before], 2)
        x = self.eyes(rearrange(pairs, "b f c h w -> (b f) c h w"))
        x = torch.relu(self.pair(x.flatten(1)))
        x = rearrange(x, "(b f) d -> b d f", b=len(frames))
        for layer in self.around:
            x = x + torch.relu(layer(x))
        return self.head(rearrange(x, "b d f -> b f d")).float()

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats an interval. `batch`: `frames (B, F, 144, 160) uint8`, `labels (B, F - 1) int64`."""
        labels = batch["labels"]
        logits = self(batch["frames"])
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten())
        with torch.no_grad():
            right = logits.argmax(-1) == labels
            pressed = labels != NONE
            shares = {
                "accuracy": right.float().mean(),
                "pressed_accuracy": (right & pressed).sum() / pressed.sum().clamp_min(1),
            }
        return loss, shares
