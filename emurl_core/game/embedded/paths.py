"""Walking in the world by rule: what one step does, and the shortest way to a place.

The same rules as the game's C code (tests/game/test_embedded_rom.py holds the two together), without battles and talk.
"""

from collections import deque

from .vocabulary import NOTHING, Event, Facing
from .world import MAPS, Place


def step(place: Place, facing: Facing, events: Event = NOTHING) -> Place:
    """Where one press of a direction leads: the next tile, over a ledge, through a warp, or nowhere."""
    number, x, y = place
    here = MAPS[number]
    dx, dy = facing.step
    x, y = x + dx, y + dy
    if here.ledge(x, y):
        if facing is not Facing.DOWN or not here.walkable(x, y + 1, events):
            return place
        y += 1
    elif not here.walkable(x, y, events):
        return place
    number, x, y = here.warps.get((x, y), (number, x, y))
    return int(number), x, y


def reachable(start: Place, events: Event = NOTHING) -> dict[Place, tuple[Place, Facing] | None]:
    """Every place that can be walked to, each with the step that leads there on a shortest way."""
    start = (int(start[0]), start[1], start[2])
    came: dict[Place, tuple[Place, Facing] | None] = {start: None}
    queue = deque([start])
    while queue:
        place = queue.popleft()
        for facing in Facing:
            after = step(place, facing, events)
            if after not in came:
                came[after] = (place, facing)
                queue.append(after)
    return came


def find_path(start: Place, goal: Place, events: Event = NOTHING) -> list[Facing] | None:
    """Directions of a shortest way, or None. A goal on a warp tile means: step on it."""
    number, x, y = goal
    warp = MAPS[number].warps.get((x, y))
    came = reachable(start, events)
    if warp is None:
        last = (int(number), x, y)
        return _directions(came, last) if last in came else None
    ways = [
        [*_directions(came, before), facing]
        for facing in Facing
        for before in [(int(number), x - facing.step[0], y - facing.step[1])]
        if before in came and step(before, facing, events) == (int(warp[0]), warp[1], warp[2])
    ]
    return min(ways, key=len, default=None)


def _directions(came: dict[Place, tuple[Place, Facing] | None], last: Place) -> list[Facing]:
    way: list[Facing] = []
    while (link := came[last]) is not None:
        last, facing = link
        way.append(facing)
    return way[::-1]
