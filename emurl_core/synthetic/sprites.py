"""Where the hardware draws sprites: what a Game Boy Color paints in other colours than the background."""

import numpy as np

from emurl_core.game.emulator import Emulator
from emurl_core.screen import FRAME_SHAPE, HEIGHT_PX, WIDTH_PX

_OAM, _OAM_BYTES = 0xFE00, 160
_TILES, _TILES_BYTES = 0x8000, 0x1000
_LCDC = 0xFF40
_BEHIND, _FLIP_Y, _FLIP_X = 0x80, 0x40, 0x20


def sprite_mask(emulator: Emulator) -> np.ndarray:
    """`(144, 160) bool`: pixels that a sprite covers now. Sprites behind the background are left out."""
    tall = bool(emulator.memory(_LCDC)[0] & 4)
    return draw_mask(emulator.memory(_OAM, _OAM_BYTES), emulator.memory(_TILES, _TILES_BYTES), tall)


def draw_mask(oam: bytes, tiles: bytes, tall: bool) -> np.ndarray:
    """The mask from the 40 entries of object memory and the tile data at 0x8000."""
    rows = 16 if tall else 8
    # A margin, since sprites may hang over every edge.
    mask = np.zeros((HEIGHT_PX + 2 * 16, WIDTH_PX + 2 * 8), dtype=bool)
    for i in range(0, _OAM_BYTES, 4):
        y, x, tile, flags = oam[i : i + 4]
        if not (0 < y < HEIGHT_PX + 16 and 0 < x < WIDTH_PX + 8) or flags & _BEHIND:
            continue
        first = (tile & 0xFE if tall else tile) * 16
        planes = np.frombuffer(tiles, dtype=np.uint8, count=2 * rows, offset=first).reshape(rows, 2)
        shape = np.unpackbits(planes[:, 0] | planes[:, 1]).reshape(rows, 8).astype(bool)
        if flags & _FLIP_Y:
            shape = shape[::-1]
        if flags & _FLIP_X:
            shape = shape[:, ::-1]
        mask[y : y + rows, x : x + 8] |= shape[: mask.shape[0] - y]
    return mask[16 : 16 + FRAME_SHAPE[0], 8 : 8 + FRAME_SHAPE[1]]
