"""A score as a percentile: which share of held-out speedruns' frames scores less."""

import torch
from torch import Tensor

POINTS = 1001


class Percentiles:
    """A monotone map from scores to percentiles.

    Args:
        points: `(1001,) float32`, ascending: the scores at the percentiles 0, 0.001, …, 1.
    """

    def __init__(self, points: Tensor) -> None:
        self.points = points.float()

    @classmethod
    def of(cls, scores: Tensor) -> "Percentiles":
        """From the scores of held-out frames, `(N,) float`. Raises ValueError when there are none."""
        if not len(scores):
            raise ValueError("found no held-out frames to calibrate on, expected some; add speedruns")
        return cls(torch.quantile(scores.double(), torch.linspace(0, 1, POINTS).double()).float())

    def __call__(self, scores: Tensor) -> Tensor:
        """`(N,) float -> (N,) float32 in [0, 2)`.

        Up to the highest held-out score it is the share of held-out frames below; further out it goes on rising from 1
        towards 2, so that what is far out stays apart from what is just outside.
        """
        points = self.points.to(scores.device)
        above = torch.searchsorted(points, scores.float().contiguous(), right=True)
        lower, upper = points[(above - 1).clamp(0)], points[above.clamp(max=POINTS - 1)]
        within = torch.where(upper > lower, (scores - lower) / (upper - lower).clamp_min(1e-12), 0.0)
        inside = (above - 1 + within).clamp(0, POINTS - 1) / (POINTS - 1)
        excess = (scores - points[-1]).clamp_min(0)
        scale = (points[-1] - points[0]).clamp_min(1e-6)
        return torch.where(excess > 0, 1 + excess / (excess + scale), inside).float()
