"""Finding a way as a person with habits would: nearly the shortest, off the grass or not, never into a hole."""

import heapq
from functools import lru_cache, reduce
from operator import or_

import numpy as np

from emurl_core.game.embedded.paths import step
from emurl_core.game.embedded.state import Event, Facing
from emurl_core.game.embedded.world import MAPS, MapId, Place

SHUNNED = frozenset({int(MapId.GROVE), int(MapId.PIT)})
"""Maps that lead nowhere. Who wants to finish stays out."""


_PRESENCE = reduce(or_, (npc.needs | npc.gone for here in MAPS.values() for npc in here.npcs), Event(0))
"""Events that decide who stands in the way somewhere."""


def exits(place: Place, events: Event) -> tuple[tuple[Facing, Place], ...]:
    """The steps that lead anywhere from a place, each with where to."""
    return _exits(plain(place), int(events & _PRESENCE))


@lru_cache(maxsize=50_000)
def _exits(place: Place, events: int) -> tuple[tuple[Facing, Place], ...]:
    found = ((facing, plain(step(place, facing, Event(events)))) for facing in Facing)
    return tuple((facing, after) for facing, after in found if after != place)


class Taste:
    """How much each tile costs one player: noise that differs by seed but not by the minute.

    Args:
        noise: up to how much a tile may cost more than 1.
        grass: how much a tile of grass costs more than another.
    """

    def __init__(self, rng: np.random.Generator, noise: float, grass: float) -> None:
        self._costs = {
            number: 1
            + noise * rng.random((here.height, here.width))
            + grass * np.array([[here.grass(x, y) for x in range(here.width)] for y in range(here.height)])
            for number, here in MAPS.items()
        }

    def cost(self, place: Place) -> float:
        """What standing there costs."""
        return float(self._costs[place[0]][place[2], place[1]])


def find_way(
    start: Place, goal: Place, events: Event, taste: Taste, shunned: frozenset[int] = SHUNNED
) -> list[tuple[Facing, Place]] | None:
    """The cheapest way: steps, each with the place that it leads to. None when there is no way.

    A goal on a warp tile is reached by stepping on it.
    """
    start, goal = plain(start), plain(goal)
    through = MAPS[goal[0]].warps.get((goal[1], goal[2]))
    came: dict[Place, tuple[Place, Facing]] = {}
    costs: dict[Place, float] = {start: 0.0}
    queue: list[tuple[float, Place]] = [(0.0, start)]
    while queue:
        cost, place = heapq.heappop(queue)
        if through is None and place == goal:
            return _steps(came, start, place)
        if cost > costs[place]:
            continue
        for facing, after in exits(place, events):
            if through is not None and after == plain(through) and ahead(place, facing) == goal:
                return [*_steps(came, start, place), (facing, after)]
            if after[0] in shunned:
                continue
            found = cost + taste.cost(after)
            if found < costs.get(after, float("inf")):
                costs[after] = found
                came[after] = (place, facing)
                heapq.heappush(queue, (found, after))
    return None


def ahead(place: Place, facing: Facing) -> Place:
    """The tile in front."""
    dx, dy = facing.step
    return place[0], place[1] + dx, place[2] + dy


def plain(place: Place) -> Place:
    """With a plain map number, so that places compare and hash alike."""
    return int(place[0]), int(place[1]), int(place[2])


def _steps(came: dict[Place, tuple[Place, Facing]], start: Place, last: Place) -> list[tuple[Facing, Place]]:
    steps = []
    while last != start:
        before, facing = came[last]
        steps.append((facing, last))
        last = before
    return steps[::-1]
