"""The inverse-dynamics model: which button was held between two frames, seen from the frames around them, later ones too.

Looking ahead makes this far easier than playing (VPT, Baker et al. 2022, arXiv:2206.11795): what a press did is on the screen.
It reads pixels, not tokens: a few pixels of motion tell a direction (`motion`). Its training stage is `inverse_training`.
"""

import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn.functional import cross_entropy

from emurl_core.actions.classes import CLASSES, NONE
from emurl_core.actions.motion import CHANNELS
from emurl_core.actions.rollouts import RolloutConfig
from emurl_core.screen import TOKENS
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
    """Consecutive frames that are learnt from together; fewer than `session_frames`."""
    channels: int = Field(64, ge=1)
    """Channels of the two convolutions over the grid."""
    width: int = Field(128, ge=1)
    """Length of the vector of a pair of frames."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of numbers dropped in training."""
    noise: float = Field(0.004, ge=0, le=0.5)
    """Share of pixels, at most, that are drawn a shade off before the model sees them: no video is read without error."""
    gate_accuracy_gain: float = Field(0.1, ge=-1, le=1)
    """The model passes its gate when its accuracy on held-out rollouts is above the best baseline's by this much …"""
    gate_pressed_gain: float = Field(0.05, ge=-1, le=1)
    """… and, over the frames on which a button is held, by this much. Many presses of random play change nothing: none can name those."""

    @model_validator(mode="after")
    def _sessions_hold_a_window(self) -> "InverseDynamicsConfig":
        if self.window_frames >= self.session_frames:
            raise ValueError(
                f"found window_frames={self.window_frames}, expected fewer than session_frames={self.session_frames}: between so many "
                "frames lies one interval less; lower it, or raise session_frames"
            )
        return self


class InverseDynamics(Trainable):
    """What changes between frames, in order, to classes of the intervals between them.

    Weights: `eyes.*` (convolutions over the grid), `pair.*`, `around.*` (convolutions over time), `head.*`.
    """

    reach = 6
    """Intervals before and after one that its class is read off."""

    def __init__(self, config: InverseDynamicsConfig) -> None:
        super().__init__()
        self.config = config
        c, width = config.channels, config.width
        self.eyes = nn.Sequential(
            nn.Conv2d(CHANNELS, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1), nn.ReLU()
        )
        self.places = nn.Linear(CHANNELS * TOKENS, width)
        self.pair = nn.Sequential(nn.Linear(2 * c + width, width), nn.LayerNorm(width), nn.ReLU())
        self.around = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2 * d, dilation=d) for d in (1, 2))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        """`(B, N, CHANNELS, 9, 10) float`, see `motion_features`, `-> (B, N, 9) float32` logits of each interval."""
        flat = motion.flatten(0, 1)
        seen = self.eyes(flat)
        # Motion looks the same wherever it is; what a menu does is known by its place.
        views = [seen.amax((2, 3)), seen.mean((2, 3)), torch.relu(self.places(self.dropout(flat.flatten(1))))]
        x = self.pair(torch.cat(views, 1)).unflatten(0, motion.shape[:2]).transpose(1, 2)
        for layer in self.around:
            x = x + torch.relu(layer(self.dropout(x)))
        return self.head(x.transpose(1, 2)).float()

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats an interval. `batch`: `motion (B, N, CHANNELS, 9, 10) float16`, `labels (B, N) int64`."""
        labels = batch["labels"]
        logits = self(batch["motion"].float())
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten())
        with torch.no_grad():
            right = logits.argmax(-1) == labels
            pressed = labels != NONE
            shares = {
                "accuracy": right.float().mean(),
                "pressed_accuracy": (right & pressed).sum() / pressed.sum().clamp_min(1),
            }
        return loss, shares
