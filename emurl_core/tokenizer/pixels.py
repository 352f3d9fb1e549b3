"""What the tokenizer sees of a frame, and how its drawing is read: four shades, or colours.

Frames are stored as shades; colours come from a palette. Either way a drawing answers as logits of the four shades, so that
nothing outside has to know.
"""

import abc

import torch
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from emurl_core.screen import SHADES

PALETTE = ((224, 248, 208), (136, 192, 112), (52, 104, 86), (8, 24, 32))
"""Red, green and blue of each shade, lightest first: about what the first Game Boy's screen looked like."""


class Pixels(abc.ABC):
    """`frames`: `(B, 144, 160) uint8 in [0, 4)`. `drawing`: `(B, drawn_channels, 144, 160) float`."""

    seen_channels: int
    drawn_channels: int
    start_gain: float
    """What a mean over patches, in the channels that are drawn, is multiplied by to make a sensible drawing."""

    @abc.abstractmethod
    def seen(self, frames: torch.Tensor) -> torch.Tensor:
        """What convolutions look at: `(B, seen_channels, 144, 160) float in [-1, 1]`."""

    @abc.abstractmethod
    def values(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames, or patches of any shape, in the channels that are drawn: `(...) -> (..., drawn_channels) float`."""

    @abc.abstractmethod
    def logits(self, drawing: torch.Tensor) -> torch.Tensor:
        """`-> (B, 4, 144, 160) float`: the shade that is meant has the highest."""

    @abc.abstractmethod
    def loss(self, drawing: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """How far the drawing is from the frames, a mean over pixels."""


class ShadePixels(Pixels):
    """Four shades: told apart rather than regressed. The loss is cross-entropy in nats a pixel."""

    seen_channels, drawn_channels, start_gain = 1, SHADES, 8.0

    def seen(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.unsqueeze(1).float() / 1.5 - 1.0

    def values(self, frames: torch.Tensor) -> torch.Tensor:
        return one_hot(frames.long(), SHADES).float()

    def logits(self, drawing: torch.Tensor) -> torch.Tensor:
        return drawing

    def loss(self, drawing: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        return cross_entropy(drawing, frames.long())


class RgbPixels(Pixels):
    """Colours in [-1, 1], regressed. The loss is the mean squared error; the nearest colour's shade is what is meant."""

    seen_channels, drawn_channels, start_gain = 3, 3, 1.0

    def seen(self, frames: torch.Tensor) -> torch.Tensor:
        return self.values(frames).movedim(-1, 1)

    def values(self, frames: torch.Tensor) -> torch.Tensor:
        return self._colours(frames.device)[frames.long()]

    def logits(self, drawing: torch.Tensor) -> torch.Tensor:
        colours = self._colours(drawing.device).view(1, SHADES, 3, 1, 1)
        return -(drawing.float().unsqueeze(1) - colours).square().sum(2)

    def loss(self, drawing: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        return mse_loss(drawing, self.seen(frames))

    def _colours(self, device: torch.device) -> torch.Tensor:
        return torch.tensor(PALETTE, device=device) / 127.5 - 1.0
