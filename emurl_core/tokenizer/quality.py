"""How well frames survive the codebook, on frames the tokenizer never saw, beside its baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

import numpy as np
import torch

from emurl_core.screen import SHADES
from emurl_core.tokenizer.baselines import PatchKMeans, commonest_shade, distinct_patches
from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.model import Tokenizer
from emurl_core.tokenizer.screens import SCREEN_TYPES, screen_types
from emurl_core.training import Demand, verdict

CHUNK = 64
OFTEN = 10
"""A code counts as well used when held-out frames choose it this often."""


def tokens_and_drawings(tokenizer: Tokenizer, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(N, 144, 160) uint8 -> tokens (N, 9, 10) int64, reconstructions (N, 144, 160) uint8`, in evaluation mode."""
    device = next(tokenizer.parameters()).device
    tokenizer.eval()
    tokens, drawings = [], []
    with torch.no_grad():
        for start in range(0, len(frames), CHUNK):
            part = tokenizer.encode(torch.from_numpy(frames[start : start + CHUNK]).to(device))
            tokens.append(part.cpu().numpy())
            drawings.append(tokenizer.decode_tokens(part).argmax(1).to(torch.uint8).cpu().numpy())
    return np.concatenate(tokens), np.concatenate(drawings)


def exact_shade_accuracy(frames: np.ndarray, drawings: np.ndarray) -> float:
    """Share of pixels drawn in their very shade, in [0, 1]."""
    return float((frames == drawings).mean())


def psnr_db(frames: np.ndarray, drawings: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, shades scaled to [0, 1]; capped at 100 for equal pictures."""
    error = np.square((frames.astype(np.float32) - drawings) / (SHADES - 1)).mean()
    return float(min(100.0, -10 * np.log10(max(error, 1e-10))))


def code_use(tokens: np.ndarray, codes: int, prefix: str) -> dict[str, float]:
    """Shares of the codebook in use and its perplexity."""
    counts = np.bincount(tokens.reshape(-1), minlength=codes)
    share = counts[counts > 0] / counts.sum()
    return {
        f"{prefix}codes_used": float((counts > 0).mean()),
        f"{prefix}codes_used_often": float((counts >= OFTEN).mean()),
        f"{prefix}perplexity": float(np.exp(-(share * np.log(share)).sum())),
    }


def sufficiency(frames: np.ndarray, codes: int, prefix: str) -> dict[str, float]:
    """How much there is to draw: distinct patches, their entropy, and the share the `codes` commonest ones cover."""
    _, counts = distinct_patches(frames)
    share = np.sort(counts)[::-1] / counts.sum()
    return {
        f"{prefix}distinct_patches": float(len(counts)),
        f"{prefix}patch_entropy_bits": float(-(share * np.log2(share)).sum()),
        f"{prefix}commonest_patches_coverage": float(share[:codes].sum()),
    }


def held_out_metrics(
    tokenizer: Tokenizer, patches: PatchKMeans, train: np.ndarray, frames: np.ndarray
) -> dict[str, float]:
    """All metrics on held-out video frames `(N, 144, 160) uint8`: under `test/` over all of them, under `test/<type>/` over
    the frames of each type of screen that occurs (see `screens`).
    """
    codes = len(tokenizer.codebook)
    seen = Seen(
        frames, *tokens_and_drawings(tokenizer, frames), patches.encode(frames), patches.reconstruct(frames)
    )
    majority = commonest_shade(train)
    found = {
        **seen.metrics("test/", majority),
        **code_use(seen.tokens, codes, "test/"),
        **code_use(seen.rival_tokens, codes, "test/patch_kmeans_"),
        **sufficiency(frames, codes, "test/"),
    }
    types = screen_types(frames)
    for i, name in enumerate(SCREEN_TYPES):
        if (chosen := types == i).any():
            found |= seen.only(chosen).metrics(f"test/{name}/", majority)
            found[f"test/{name}/perplexity"] = code_use(seen.tokens[chosen], codes, "")["perplexity"]
    return found


@dataclass(frozen=True)
class Seen:
    """Frames with what the tokenizer and patch k-means make of them."""

    frames: np.ndarray
    tokens: np.ndarray
    drawings: np.ndarray
    rival_tokens: np.ndarray
    rival_drawings: np.ndarray

    def only(self, chosen: np.ndarray) -> "Seen":
        """Those of some frames, `(N,) bool`."""
        return Seen(*(getattr(self, field.name)[chosen] for field in dataclass_fields(self)))

    def metrics(self, prefix: str, majority: int) -> dict[str, float]:
        """Accuracy and PSNR beside patch k-means' and, for accuracy, the commonest shade's."""
        return {
            f"{prefix}exact_shade_accuracy": exact_shade_accuracy(self.frames, self.drawings),
            f"{prefix}patch_kmeans_accuracy": exact_shade_accuracy(self.frames, self.rival_drawings),
            f"{prefix}majority_accuracy": float((self.frames == majority).mean()),
            f"{prefix}psnr_db": psnr_db(self.frames, self.drawings),
            f"{prefix}patch_kmeans_psnr_db": psnr_db(self.frames, self.rival_drawings),
            f"{prefix}frames": float(len(self.frames)),
        }


def gate(config: TokenizerConfig, metrics: Mapping[str, float]) -> dict[str, Any]:
    """The facts `gate`, `gate_passed` and `gate_missed`."""
    rival = metrics["test/patch_kmeans_accuracy"]
    return verdict(
        [
            Demand("test/codes_used", metrics["test/codes_used"], config.gate_codes_used),
            Demand(
                "test/exact_shade_accuracy",
                metrics["test/exact_shade_accuracy"],
                rival + config.gate_over_kmeans,
            ),
        ]
    )
