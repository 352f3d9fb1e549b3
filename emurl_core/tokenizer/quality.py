"""How well frames survive the codebook, on frames the tokenizer never saw, beside its baselines."""

import numpy as np
import torch

from emurl_core.screen import SHADES
from emurl_core.tokenizer.baselines import PatchKMeans, commonest_shade, distinct_patches
from emurl_core.tokenizer.model import Tokenizer

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
    """All metrics on held-out video frames `(N, 144, 160) uint8`, under `test/`."""
    codes = len(tokenizer.codebook)
    tokens, drawings = tokens_and_drawings(tokenizer, frames)
    rival = patches.reconstruct(frames)
    rival_use = code_use(patches.encode(frames), codes, "test/patch_kmeans_")
    return {
        "test/exact_shade_accuracy": exact_shade_accuracy(frames, drawings),
        "test/patch_kmeans_accuracy": exact_shade_accuracy(frames, rival),
        "test/majority_accuracy": float((frames == commonest_shade(train)).mean()),
        "test/psnr_db": psnr_db(frames, drawings),
        "test/patch_kmeans_psnr_db": psnr_db(frames, rival),
        **code_use(tokens, codes, "test/"),
        "test/patch_kmeans_codes_used": rival_use["test/patch_kmeans_codes_used"],
        "test/patch_kmeans_perplexity": rival_use["test/patch_kmeans_perplexity"],
        **sufficiency(frames, codes, "test/"),
        "test/frames": float(len(frames)),
    }
