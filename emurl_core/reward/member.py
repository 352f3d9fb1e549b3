"""One trainable reward model: a scorer, its loss on ordered pairs, and the curve that turns scores into progress.

All variants are trained by this class; they differ in the scorer and in the objective alone. What others use is
`model.RewardModel`, which holds one or several of these. Which pairs are seen is in `pairs`; what a score is worth, in
`calibration`.
"""

import torch
from torch import Tensor

from emurl_core.reward.calibration import Calibration
from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.objectives import bradley_terry_loss, signed_distance_loss
from emurl_core.reward.pixel_scorer import PixelScorer
from emurl_core.reward.scorers import Scorer
from emurl_core.reward.sequence_scorer import SequenceScorer
from emurl_core.reward.token_scorer import TokenScorer
from emurl_core.training import Batch, Losses, Trainable


class RewardMember(Trainable):
    """A scorer and its calibration. Random until trained or loaded.

    Args:
        codebook: `(codes, C) float`, for the variants that read tokens.
    """

    def __init__(self, config: RewardConfig, codebook: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.scorer = _scorer(config, codebook)
        self.calibration = Calibration()

    def forward(self, windows: Tensor) -> Tensor:
        """Differentiable raw score of windows of frames or tokens: `(B, context_frames, ...) -> (B,) float32`."""
        return self.scorer(windows)

    def loss(self, batch: Batch) -> Losses:
        """Loss of a batch of pairs of windows.

        `earlier, later (B, context_frames, ...) integer`; `label (B,) float32 in [0.5, 1]`: how sure to be that the later one
        is ahead; `elapsed (B,) float32 in [0, 1]`: the share of the run between them.
        """
        windows = torch.cat([batch["earlier"], batch["later"]])
        if self.training:
            windows = self.scorer.augmented(windows)
        # One forward pass for both: in two, each batch would be normalised by its own statistics, and batch norm would
        # tell the earlier frames from the later ones.
        earlier, later = self(windows).chunk(2)
        if self.config.variant == "global":
            loss = signed_distance_loss(earlier, later, batch["elapsed"], self.config.distance_floor)
        else:
            loss = bradley_terry_loss(earlier, later, batch["label"])
        return loss, {"pairwise_accuracy": (later > earlier).float().mean().detach()}


def _scorer(config: RewardConfig, codebook: Tensor | None) -> Scorer:
    if not config.reads_tokens:
        return PixelScorer(config)
    assert codebook is not None, "train_reward and load_reward bring the tokenizer"
    return SequenceScorer(config, codebook) if config.variant == "sequence" else TokenScorer(config, codebook)
