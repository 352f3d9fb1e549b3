"""Reading the classes of all intervals off frames of any length, window by window."""

from collections.abc import Callable

import numpy as np
import torch

from emurl_core.actions.classes import CLASSES, NONE
from emurl_core.actions.inverse_dynamics import InverseDynamics
from emurl_core.actions.motion import motion_features
from emurl_core.screen import unpack_shades

_CHUNK = 128


@torch.no_grad()
def read_actions(
    model: InverseDynamics, packed: Callable[[int, int], np.ndarray], count: int, device: torch.device
) -> np.ndarray:
    """Chances of each class in the interval after each frame: `(count, 9) float32`. The last frame's are none's.

    Args:
        packed: (begin, end) -> `(end - begin, 5760) uint8` frames that follow each other. Asked for a few at a time, so
            memory does not grow with `count`.
    """
    chances = np.zeros((count, CLASSES), np.float32)
    chances[-1:, NONE] = 1
    for begin in range(0, count - 1, _CHUNK):
        end = min(begin + _CHUNK, count - 1)
        first, last = max(0, begin - model.reach), min(count, end + 1 + model.reach)
        frames = torch.from_numpy(unpack_shades(packed(first, last))).to(device)
        found = model(motion_features(frames)[None]).softmax(-1)[0].cpu().numpy()
        chances[begin:end] = found[begin - first : end - first]
    return chances
