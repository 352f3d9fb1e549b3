"""Where a video moves, and where its layout changes.

A Game Boy screen scrolls, fades and switches scenes, so over a minute nearly all of its pixels change, while a streamer's
layout stands still around it. Who turns that into rectangles: `candidates`.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

SATURATION = 40.0
"""Luma change that counts in full. Larger ones are no better evidence."""
NOISE = 4.0
"""Luma change that compression alone makes."""
_EVIDENCE = (np.clip((np.arange(256) - NOISE) / (SATURATION - NOISE), 0, 1) * 255).astype(np.uint8)
_BLOCK_PX = 8
_CHANGED = 14.0
_NEW_LAYOUT = 0.15
"""Share of the blocks still in two stretches that differ between them, above which these are two layouts."""


def activity_map(lumas: Sequence[np.ndarray]) -> np.ndarray:
    """How much each pixel changes from picture to picture: `n × (H, W) uint8 -> (H, W) float32 in [0, 1]`."""
    total = np.zeros(lumas[0].shape, np.float32)
    for before, after in pairwise(lumas):
        cv2.accumulate(cv2.LUT(cv2.absdiff(before, after), _EVIDENCE), total)
    return total / (255 * max(1, len(lumas) - 1))


def layout_changes(lumas: Sequence[np.ndarray], share: float = 0.05) -> list[int]:
    """Indices of pictures at which what stood still before changes once and stands still again.

    Such pixels belong to the layout; where they fill more than `share` of the picture, the layout may have been switched.
    A game that stands still for long does the same: a cut is kept only when little of what stands still over the whole
    stretches before and after it is the same in both.
    """
    small = np.stack([_blocks(luma) for luma in lumas])
    changed = np.abs(np.diff(small, axis=0)) > _CHANGED
    cuts = []
    for i in range(len(changed)):
        calm = np.ones(changed.shape[1:], bool)
        for j in (i - 2, i - 1, i + 1, i + 2):
            if 0 <= j < len(changed):
                calm &= ~changed[j]
        if (changed[i] & calm).mean() > share:
            cuts.append(i + 1)
    return _without_false(small, cuts)


def _without_false(small: np.ndarray, cuts: list[int]) -> list[int]:
    """Drop, weakest first, cuts between stretches that look alike where both stand still."""
    cuts = list(cuts)
    while cuts:
        ends = [0, *cuts, len(small)]
        parts = [_still(small[a:b]) for a, b in pairwise(ends)]
        differing = [_differing(before, after) for before, after in pairwise(parts)]
        weakest = int(np.argmin(differing))
        if differing[weakest] > _NEW_LAYOUT:
            break
        del cuts[weakest]
    return cuts


def _still(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = np.median(blocks, axis=0)
    return (np.abs(blocks - middle) > 4.0).mean(0) < 0.1, middle


def _differing(before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]) -> float:
    both = before[0] & after[0]
    return float((np.abs(before[1] - after[1]) > 6.0)[both].mean()) if both.sum() >= 20 else 1.0


def _blocks(luma: np.ndarray) -> np.ndarray:
    height, width = luma.shape
    size = (max(1, width // _BLOCK_PX), max(1, height // _BLOCK_PX))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
