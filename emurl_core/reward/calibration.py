"""From raw scores to percent of the run: one rising curve, fitted on runs the training never saw.

A raw score only orders frames; rewards of different places are comparable once it is stretched to the share of a run
that lies behind a frame. Isotonic regression (Barlow 1972) is the best rising curve in the least-squares sense; scores are
pooled into quantile bins first, so that a few validation runs do not draw their own noise into it.
"""

import numpy as np
import torch
from scipy.optimize import isotonic_regression
from torch import Tensor, nn

KNOTS = 64


class Calibration(nn.Module):
    """Rising piecewise-linear curve, `score -> [0, 1]`, flat beyond its ends. Kept as tensors with the weights."""

    scores: Tensor
    progress: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scores", torch.linspace(-1, 1, KNOTS))
        self.register_buffer("progress", torch.linspace(0, 1, KNOTS))

    def fit(self, scores: np.ndarray, progress: np.ndarray) -> None:
        """Fit the curve to `scores (N,) float` and their `progress (N,) float in [0, 1]`.

        Raises:
            ValueError: scores are not finite, or there are none.
        """
        if not len(scores) or not np.isfinite(scores).all():
            bad = int((~np.isfinite(scores)).sum())
            raise ValueError(
                f"found {len(scores)} scores with {bad} not finite, expected finite ones to calibrate on: the training has "
                "diverged or the validation split is empty; lower learning_rate or add speedruns"
            )
        order = np.argsort(scores, kind="stable")
        bins = np.array_split(order, min(KNOTS, len(order)))
        centre = np.array([scores[b].mean() for b in bins])
        weight = np.array([len(b) for b in bins], dtype=float)
        mean = np.array([progress[b].mean() for b in bins])
        fit = isotonic_regression(mean, weights=weight)
        # One knot at the centre of each level, so that the curve climbs between levels and flat rewards are rare.
        spans = [slice(a, b) for a, b in zip(fit.blocks[:-1], fit.blocks[1:], strict=True)]
        x = [float(np.average(centre[s], weights=weight[s])) for s in spans]
        y = [float(fit.x[s.start]) for s in spans]
        unused = KNOTS - len(x)
        self.scores.copy_(torch.tensor(x + [x[-1]] * unused))
        self.progress.copy_(torch.tensor(y + [y[-1]] * unused).clamp(0, 1))

    def forward(self, scores: Tensor) -> Tensor:
        """`(B,) float -> (B,) float32 in [0, 1]`, never falling where the score rises."""
        scores = scores.float()
        right = torch.searchsorted(self.scores, scores.contiguous()).clamp(1, KNOTS - 1)
        x0, x1 = self.scores[right - 1], self.scores[right]
        share = ((scores - x0) / (x1 - x0).clamp_min(1e-12)).clamp(0, 1)
        return torch.lerp(self.progress[right - 1], self.progress[right], share).clamp(0, 1)
