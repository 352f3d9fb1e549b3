"""Which frames count as the same place: a coarse hash of their tokens, and how far on they look.

The hash is the sign of random sums over the histogram of a frame's tokens (SimHash: Charikar 2002; for counting visits: Tang et
al. 2017, arXiv:1611.04717): pictures of nearly the same tokens share it wherever they stand on the screen, so a sprite that moves
makes no new place. Learned progress is what tells apart places that look alike early and late in the game.
"""

import hashlib
from typing import TypeVar

import numpy as np

BANDS = 40
"""Progress is cut into this many bands of equal width: about the jitter of learned progress that is smoothed."""
BITS = 12
"""Of the hash. 12 tell apart 73 places among the 242 distinct pictures of 3,200 steps of random play in the embedded game."""
CELLS = BANDS << BITS

_CODES = 1 << 15
_DRAWN = np.frombuffer(hashlib.shake_128(b"emurl cells 1").digest(2 * _CODES), "<u2")
# A hash function instead of a random stream: the same signs under every version of every library.
_SIGNS = (_DRAWN[:, None] >> np.arange(BITS) & 1).astype(np.float64) * 2 - 1


def cells_of(tokens: np.ndarray, progress: np.ndarray) -> np.ndarray:
    """Cells of frames: `(N, 90) int tokens in [0, 32768), (N,) float learned progress -> (N,) int64 in [0, CELLS)`."""
    hashes = np.empty(len(tokens), np.int64)
    for row, frame in enumerate(tokens):
        codes, counts = np.unique(frame, return_counts=True)
        # Roots, or the one token that fills the background would decide every sign.
        hashes[row] = ((np.sqrt(counts) @ _SIGNS[codes]) > 0) @ (1 << np.arange(BITS))
    return band_of(progress) << BITS | hashes


def band_of(progress: np.ndarray) -> np.ndarray:
    """`(N,) float learned progress -> (N,) int64 in [0, BANDS)`."""
    return np.clip(np.asarray(progress) * BANDS, 0, BANDS - 1).astype(np.int64)


CellT = TypeVar("CellT", int, np.ndarray)


def band_of_cell(cell: CellT) -> CellT:
    """The band of progress that a cell lies in, or those of many: int64."""
    return cell >> BITS
