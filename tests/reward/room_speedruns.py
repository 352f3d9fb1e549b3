"""Speedruns through a small made-up world: fast to draw, but with what makes ranking frames hard.

A camera walks through rooms of 16×16 tiles, stands still, goes back now and then, and a text box covers the lower part at
random moments. Rooms come in a fixed order; some share their tiles.
"""

from functools import cache

import numpy as np
from tile_speedruns import run_ids

from emurl_core.reward import RewardConfig
from emurl_core.screen import HEIGHT_PX, PATCH_PX, WIDTH_PX

FRAMES = 40
TINY = RewardConfig(
    width=8, downsample=4, steps=120, batch_size=8, learning_rate=4e-3, warmup_steps=10, validate_every=50,
    max_shift_px=2, soften_frames=2.0, gate_kendall_tau=0.4,
)  # fmt: skip
ROOMS = 6
_ROOM_TILES = 24


@cache
def _rooms() -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(5)
    rooms = []
    for room in range(ROOMS):
        tiles = np.random.default_rng(100 + room // 2).integers(0, 4, (8, 4, 4)).repeat(4, 1).repeat(4, 2)
        chosen = generator.choice(8, size=(9, _ROOM_TILES), p=np.array([9, 3, 2, 2, 1, 1, 1, 1]) / 20)
        rooms.append(
            tiles[chosen].transpose(0, 2, 1, 3).reshape(HEIGHT_PX, _ROOM_TILES * PATCH_PX).astype(np.uint8)
        )
    return tuple(rooms)


def speedrun(seed: int, frames: int) -> np.ndarray:
    """One run: `(frames, 144, 160) uint8 in [0, 4)`."""
    generator = np.random.default_rng(seed)
    pace = generator.choice([-0.5, 0.0, 1.0, 2.0], size=frames, p=[0.1, 0.2, 0.4, 0.3])
    place = np.clip(np.cumsum(pace) / pace.sum(), 0, 0.9999) * ROOMS
    run = np.empty((frames, HEIGHT_PX, WIDTH_PX), np.uint8)
    for i, at in enumerate(place):
        room, within = _rooms()[int(at)], at - int(at)
        left = int(within * (room.shape[1] - WIDTH_PX))
        run[i] = room[:, left : left + WIDTH_PX]
        if generator.random() < 0.15:
            run[i, 96:] = 0
            run[i, 104:112, 8 : 8 + 8 * generator.integers(1, 18)] = 3
    return run


def runs(frames: int = FRAMES, held_out_backwards: bool = False) -> dict[str, np.ndarray]:
    """Four runs to train, one to validate, two to test; these played backwards on demand."""
    names = [*run_ids("train", 4), *run_ids("validation", 1), *run_ids("test", 2)]
    pictures = {name: speedrun(i, frames) for i, name in enumerate(names)}
    if held_out_backwards:
        pictures |= {name: pictures[name][::-1].copy() for name in names[-2:]}
    return pictures
