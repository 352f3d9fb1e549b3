"""Which 8×8 tiles a game draws, learnt from an emulator under random play and kept by ROM.

A Game Boy composes its picture of 8×8 tiles that lie on an 8-pixel grid whenever nothing scrolls. So frames that were cut
out of a video rightly show, at the grid's places, the very tiles that the emulator shows. Who judges crops by that:
`emulator_check`.
"""

import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emurl_core.game.parallel import VectorGame
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.screen import FRAME_SHAPE, SHADES, Button

TILE_PX = 8
TILE_ROWS, TILE_COLUMNS = FRAME_SHAPE[0] // TILE_PX, FRAME_SHAPE[1] // TILE_PX
BOOK_VERSION = "2"
_log = logging.getLogger(__name__)

SIDES = (("top", 1, 0), ("bottom", 1, -1), ("left", 2, 0), ("right", 2, -1))
"""Name, axis of `(n, 18, 20)` and place of the outermost rows and columns."""
_TILES_BESIDE = 3
_EMULATORS = 6
_STEPS = 600
_LOOK_EVERY_STEPS = 2
_STICKY = 0.5
_SEEN_AT_LEAST = 3
"""Looks that show a pattern: what shows but once was caught while scrolling."""

_MULTIPLIERS = np.random.default_rng(20231).integers(1, 2**63, (2, TILE_PX), dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True)
class TileBook:
    """The tiles of a game.

    Attributes:
        hashes: `(n,) uint64`, sorted: `tile_hashes` of the tiles with detail in both directions.
        tiles: `(n, 8, 8) uint8 in [0, 4)`, the tiles themselves.
        rims: `(4,) float`, see `filled_rims`: the share in the emulator's own frames.
    """

    hashes: np.ndarray
    tiles: np.ndarray
    rims: np.ndarray

    def knows(self, hashes: np.ndarray) -> np.ndarray:
        """Which of these are tiles of the game: `(...) uint64 -> (...) bool`."""
        if not len(self.hashes):
            return np.zeros(hashes.shape, bool)
        place = np.searchsorted(self.hashes, hashes).clip(0, len(self.hashes) - 1)
        return self.hashes[place] == hashes

    def resembles(self, tiles: np.ndarray, at_most_px: int = TILE_PX) -> np.ndarray:
        """Which tiles differ from one of the game's in so many pixels at most: `(n, 8, 8) uint8 -> (n,) bool`."""
        if not len(self.hashes) or not len(tiles):
            return np.zeros(len(tiles), bool)
        equal_px = _one_hot(tiles) @ _one_hot(self.tiles).T
        return equal_px.max(1) >= TILE_PX * TILE_PX - at_most_px


def tile_book(game: GameConfig, home: Path) -> TileBook:
    """The tiles of a game, from `home/cache`; played for some seconds when they are not there yet.

    Raises ValueError when the ROM cannot be read or played.
    """
    opened = open_game(game)
    path = home / "cache" / "emulator_tiles" / f"{opened.sha1}-{BOOK_VERSION}.npz"
    if (known := _load(path)) is not None:
        return known
    _log.info("playing %s at random to learn its tiles (once for each ROM)", opened.game.title)
    book = play_for_tiles(game)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with staged.open("wb") as f:
            np.savez(f, hashes=book.hashes, tiles=book.tiles, rims=book.rims)
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    return book


def play_for_tiles(game: GameConfig, emulators: int = _EMULATORS, steps: int = _STEPS) -> TileBook:
    """The tiles that random play from power-on shows. The same arguments give the same book."""
    random = np.random.default_rng(0)
    looks: list[np.ndarray] = []
    tiles: dict[int, np.ndarray] = {}
    with VectorGame(game, emulators, 0, 0) as player:
        player.reset()
        actions = random.integers(0, len(Button), emulators)
        for step in range(steps):
            fresh = random.random(emulators) >= _STICKY
            actions = np.where(fresh, random.integers(0, len(Button), emulators), actions)
            frames = player.step(actions)
            if step % _LOOK_EVERY_STEPS == 0:
                looks.append(grid(tile_hashes(frames)))
                for i, row, column in np.argwhere(looks[-1] != 0):
                    tiles.setdefault(int(looks[-1][i, row, column]), _tile(frames[i], row, column))
    seen = np.concatenate(looks)
    patterns, counts = np.unique(_once_a_frame(seen), return_counts=True)
    # 0 stands for tiles without detail.
    hashes = patterns[(counts >= _SEEN_AT_LEAST) & (patterns != 0)]
    drawn = np.array([tiles[h] for h in hashes.tolist()], np.uint8).reshape(-1, TILE_PX, TILE_PX)
    book = TileBook(hashes, drawn, np.zeros(len(SIDES)))
    known = book.knows(seen)
    return TileBook(hashes, drawn, np.array([_filled(known, known, side)[0] for side in SIDES]))


