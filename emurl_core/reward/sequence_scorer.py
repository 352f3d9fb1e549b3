"""Scores the newest of the last few frames, all of them on the tokenizer's codes: a menu means what led to it."""

import torch
from torch import Tensor, nn

from emurl_core.reward.configuration import RewardConfig
from emurl_core.reward.token_scorer import TokenScorer

_FEATURES = 64


class SequenceScorer(TokenScorer):
    """Windows of `(B, k, 9, 10)` tokens: each frame becomes `features` numbers, a GRU goes through them in time."""

    features = _FEATURES

    def __init__(self, config: RewardConfig, codebook: Tensor) -> None:
        super().__init__(config, codebook)
        self.context_frames = config.sequence_frames
        self.time = nn.GRU(self.features, self.features, batch_first=True)
        self.out = nn.Linear(2 * self.features, 1)

    def head(self, windows: Tensor) -> Tensor:
        past, _ = self.time(torch.tanh(windows))
        # The newest frame also goes straight to the score: time is there to add to it.
        newest = torch.cat([past[:, -1], torch.tanh(windows[:, -1])], 1)
        with torch.autocast(newest.device.type, enabled=False):  # as in `resnet`
            return self.out(newest.float())[:, 0]
