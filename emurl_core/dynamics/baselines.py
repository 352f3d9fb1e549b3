"""What the dynamics model must beat: tables counted on training clips that know nothing of the rest of the frame.

All give bits; accuracy means little without copying's accuracy beside it.
"""

import math
from dataclasses import dataclass

import numpy as np

from emurl_core.screen import TOKENS

_GRID = np.linspace(0.02, 0.98, 49)
_PRIORS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True)
class TokenTables:
    """Three chances of a token: how common it is; the same, mixed with copying; and by what the place held before.

    Attributes:
        unigram: `(codes,)`, sums to 1.
        bigram: `(codes, codes)`, row: the token one frame before at the same place; sums to 1 in each row.
        copied: share of copying in the mix.
    """

    unigram: np.ndarray
    bigram: np.ndarray
    copied: float

    @classmethod
    def fit(
        cls, before: np.ndarray, after: np.ndarray, tune: tuple[np.ndarray, np.ndarray], codes: int
    ) -> "TokenTables":
        """Count training pairs `(n, 90)`; the two mixing numbers are chosen on the pairs `tune` (validation)."""
        pairs = before.astype(np.int64).reshape(-1) * codes + after.reshape(-1)
        counts = np.bincount(pairs, minlength=codes * codes).reshape(codes, codes).astype(np.float64)
        unigram = (counts.sum(0) + 0.5) / (counts.sum() + 0.5 * codes)
        tables = [(counts + prior * unigram) / (counts.sum(1, keepdims=True) + prior) for prior in _PRIORS]
        bigram = min(tables, key=lambda table: -np.log(table[tune[0], tune[1]]).mean())
        same = tune[0] == tune[1]
        mixed = [-np.log(share * same + (1 - share) * unigram[tune[1]]).mean() for share in _GRID]
        return cls(unigram, bigram, float(_GRID[int(np.argmin(mixed))]))

    def metrics(self, before: np.ndarray, after: np.ndarray, prefix: str) -> dict[str, float]:
        """Accuracy, accuracy on changed tokens and bits a frame of each, on pairs `(n, 90)`."""
        changed = before != after
        likeliest = self.bigram.argmax(1)[before]
        found = {
            "copy_accuracy": 1 - changed.mean(),
            "unigram_accuracy": (after == self.unigram.argmax()).mean(),
            "bigram_accuracy": (likeliest == after).mean(),
            "bigram_accuracy_changed": (likeliest == after)[changed].mean() if changed.any() else 0.0,
            "copy_mix_bits_per_frame": _bits(
                self.copied * ~changed + (1 - self.copied) * self.unigram[after]
            ),
            "unigram_bits_per_frame": _bits(self.unigram[after]),
            "bigram_bits_per_frame": _bits(self.bigram[before, after]),
            "changed_tokens": changed.mean(),
        }
        return {f"{prefix}{name}": float(value) for name, value in found.items()}


def _bits(chances: np.ndarray) -> float:
    return float(-np.log(chances).mean() * TOKENS / math.log(2))
