"""Weighted k-means with k-means++ seeding (Arthur & Vassilvitskii 2007): starts the codebook, and is the patch baseline."""

import torch


def nearest(points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Index of the nearest centre by Euclidean distance: `(N, D), (K, D) -> (N,) int64`."""
    # |p - c|² without |p|², which is the same for every centre.
    return torch.addmm(centres.square().sum(1), points, centres.T, beta=1, alpha=-2).argmin(1)


def kmeans(
    points: torch.Tensor, centres: int, seed: int, *, weights: torch.Tensor | None = None, rounds: int = 20
) -> torch.Tensor:
    """Centres of the points: `(N, D) float -> (centres, D) float`. Deterministic under `seed` on one device.

    Args:
        weights: `(N,)` how often each point counts; default once.
        rounds: Lloyd rounds; fewer when the assignment stands still.

    With fewer distinct points than centres the surplus centres are copies.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = torch.ones(len(points), device=points.device) if weights is None else weights.float()
    return settled(points, _spread(points, weights, centres, generator), weights, rounds)


def settled(points: torch.Tensor, means: torch.Tensor, weights: torch.Tensor, rounds: int) -> torch.Tensor:
    """`means (K, D)` after at most `rounds` Lloyd rounds; one that no point is nearest to stays where it is."""
    centres = len(means)
    assigned = torch.full((len(points),), -1, device=points.device)
    for _ in range(rounds):
        fresh = nearest(points, means)
        if torch.equal(fresh, assigned):
            break
        assigned = fresh
        mass = torch.zeros(centres, device=points.device).index_add_(0, assigned, weights)
        sums = torch.zeros_like(means).index_add_(0, assigned, points * weights[:, None])
        means = torch.where(mass[:, None] > 0, sums / mass[:, None].clamp_min(1e-12), means)
    return means


def _spread(
    points: torch.Tensor, weights: torch.Tensor, centres: int, generator: torch.Generator
) -> torch.Tensor:
    """k-means++: each new centre is a point drawn by its squared distance to the centres so far."""
    squares = points.square().sum(1)
    draws = torch.rand(centres, generator=generator, dtype=torch.float64).tolist()
    distance = torch.full((len(points),), torch.inf, device=points.device)
    chosen = torch.empty(centres, points.shape[1], device=points.device, dtype=points.dtype)
    for i, draw in enumerate(draws):
        chance = weights if i == 0 else weights * distance
        ladder = chance.double().cumsum(0)
        index = int(torch.searchsorted(ladder, draw * ladder[-1], right=True).clamp_max(len(points) - 1))
        chosen[i] = points[index]
        fresh = (squares - 2 * (points @ chosen[i]) + squares[index]).clamp_min(0)
        distance = torch.minimum(distance, fresh)
    return chosen
