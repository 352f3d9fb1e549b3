"""How a seed makes episodes of a deterministic machine differ: by idle frames before the first action.

Shared by the single environment (`env`) and the vector (`parallel`), so one seed is one episode in both.
"""

import numpy as np

MAX_IDLE_FRAMES = 240
"""A seeded reset waits up to this many frames (4 s): enough to shift every timer and the game's own random numbers."""


def draw_idle_frames(stream: np.random.Generator, max_idle_frames: int = MAX_IDLE_FRAMES) -> int:
    """Frames to wait before an episode, uniform in [0, max_idle_frames]."""
    return int(stream.integers(0, max_idle_frames + 1))
