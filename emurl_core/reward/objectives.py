"""What a scorer is taught by: which of two frames of a run is later, or how far they are apart.

Bradley–Terry (Bradley & Terry 1952; as a reward from ordered pairs, Christiano et al. 2017,
https://arxiv.org/abs/1706.03741): the later of two frames is ahead with probability sigmoid(score(later) − score(earlier)).

Signed distance, as in TimeRewarder: the difference of two scores is the share of the run between them, so scores of all
frames lie on one common scale and their differences add up. Near pairs count more: a reward is a difference over seconds.
"""

from torch import Tensor, nn

from emurl_core import ranks

_HUBER_SHARE = 0.1
"""Share of the run beyond which an error counts linearly: a scene shown twice is no reason to tear the scale apart."""


def bradley_terry_loss(earlier: Tensor, later: Tensor, label: Tensor) -> Tensor:
    """Mean cross-entropy of "the later one is ahead": scores `(B,) float`, label `(B,) float in [0.5, 1]` -> scalar."""
    return nn.functional.binary_cross_entropy_with_logits(later - earlier, label)


def signed_distance_loss(earlier: Tensor, later: Tensor, elapsed: Tensor, floor: float) -> Tensor:
    """Mean Huber loss of the distance, weighted by 1 / (elapsed + floor): scores `(B,)`, `elapsed (B,) in [0, 1]` -> scalar."""
    weight = 1 / (elapsed + floor)
    error = nn.functional.smooth_l1_loss(later - earlier, elapsed, beta=_HUBER_SHARE, reduction="none")
    # The weights of the whole batch: a rank's share of it may be all far pairs.
    return (weight * error).sum() / ranks.mean(weight.sum())
