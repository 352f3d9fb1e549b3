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


def activity_map(lumas: Sequence[np.ndarray]) -> np.ndarray:
    """How much each pixel changes from picture to picture: `n × (H, W) uint8 -> (H, W) float32 in [0, 1]`."""
    total = np.zeros(lumas[0].shape, np.float32)
    for before, after in pairwise(lumas):
        cv2.accumulate(cv2.LUT(cv2.absdiff(before, after), _EVIDENCE), total)
    return total / (255 * max(1, len(lumas) - 1))


def layout_changes(lumas: Sequence[np.ndarray], share: float = 0.05) -> list[int]:
    """Indices of pictures at which what stood still before changes once and stands still again.

    Such pixels belong to the layout; where they fill more than `share` of the picture, the layout was switched. A game
    that stands still for long can make a false one: cheap, because equal rectangles are joined again later.
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
    return cuts


def _blocks(luma: np.ndarray) -> np.ndarray:
    height, width = luma.shape
    size = (max(1, width // _BLOCK_PX), max(1, height // _BLOCK_PX))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
