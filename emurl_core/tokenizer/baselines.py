"""What the tokenizer must beat: 512 patch centroids without any network, and always drawing the commonest shade."""

from dataclasses import dataclass

import numpy as np
import torch

from emurl_core.screen import GRID_SHAPE, PATCH_PX, SHADES
from emurl_core.tokenizer.clustering import kmeans, nearest

PATCHES_FITTED = 20_000
"""Distinct training patches that the centroids are fitted on at most; a fit takes seconds on one CPU thread."""


@dataclass(frozen=True)
class PatchKMeans:
    """Codes each 16×16 patch by its nearest centroid and draws the commonest shade of each pixel there.

    The bits a frame are the tokenizer's own, so this is the fair thing to hold it against.
    """

    centroids: torch.Tensor
    """`(K, 256) float`, mean shades."""
    drawn: torch.Tensor
    """`(K, 256) uint8`, what is drawn for each."""

    @classmethod
    def fit(cls, frames: np.ndarray, codes: int, seed: int) -> "PatchKMeans":
        """From training frames `(N, 144, 160) uint8`."""
        distinct, counts = distinct_patches(frames)
        if len(distinct) > PATCHES_FITTED:
            # Drawn by how often they occur, and then counted once each: the same weighting in expectation.
            shares = counts / counts.sum()
            picked = np.random.default_rng(seed).choice(len(distinct), PATCHES_FITTED, p=shares)
            kept, counts = np.unique(picked, return_counts=True)
            distinct = distinct[kept]
        points, weights = torch.from_numpy(distinct).float(), torch.from_numpy(counts).float()
        centroids = kmeans(points, codes, seed, weights=weights)
        assigned = nearest(points, centroids)
        votes = torch.stack(
            [
                torch.zeros_like(centroids).index_add_(0, assigned, (points == shade) * weights[:, None])
                for shade in range(SHADES)
            ]
        )
        drawn = torch.where(votes.sum(0) > 0, votes.argmax(0), centroids.round().long())
        return cls(centroids, drawn.to(torch.uint8))

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """`(N, 144, 160) uint8 -> (N, 9, 10) int64`."""
        patches = torch.from_numpy(patches_of(frames))
        codes = [nearest(part.float(), self.centroids) for part in patches.split(16_384)]
        return torch.cat(codes).view(-1, *GRID_SHAPE).numpy()

    def reconstruct(self, frames: np.ndarray) -> np.ndarray:
        """`(N, 144, 160) uint8 -> (N, 144, 160) uint8`."""
        rows, columns = GRID_SHAPE
        patches = self.drawn.numpy()[self.encode(frames)].reshape(-1, rows, columns, PATCH_PX, PATCH_PX)
        return patches.transpose(0, 1, 3, 2, 4).reshape(-1, rows * PATCH_PX, columns * PATCH_PX)


def patches_of(frames: np.ndarray) -> np.ndarray:
    """Every grid cell's pixels: `(N, 144, 160) uint8 -> (N·90, 256) uint8`."""
    rows, columns = GRID_SHAPE
    cells = frames.reshape(-1, rows, PATCH_PX, columns, PATCH_PX).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(cells).reshape(-1, PATCH_PX * PATCH_PX)


def distinct_patches(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different patches `(M, 256) uint8` in a fixed order, and how often each occurs `(M,)`."""
    first, counts, _ = different_patches(frames)
    return patches_of(frames)[first], counts


def different_patches(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in `patches_of(frames)` each different patch comes first `(M,)`, how often it occurs `(M,)`, and which one each
    frame has at each place `(N, 90) int64 in [0, M)`.
    """
    packed = np.ascontiguousarray(pack_patches(patches_of(frames)))
    whole = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, which, counts = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    return first, counts, which.reshape(len(frames), -1)


def pack_patches(patches: np.ndarray) -> np.ndarray:
    """Four pixels a byte, so that there is less to compare: `(N, 256) uint8 in [0, 4) -> (N, 64) uint8`."""
    quads = patches.reshape(len(patches), -1, 4)
    return quads[..., 0] << 6 | quads[..., 1] << 4 | quads[..., 2] << 2 | quads[..., 3]


def commonest_shade(frames: np.ndarray) -> int:
    """The shade most pixels have."""
    return int(np.bincount(frames.reshape(-1), minlength=SHADES).argmax())
