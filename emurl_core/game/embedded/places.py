"""What a map is made of: tiles, warps, people, signs, triggers, and goals on it. The world's own data is in `world.py`."""

from dataclasses import dataclass, field
from enum import IntEnum

from . import atlas
from .vocabulary import NOTHING, Event, Facing


class MapId(IntEnum):
    """Numbers of the maps, as in `EmbeddedState.map`."""

    BEDROOM = 0
    HOUSE = 1
    WICKHAM = 2
    SHOP = 3
    ROUTE = 4
    EMBERTON = 5
    HEALER = 6
    GYM = 7
    GROVE = 8
    PIT = 9
    GREAT_HALL = 10


class Script(IntEnum):
    """What happens on A in front of a person or sign, or on a trigger tile."""

    TALK = 0
    REST = 1
    """Heals, and makes this the place to wake up after fainting."""
    GIVE_ITEM = 2
    GATE = 3
    DUEL = 4
    KEEPER = 5
    LIGHT_LAMP = 6
    MAZE_PASSED = 7


Spot = tuple[int, int]
Place = tuple[int, int, int]
"""(map, x, y)"""


@dataclass(frozen=True)
class Npc:
    """A person; solid while present. Present when `needs` has happened and `gone` has not."""

    x: int
    y: int
    sprite: str
    text: str
    facing: Facing = Facing.DOWN
    script: Script = Script.TALK
    needs: Event = NOTHING
    gone: Event = NOTHING

    def present(self, events: Event) -> bool:
        """Whether the person stands there once `events` have happened."""
        return (self.needs & events) == self.needs and not self.gone & events


@dataclass(frozen=True)
class Trigger:
    """A tile that starts a script when stepped on, until `gone` has happened."""

    script: Script
    gone: Event


@dataclass(frozen=True)
class Map:
    """One map. `rows[y][x]` is a character of `atlas.LEGEND[tileset]`."""

    number: MapId
    name: str
    tileset: str
    rows: tuple[str, ...]
    warps: dict[Spot, Place] = field(default_factory=dict)
    npcs: tuple[Npc, ...] = ()
    signs: dict[Spot, str] = field(default_factory=dict)
    """Readable solid tile -> name of the text."""
    triggers: dict[Spot, Trigger] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return len(self.rows[0])

    @property
    def height(self) -> int:
        return len(self.rows)

    def kind(self, x: int, y: int) -> str:
        """`atlas.WALK`, `SOLID`, `GRASS` or `LEDGE`; outside the map all is solid."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return atlas.SOLID
        return atlas.LEGEND[self.tileset][self.rows[y][x]][1]

    def walkable(self, x: int, y: int, events: Event | None = None) -> bool:
        """Whether one can stand there. With `events`, the people present then are in the way too."""
        if self.kind(x, y) not in (atlas.WALK, atlas.GRASS):
            return False
        return events is None or not any((n.x, n.y) == (x, y) for n in self.npcs if n.present(events))

    def grass(self, x: int, y: int) -> bool:
        """Whether wild creatures live there."""
        return self.kind(x, y) == atlas.GRASS

    def ledge(self, x: int, y: int) -> bool:
        """Whether this is a ledge: entered from above only, and jumped over to the tile below."""
        return self.kind(x, y) == atlas.LEDGE

    def spots(self, kind: str) -> list[Spot]:
        """All tiles of one kind."""
        return [(x, y) for y in range(self.height) for x in range(self.width) if self.kind(x, y) == kind]


@dataclass(frozen=True)
class Goal:
    """Go to (x, y) of a map; with `facing`, then turn and press A until `event` has happened."""

    map: MapId
    x: int
    y: int
    facing: Facing | None
    event: Event
