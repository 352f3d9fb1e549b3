"""What a tokenizer starts from: the principal components of training patches, and a codebook for them.

The start is most of the work. K-means over latents that hold the patches whole is patch k-means, and training adds to it.
"""

import numpy as np
import torch

from emurl_core.tokenizer.baselines import different_patches, patches_of
from emurl_core.tokenizer.clustering import kmeans, nearest, settled
from emurl_core.tokenizer.frame_encoder import FrameEncoder
from emurl_core.tokenizer.quantisers import EmaQuantiser

_CHUNK_FRAMES = 32
_CHUNK_PATCHES = 4096
_MOVES = 12
"""Times at most that rare codes are moved before the codebook is taken as it is."""


def start_shortcut(encoder: FrameEncoder, frames: np.ndarray) -> None:
    """Give the shortcut, where there is one, the principal components of these frames `(N, 144, 160) uint8`."""
    if encoder.shortcut is None:
        return
    first, counts, _ = different_patches(frames)
    pictures = torch.from_numpy(patches_of(frames)[first])
    parts = (encoder.pixels.values(part) for part in pictures.split(_CHUNK_PATCHES))
    encoder.shortcut.start(parts, torch.from_numpy(counts))


@torch.no_grad()
def start_codebook(encoder: FrameEncoder, frames: np.ndarray, rare_share: float, seed: int) -> None:
    """Begin to quantise, with a codebook for these frames `(N, 144, 160) uint8`.

    Plain k-means gives a code to whatever single frames have far from all else: that lowers the error on these frames, and
    on none that comes after. So a code that fewer than `rare_share` of the frames use moves to a patch that more of them
    have and that is drawn badly.
    """
    quantiser = encoder.quantiser
    if not isinstance(quantiser, EmaQuantiser):
        return  # Rounding has no codebook of its own.
    device = next(encoder.parameters()).device
    first, counts, which = different_patches(frames)
    # Only frames that hold a patch for the first time need a look.
    holders = np.unique(first // which.shape[1])
    # One latent for each different patch: k-means would spend its time on repetitions otherwise.
    parts = torch.from_numpy(frames[holders]).split(_CHUNK_FRAMES)
    latents = torch.cat([encoder.latents(part.to(device)).flatten(0, 2) for part in parts])
    within = np.searchsorted(holders, first // which.shape[1]) * which.shape[1] + first % which.shape[1]
    points = latents[torch.from_numpy(within).to(device)].float()
    weights = torch.from_numpy(counts).float().to(device)
    codes = len(quantiser.vectors)
    centres = common_centres(points, weights, torch.from_numpy(which), codes, rare_share, seed)
    use = torch.zeros(codes, device=device).index_add_(0, nearest(points, centres), weights)
    quantiser.start(centres, use / use.sum())


def common_centres(
    points: torch.Tensor, weights: torch.Tensor, which: torch.Tensor, codes: int, rare_share: float, seed: int
) -> torch.Tensor:
    """K-means whose centres are each used by at least `rare_share` of the frames, as far as that can be had.

    `points (M, D) float`, `weights (M,) float`, `which (N, P) int64 in [0, M)`: the points in each frame `-> (codes, D) float`.
    """
    least = rare_share * len(which)
    generator = torch.Generator().manual_seed(seed)
    common = _frames_with(which, len(points)) >= least
    means = kmeans(points, codes, seed, weights=weights)
    for _ in range(_MOVES):
        assigned = nearest(points, means)
        rare = _frames_with(assigned.cpu()[which], codes) < least
        # Drawn as in k-means++: by how much error there is to take away.
        chances = ((points - means[assigned]).square().sum(1) * weights).cpu() * common
        count = min(int(rare.sum()), int((chances > 0).sum()))
        if not count:
            break
        chosen = torch.multinomial(chances, count, generator=generator)
        means[rare.nonzero()[:count, 0].to(means.device)] = points[chosen.to(points.device)]
        means = settled(points, means, weights, rounds=2)
    return settled(points, means, weights, rounds=5)


def _frames_with(which: torch.Tensor, kinds: int) -> torch.Tensor:
    """In how many frames each kind occurs: `(N, P) int64 in [0, kinds) -> (kinds,) int64`."""
    found = torch.zeros(kinds, dtype=torch.int64)
    for part in which.split(256):
        there = torch.zeros(len(part), kinds, dtype=torch.bool)
        there.scatter_(1, part, torch.ones_like(part, dtype=torch.bool))
        found += there.sum(0)
    return found