def filled_rims(frames: np.ndarray, hashes: np.ndarray, book: TileBook) -> list[tuple[float, int]]:
    """For each of `SIDES`: how often its outermost row or column shows tiles of the game when the one beside it does, and
    in how many different pictures that one does.

    At the rim a tile may differ in a line of pixels: there the picture blends with what is around it.

    Args:
        frames: `(n, 144, 160) uint8 in [0, 4)`.
        hashes: their `tile_hashes` at the places of the grid.
    """
    known = book.knows(hashes)
    alike = known.copy()
    for axis, place in ((1, 0), (1, -1), (2, 0), (2, -1)):
        line = np.take(hashes, place, axis)
        unsure = np.argwhere((line != 0) & ~np.take(known, place, axis))
        last = hashes.shape[axis] - 1
        where = [
            (i, *((last if place else 0, k) if axis == 1 else (k, last if place else 0))) for i, k in unsure
        ]
        found = book.resembles(
            np.array([_tile(frames[i], r, c) for i, r, c in where]).reshape(-1, TILE_PX, TILE_PX)
        )
        for (i, row, column), yes in zip(where, found, strict=True):
            alike[i, row, column] |= bool(yes)
    return [_filled(known, alike, side, hashes) for side in SIDES]


def tile_hashes(frames: np.ndarray) -> np.ndarray:
    """A hash of the 8×8 pixels below and right of every pixel: `(n, 144, 160) uint8 -> (n, 137, 153) uint64`.

    Equal tiles, equal hash. 0 where a tile has no detail, or stripes only: such fit anywhere and tell nothing.
    """
    values = frames.astype(np.uint64) + np.uint64(1)
    down, across = _MULTIPLIERS
    width, height = frames.shape[2] - TILE_PX + 1, frames.shape[1] - TILE_PX + 1
    total = np.zeros((len(frames), frames.shape[1], width), np.uint64)
    for k in range(TILE_PX):
        total += values[:, :, k : k + width] * across[k]
    hashed = np.zeros((len(frames), height, width), np.uint64)
    for k in range(TILE_PX):
        hashed += total[:, k : k + height] * down[k]
    changes_x = _window_sums(frames[:, :, 1:] != frames[:, :, :-1], TILE_PX, TILE_PX - 1)
    changes_y = _window_sums(frames[:, 1:] != frames[:, :-1], TILE_PX - 1, TILE_PX)
    hashed[(changes_x == 0) | (changes_y == 0)] = 0
    return hashed


def grid(everywhere: np.ndarray) -> np.ndarray:
    """The places of the grid: `(n, 137, 153) -> (n, 18, 20)`."""
    return everywhere[:, ::TILE_PX, ::TILE_PX]


def _filled(
    known: np.ndarray, alike: np.ndarray, side: tuple[str, int, int], hashes: np.ndarray | None = None
) -> tuple[float, int]:
    _, axis, place = side
    beside = np.take(known, -2 if place else 1, axis).sum(1) >= _TILES_BESIDE
    rim = np.take(alike, place, axis).any(1)
    different = 0
    if hashes is not None:
        different = len(np.unique(np.take(hashes, -2 if place else 1, axis)[beside], axis=0))
    return (float(rim[beside].mean()) if beside.any() else 0.0), different


def _tile(frame: np.ndarray, row: int, column: int) -> np.ndarray:
    return frame[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX].copy()


def _one_hot(tiles: np.ndarray) -> np.ndarray:
    return np.eye(SHADES, dtype=np.float32)[tiles].reshape(len(tiles), -1)


def _once_a_frame(seen: np.ndarray) -> np.ndarray:
    return np.concatenate([np.unique(frame) for frame in seen])


def _window_sums(flags: np.ndarray, height: int, width: int) -> np.ndarray:
    sums = np.pad(flags, ((0, 0), (1, 0), (1, 0))).astype(np.int32).cumsum(1).cumsum(2)
    return (
        sums[:, height:, width:]
        - sums[:, :-height, width:]
        - sums[:, height:, :-width]
        + sums[:, :-height, :-width]
    )


def _load(path: Path) -> TileBook | None:
    try:
        with np.load(path, allow_pickle=False) as data:
            return TileBook(data["hashes"], data["tiles"], data["rims"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # Missing, or damaged by a crash of the machine: played again.
        return None
