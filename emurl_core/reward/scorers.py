"""The contract of what scores frames: each frame is embedded on its own, and a head judges the last few embeddings.

Embedding is the dear part and depends on one frame, so it can be remembered by the frame. Where one frame is all a score is
made of, the embedding is the score itself and the head does nothing. The scorers are in `pixel_scorer`, `token_scorer` and
`sequence_scorer`; what teaches them is in `objectives`.
"""

import abc

from torch import Tensor, nn


class Scorer(nn.Module, abc.ABC):
    """Scores the newest frame of a window of `context_frames` frames, oldest first."""

    context_frames: int = 1
    """Frames in a window."""
    features: int = 1
    """Numbers that an embedding has."""

    @abc.abstractmethod
    def embed(self, seen: Tensor) -> Tensor:
        """What a frame contributes to any window: `(B, 144, 160) uint8` or `(B, 9, 10) integer -> (B, features) float`."""

    def head(self, windows: Tensor) -> Tensor:
        """`(B, context_frames, features) float -> (B,) float`: the score, higher is later in the run."""
        return windows[:, -1, 0]

    @abc.abstractmethod
    def augmented(self, windows: Tensor) -> Tensor:
        """Windows of what `embed` reads, `(B, context_frames, ...)`, as another video might show them."""

    def forward(self, windows: Tensor) -> Tensor:
        """`(B, context_frames, ...) -> (B,) float32`. All frames in one pass: batch statistics are common to all."""
        embedded = self.embed(windows.flatten(0, 1))
        return self.head(embedded.unflatten(0, windows.shape[:2])).float()
