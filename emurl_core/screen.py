"""The shared vocabulary of a Game Boy picture and its buttons.

Every stage speaks in these terms; nothing here computes more than a look-up. How videos become shades is in
`emurl_core.frames`, how an emulator does it is in `emurl_core.game`.
"""

from enum import IntEnum

import numpy as np

WIDTH_PX = 160
HEIGHT_PX = 144
FRAME_SHAPE = (HEIGHT_PX, WIDTH_PX)

SHADES = 4
"""Shades of a frame: 0 is the lightest, 3 the darkest."""

PATCH_PX = 16
GRID_SHAPE = (HEIGHT_PX // PATCH_PX, WIDTH_PX // PATCH_PX)
"""Rows and columns of the token grid, (9, 10): one token for each 16×16 pixel metatile."""

TOKENS = GRID_SHAPE[0] * GRID_SHAPE[1]

STEP_FRAMES = 30
"""Emulator frames in one agent step: half a second, so that agent steps and 2 FPS video frames share a clock."""

PRESS_FRAMES = 8
"""Emulator frames a button is held within a step. Releasing it matters: a held A+B+Start+Select resets the game."""

EMULATOR_FPS = 4194304 / 70224
"""Frames a second of the real hardware, 59.7275."""

SHADE_TO_GREY = np.array([255, 153, 85, 0], dtype=np.uint8)
"""Grey level drawn for each shade; PyBoy's own four levels."""


class Button(IntEnum):
    """The eight actions, in the order of `Discrete(8)`."""

    UP = 0
    DOWN = 1
    LEFT = 2
    RIGHT = 3
    A = 4
    B = 5
    START = 6
    SELECT = 7


BUTTON_NAMES = tuple(b.name.lower() for b in Button)

_UNPACK = np.array([[(byte >> shift) & 3 for shift in (6, 4, 2, 0)] for byte in range(256)], dtype=np.uint8)


def pack_shades(frames: np.ndarray) -> np.ndarray:
    """Pack four shades into each byte, leftmost pixel in the highest bits.

    `(..., 144, 160) uint8 in [0, 4) -> (..., 5760) uint8`
    """
    quads = frames.reshape(*frames.shape[:-2], -1, 4)
    return (quads[..., 0] << 6) | (quads[..., 1] << 4) | (quads[..., 2] << 2) | quads[..., 3]


def unpack_shades(packed: np.ndarray) -> np.ndarray:
    """Undo `pack_shades`: `(..., 5760) uint8 -> (..., 144, 160) uint8 in [0, 4)`."""
    # `take` into a 256×4 table is ten times faster here than fancy indexing or shifts.
    return np.take(_UNPACK, packed, axis=0).reshape(*packed.shape[:-1], *FRAME_SHAPE)


def shades_to_rgb(frames: np.ndarray) -> np.ndarray:
    """Grey picture to look at: `(..., 144, 160) uint8 in [0, 4) -> (..., 144, 160, 3) uint8`."""
    return np.repeat(SHADE_TO_GREY[frames][..., None], 3, axis=-1)
