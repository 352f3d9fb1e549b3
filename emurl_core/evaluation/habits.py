"""How an episode was spent, told from what was seen alone: in a loop, in menus, among how many different pictures.

A loop is what the sentinels of the policy's training call a trap: few different frames over half a minute. Frames are held
against each other as they are, not as tokens, so that players without a tokenizer cost no more: tokens may make two frames
one, so the share of a training's report can be a little higher.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from emurl_core.policy.ruts import WINDOW, trapped


def loop_share(pictures: np.ndarray) -> float | None:
    """Share of the steps from the 64th on that ended in a loop, in [0, 1]; None for shorter episodes.

    Args:
        pictures: `(steps + 1,)` numbers, one a frame, equal for equal ones; the first frame, before any step, does not count.
    """
    if len(pictures) <= WINDOW:
        return None
    return float(trapped(sliding_window_view(pictures[1:], WINDOW)).mean())


def menu_share(still: np.ndarray) -> float | None:
    """Share of frames that are titles, menus or fades: `(N,) bool`, the type `still` of `emurl_core.tokenizer.screens`."""
    return float(still.mean()) if len(still) else None


def distinct(pictures: np.ndarray) -> np.ndarray:
    """How many different pictures had been seen after each step: `(steps + 1,)` numbers `-> (steps + 1,) int64`."""
    fresh = np.zeros(len(pictures), np.int64)
    fresh[np.unique(pictures, return_index=True)[1]] = 1
    return fresh.cumsum()
