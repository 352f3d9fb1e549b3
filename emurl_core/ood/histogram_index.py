"""How far a frame is from the nearest frames of speedruns, by which codes it is made of and not by where they are.

A frame's profile is the square root of each code's share among its 90 tokens: a unit vector, and the product of two is
Bhattacharyya's coefficient. Scrolling moves tokens about and changes few shares; another tileset changes all of them.
"""

import torch
from torch import Tensor

_CHUNK = 2048
"""Frames compared at once: bounds the memory of the table of likenesses."""


class HistogramIndex:
    """Kept frames, and the distance to them.

    Args:
        tokens: `(N, 90) integer in [0, codes)`, the kept frames.
        codes: size of the codebook.
        neighbours: the distance is the mean over so many nearest ones.
    """

    def __init__(self, tokens: Tensor, codes: int, neighbours: int) -> None:
        self.tokens, self.codes = tokens.to(torch.int16), codes
        self._neighbours = min(neighbours, len(tokens))
        self._profiles = profiles(tokens, codes)

    @classmethod
    def choose(
        cls, tokens: Tensor, codes: int, capacity: int, same_above: float, neighbours: int
    ) -> tuple["HistogramIndex", Tensor]:
        """Keep the frames that differ most: each next one is the least similar to all before (Gonzalez 1985).

        Returns the index, and the rows of `tokens` it kept, `(n,) int64`.
        """
        every = profiles(tokens, codes)
        kept = [0]
        best = every @ every[0]
        while len(kept) < min(capacity, len(tokens)):
            value, row = best.min(0)
            if value > same_above:
                break
            kept.append(int(row))
            best = torch.maximum(best, every @ every[row])
        rows = torch.tensor(kept)
        return cls(tokens[rows], codes, neighbours), rows

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def bytes(self) -> int:
        """Memory of the index while it is in use."""
        return sum(t.element_size() * t.numel() for t in (self.tokens, self._profiles))

    def to(self, device: torch.device) -> "HistogramIndex":
        """The same index on a device."""
        return HistogramIndex(self.tokens.to(device), self.codes, self._neighbours)

    def distance(self, tokens: Tensor, without: Tensor | None = None) -> Tensor:
        """`(B, 90) integer -> (B,) float32 in [0, 1]`: 0 for a frame with the same codes as a kept one, 1 with none in common.

        Args:
            without: `(N,) bool`, kept frames that do not count.
        """
        found = []
        for chunk in tokens.split(_CHUNK):
            likeness = profiles(chunk, self.codes) @ self._profiles.T
            if without is not None:
                likeness = likeness.masked_fill(without.to(likeness.device), 0.0)
            found.append(1 - likeness.topk(self._neighbours, dim=1).values.mean(1))
        return torch.cat(found).clamp(0, 1) if found else torch.zeros(0, device=tokens.device)


def profiles(tokens: Tensor, codes: int) -> Tensor:
    """`(B, 90) integer in [0, codes) -> (B, codes) float32`, rows of length 1."""
    counts = torch.zeros(len(tokens), codes, device=tokens.device)
    counts.scatter_add_(1, tokens.long(), torch.ones(tokens.shape, device=tokens.device))
    return (counts / tokens.shape[1]).sqrt()
