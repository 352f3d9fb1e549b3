"""What changes between two frames, and which way it moves, on the grid of 9×10: the fixed first layer of `inverse_dynamics`.

Nothing here is learnt. Whether a patch moved by four pixels to the left is one subtraction; a convolution takes thousands of
steps to find that out.
"""

import numpy as np
import torch

from emurl_core.screen import GRID_SHAPE, PATCH_PX, SHADES

_MOTIONS_PX = (4, 8)
"""Motions between two frames that are looked for in each direction: a walk's and a run's at 15 frames a second."""
CHANNELS = 3 + 4 * len(_MOTIONS_PX)
_GAIN = 4.0
"""Most of a picture stands still: means over patches are small numbers."""


def motion_features(frames: torch.Tensor) -> torch.Tensor:
    """`(F, 144, 160) uint8 in [0, 4) -> (F - 1, CHANNELS, 9, 10) float32` of each frame and the next.

    Channels: the shade before; how it changed; how much it changed; then, for each motion, how much better that motion
    explains the new picture than standing still does. Zero where nothing changes.
    """
    # Half the size first: an odd pixel of motion is then half explained by the nearest even one.
    corners = [frames[:, y::2, x::2] for y in (0, 1) for x in (0, 1)]
    seen = (corners[0] + corners[1] + corners[2] + corners[3]).float() / (4 * (SHADES - 1))
    before, after = seen[:-1], seen[1:]
    pooled = seen.new_zeros(len(before), CHANNELS, *GRID_SHAPE)
    pooled[:, 0] = _patches(before[:, None])[:, 0]
    # Where nothing changes, and that is half of most games, there is nothing to compute.
    moved = (frames[1:] != frames[:-1]).flatten(1).any(1)
    before, after = before[moved], after[moved]
    change = after - before
    still = change.abs()
    explained = [
        torch.relu(still - (after - before.roll(sign * pixels // 2, axis)).abs())
        for pixels in _MOTIONS_PX
        for axis in (-2, -1)
        for sign in (-1, 1)
    ]
    pooled[moved, 1:] = _GAIN * _patches(torch.stack([change, still, *explained], 1))
    return pooled


def _patches(pictures: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(pictures, PATCH_PX // 2)


def mirrored(motion: np.ndarray, axis: int) -> np.ndarray:
    """The features of mirrored pictures: `(..., CHANNELS, 9, 10)` of the same; axis -2 is upside down, -1 left to right."""
    down = [slice(first, first + 2) for first in range(3, CHANNELS, 4)]
    across = [slice(first + 2, first + 4) for first in range(3, CHANNELS, 4)]
    order = np.arange(CHANNELS)
    for pair in down if axis == -2 else across:
        order[pair] = order[pair][::-1]
    return np.flip(motion[..., order, :, :], axis)


def turned(motion: np.ndarray) -> np.ndarray:
    """The features of pictures whose rows became columns, as far as they fit: `(..., CHANNELS, 9, 10)` of the same."""
    order = np.arange(CHANNELS)
    for first in range(3, CHANNELS, 4):
        order[first : first + 4] = order[[first + 2, first + 3, first, first + 1]]
    found = np.zeros_like(motion)
    rows = motion.shape[-2]
    found[..., :rows] = np.swapaxes(motion[..., order, :, :], -1, -2)[..., :rows, :]
    return found
