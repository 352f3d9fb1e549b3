"""Milestones and true progress of the embedded game, decoded from its state table.

Progress counts the milestones and, between two of them, the share of the shortest walk to the next goal that is done, so
that also a random agent's wanderings can be told apart. For evaluation only, see `milestones`.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_

from emurl_core.game.embedded.paths import step
from emurl_core.game.embedded.state import MAGIC, OFFSETS, STATE_ADDRESS, Event, Facing, Scene
from emurl_core.game.embedded.world import GOALS, MAPS, MILESTONES, START, Goal, Place
from emurl_core.game.milestones import ReadMemory, Truth

EMBEDDED_MILESTONES: tuple[str, ...] = MILESTONES

_MILESTONE_BITS = (1 << len(MILESTONES)) - 1
_READ_BYTES = max(sum(OFFSETS[name]) for name in ("magic", "scene", "map", "x", "y", "events"))
_MAGIC, _SCENE, _MAP, _X, _Y, _EVENTS = (OFFSETS[n][0] for n in ("magic", "scene", "map", "x", "y", "events"))

_OPENING = {Scene.INTRO: 1 / 3, Scene.NAMING: 2 / 3}
"""Share of the way from leaving the title to having a name."""

_PRESENCE = reduce(or_, (npc.needs | npc.gone for here in MAPS.values() for npc in here.npcs), Event(0))
"""Events that decide who stands in the way somewhere."""


class EmbeddedTracker:
    """Truth of one emulator with the embedded game. `milestones` are those of the episode, surviving a soft reset."""

    def __init__(self) -> None:
        self._reached = 0

    def reset(self, read: ReadMemory) -> None:
        self._reached = 0

    def read(self, read: ReadMemory) -> Truth:
        table = read(STATE_ADDRESS, _READ_BYTES)
        if table[_MAGIC] != MAGIC:
            return Truth(milestones=self._reached)
        events = table[_EVENTS] | table[_EVENTS + 1] << 8
        self._reached |= events & _MILESTONE_BITS
        place = (table[_MAP], table[_X], table[_Y])
        return Truth(self._reached, true_progress(events, table[_SCENE], place), place)


def true_progress(events: int, scene: int, place: Place) -> float:
    """Share of the game done, in [0, 1]: (milestones in order + share of the way to the next) / all milestones.

    The share stays below 1 until the milestone itself is reached. It may fall when the player walks back or faints.
    """
    done = (~events & (events + 1)).bit_length() - 1  # trailing ones
    if done >= len(MILESTONES):
        return 1.0
    goals = GOALS.get(MILESTONES[done])
    if goals is None:
        return (done + _OPENING.get(Scene(scene), 0.0)) / len(MILESTONES)
    first_open = next((i for i, goal in enumerate(goals) if not events & goal.event), len(goals) - 1)
    way = _way(MILESTONES[done], first_open, events & _PRESENCE)
    left = way.distances.get(place, way.length)
    share = max(0, way.length - left) / (way.length + 1)
    return (done + (first_open + share) / len(goals)) / len(MILESTONES)


@dataclass(frozen=True)
class _Way:
    """Steps from everywhere to one goal, and from where the previous goal left the player."""

    distances: dict[Place, int]
    length: int


@lru_cache(maxsize=256)
def _way(milestone: str, goal_index: int, events: int) -> _Way:
    goal = GOALS[milestone][goal_index]
    distances = _distances_to(goal, Event(events))
    return _Way(distances, distances.get(_origin(milestone, goal_index), max(distances.values(), default=0)))


def _origin(milestone: str, goal_index: int) -> Place:
    """Where one stands when this goal becomes the next one."""
    chain = [(name, i) for name in MILESTONES if name in GOALS for i in range(len(GOALS[name]))]
    position = chain.index((milestone, goal_index))
    if position == 0:
        return _plain(START)
    name, index = chain[position - 1]
    before = GOALS[name][index]
    place = _plain((before.map, before.x, before.y))
    return _plain(MAPS[before.map].warps.get((before.x, before.y), place))


def _distances_to(goal: Goal, events: Event) -> dict[Place, int]:
    """Steps to the goal from every place that has a way to it. A goal on a warp tile is reached by stepping on it."""
    arrivals: dict[Place, list[Place]] = {}
    for number, here in MAPS.items():
        for x in range(here.width):
            for y in range(here.height):
                if here.walkable(x, y, events):
                    for facing in Facing:
                        after = step((number, x, y), facing, events)
                        if after != (number, x, y):
                            arrivals.setdefault(after, []).append((number, x, y))
    target = _plain((goal.map, goal.x, goal.y))
    through = MAPS[goal.map].warps.get((goal.x, goal.y))
    if through is None:
        distances = {target: 0}
    else:
        beside = {f: _plain((goal.map, goal.x - f.step[0], goal.y - f.step[1])) for f in Facing}
        distances = {
            spot: 1 for facing, spot in beside.items() if step(spot, facing, events) == _plain(through)
        }
    queue = deque(distances)
    while queue:
        place = queue.popleft()
        for before in arrivals.get(place, []):
            if before not in distances:
                distances[before] = distances[place] + 1
                queue.append(before)
    return distances


def _plain(place: Place) -> Place:
    return int(place[0]), place[1], place[2]
