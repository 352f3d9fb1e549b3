"""What kind of screen a frame is, by its pixels alone: the same rule for the embedded game, Pokémon Red and real videos.

For reports only: a model that is good on still menus may know nothing of walking, and means over all frames hide it.

| type | rule |
|---|---|
| `talk` | a framed box over the lowest three rows of the grid, above it a picture |
| `scene` | the same box, above it mostly blank: battles, introductions, the ending |
| `still` | no box, mostly blank: titles, menus, fades |
| `world` | all else, with the background's 8×8 tiles in step with the screen's |
| `scroll` | the same between two tiles, as in the middle of a step |

Held against the embedded game's own state on 1,418 held-out frames: `world` and `scroll` as one, `talk`, `scene` and `still`
agree in 95%, and most of what differs are fades, flashes and boxes that wait for words, which the game counts otherwise;
`world` and `scroll` are told apart as the scroll registers do in 91%. Half a millisecond to two a frame.
"""

import numpy as np

from emurl_core.screen import SHADES

SCREEN_TYPES = ("world", "scroll", "talk", "scene", "still")

_TILE_PX = 8
_BOX_TOP_PX = 96
_BOX_INSIDE_SHARE = 0.6
_LINE_SHARE = 0.98
_BLANK_TILES_SHARE = 0.4
_CHUNK_FRAMES = 128
_HASH_FACTOR = 0x9E3779B97F4A7C15


def screen_types(frames: np.ndarray) -> np.ndarray:
    """`(N, 144, 160) uint8 -> (N,) int64`, indices into `SCREEN_TYPES`."""
    parts = [_types(frames[start : start + _CHUNK_FRAMES]) for start in range(0, len(frames), _CHUNK_FRAMES)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def are_still(frames: np.ndarray) -> np.ndarray:
    """Whether each is of the type `still`, without asking of which type the others are: `(N, 144, 160) uint8 -> (N,) bool`."""
    return (_blank(frames).mean((1, 2)) > _BLANK_TILES_SHARE) & ~has_text_box(frames)


def _blank(frames: np.ndarray) -> np.ndarray:
    """`(N, 144, 160) -> (N, 18, 20) float32`: 1 for 8×8 squares with nothing in them."""
    squares = frames.reshape(len(frames), -1, _TILE_PX, 20, _TILE_PX)
    return (squares.max((2, 4)) == 0).astype(np.float32)


def _types(frames: np.ndarray) -> np.ndarray:
    blank = _blank(frames)
    boxed = has_text_box(frames)
    above = blank[:, : _BOX_TOP_PX // _TILE_PX].mean((1, 2)) > _BLANK_TILES_SHARE
    mostly_blank = blank.mean((1, 2)) > _BLANK_TILES_SHARE
    names = np.select(
        [boxed & above, boxed, mostly_blank, between_tiles(frames)],
        ["scene", "talk", "still", "scroll"],
        "world",
    )
    return np.array([SCREEN_TYPES.index(name) for name in names], dtype=np.int64)


def has_text_box(frames: np.ndarray) -> np.ndarray:
    """Whether the lowest 48 pixel rows are a box: one shade inside, framed on all four sides by a line of others.

    `(N, 144, 160) uint8 -> (N,) bool`.
    """
    low = frames[:, _BOX_TOP_PX:]
    inside = low[:, _TILE_PX:-_TILE_PX, _TILE_PX:-_TILE_PX]
    counts = np.stack([(inside == shade).mean((1, 2)) for shade in range(SHADES)])
    line = low != counts.argmax(0)[:, None, None]
    across, down = line[:, :, _TILE_PX:-_TILE_PX].mean(2), line[:, _TILE_PX:-_TILE_PX].mean(1)
    sides = [across[:, :_TILE_PX], across[:, -_TILE_PX:], down[:, :_TILE_PX], down[:, -_TILE_PX:]]
    framed = np.minimum.reduce([side.max(1) for side in sides])
    return (framed >= _LINE_SHARE) & (counts.max(0) >= _BOX_INSIDE_SHARE)


def between_tiles(frames: np.ndarray) -> np.ndarray:
    """Whether the background has scrolled by a part of a tile.

    `(N, 144, 160) uint8 -> (N,) bool`. A background is made of few tiles, often repeated: cut where the tiles are, it falls
    into fewer different squares than cut anywhere else. People and the player scroll along one axis at a time.
    """
    squares = _squares(frames)
    shifts = [(0, 0), *((0, x) for x in range(1, _TILE_PX)), *((y, 0) for y in range(1, _TILE_PX))]
    # Without the last row and column, which shifted grids lack.
    cuts = [squares[:, y : y + 129 : _TILE_PX, x : x + 145 : _TILE_PX] for y, x in shifts]
    different = [(np.diff(np.sort(cut.reshape(len(cut), -1)), axis=1) != 0).sum(1) for cut in cuts]
    return np.argmin(different, axis=0) != 0


def _squares(frames: np.ndarray) -> np.ndarray:
    """A number for the 8×8 pixels from each place on, equal for equal ones: `(N, 144, 160) -> (N, 137, 153) uint64`."""
    rows = np.zeros((len(frames), frames.shape[1], frames.shape[2] - _TILE_PX + 1), np.uint64)
    for x in range(_TILE_PX):
        rows = rows << np.uint64(2) | frames[:, :, x : x + rows.shape[2]]
    squares = np.zeros((len(frames), frames.shape[1] - _TILE_PX + 1, rows.shape[2]), np.uint64)
    for y in range(_TILE_PX):
        squares = squares * np.uint64(_HASH_FACTOR) + rows[:, y : y + squares.shape[1]]
    return squares
