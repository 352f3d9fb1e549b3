"""Where players have been: on which tiles of which map where the game's maps are known, and how many pictures they saw.

Places come from RAM: for evaluation only. Maps are known of the embedded game; of others only the pictures are counted.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from emurl_core.evaluation.appearance import colour_of, label_of
from emurl_core.evaluation.episodes import Episode
from emurl_core.evaluation.habits import distinct
from emurl_core.game import OpenedGame
from emurl_core.game.embedded.world import MAPS

Tile = tuple[int, int, int]
"""Map, x, y."""

_GAP_TILES = 1
_ROW_TILES = 52
_VOID, _WALL, _FLOOR = (255, 255, 255), (70, 74, 72), (222, 226, 220)
_SELDOM, _ALWAYS = np.array([158, 202, 225]), np.array([8, 48, 107])


@cache
def walkable_tiles() -> frozenset[Tile]:
    """Every tile of the embedded game that one can stand on: no warp, which leads away, and nobody there for good."""
    return frozenset(
        (int(number), x, y)
        for number, here in MAPS.items()
        for x in range(here.width)
        for y in range(here.height)
        if here.walkable(x, y)
        and (x, y) not in here.warps
        and not any((n.x, n.y) == (x, y) and not n.needs and not n.gone for n in here.npcs)
    )


def knows_maps(opened: OpenedGame) -> bool:
    """Whether tiles can be counted in this game."""
    return opened.game.name == "embedded"


def tiles_visited(episode: Episode) -> set[Tile]:
    """Tiles of the embedded game that an episode stood on at the end of a step. What RAM says before the game runs is none."""
    return {(m, x, y) for m, x, y in np.unique(episode.places, axis=0).tolist()} & walkable_tiles()


def visited_share(episodes: Sequence[Episode]) -> float:
    """Share of all walkable tiles that the episodes visited between them, in [0, 1]."""
    return len(set().union(*(tiles_visited(e) for e in episodes))) / len(walkable_tiles())


def coverage_picture(groups: Mapping[str, Sequence[Episode]], path: Path) -> None:
    """All maps of the embedded game once a player: tiles are the bluer, the more of its episodes stood there."""
    corners, height = _layout()
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    figure = Figure(
        figsize=(7.2 * columns, 0.4 + rows * (0.5 + 7.0 * height / _ROW_TILES)), dpi=110, layout="constrained"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (player, episodes) in zip(panels, groups.items(), strict=False):
        axes.imshow(map_of_visits(episodes), interpolation="nearest")
        axes.set_title(f"{label_of(player)}: {visited_share(episodes):.0%} of the tiles", fontsize=10)
        for number, here in MAPS.items():
            x, y = corners[int(number)]
            axes.text(x - 0.4, y - 0.7, here.name, fontsize=6, va="bottom")
    figure.suptitle(
        "where each player stood, the bluer the more episodes (from RAM, for evaluation only)", fontsize=10
    )
    figure.savefig(path)


def map_of_visits(episodes: Sequence[Episode]) -> np.ndarray:
    """All maps side by side, a pixel a tile: `(height, 52, 3) uint8`. White is no map, grey is solid or never visited."""
    corners, height = _layout()
    canvas = np.full((height, _ROW_TILES, 3), _VOID, np.uint8)
    for number, here in MAPS.items():
        x, y = corners[int(number)]
        canvas[y : y + here.height, x : x + here.width] = _WALL
    for tile in walkable_tiles():
        canvas[corners[tile[0]][1] + tile[2], corners[tile[0]][0] + tile[1]] = _FLOOR
    seen = [tiles_visited(e) for e in episodes]
    for tile in set().union(*seen):
        share = sum(tile in s for s in seen) / len(seen)
        column, row = corners[tile[0]][0] + tile[1], corners[tile[0]][1] + tile[2]
        canvas[row, column] = _SELDOM + share * (_ALWAYS - _SELDOM)
    return canvas


def pictures_picture(groups: Mapping[str, Sequence[Episode]], path: Path) -> None:
    """Curves: different pictures seen so far over steps, the mean of each player's episodes."""
    figure = Figure(figsize=(6.5, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    for player, episodes in groups.items():
        longest = max(len(e.pictures) for e in episodes)
        curves = [distinct(e.pictures) for e in episodes]
        mean = np.mean([np.pad(c, (0, longest - len(c)), mode="edge") for c in curves], axis=0)
        axes.plot(np.arange(longest), mean, color=colour_of(player), label=label_of(player))
    axes.set_xlabel("steps of half a second")
    axes.set_ylabel("different pictures seen")
    axes.set_title("how much of the game was seen")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path)


@cache
def _layout() -> tuple[dict[int, tuple[int, int]], int]:
    """Upper left corner (column, row) of every map on the canvas, and its height: rows of maps, with room for their names."""
    corners: dict[int, tuple[int, int]] = {}
    x, y, tallest = 0, 2, 0
    for number, here in MAPS.items():
        if x + here.width > _ROW_TILES:
            x, y, tallest = 0, y + tallest + _GAP_TILES + 2, 0
        corners[int(number)] = (x, y)
        x, tallest = x + here.width + _GAP_TILES, max(tallest, here.height)
    return corners, y + tallest
