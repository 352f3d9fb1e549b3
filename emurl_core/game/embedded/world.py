"""The world as data: maps, warps, people, signs, milestones. Defined once.

The asset generator makes the game's C arrays out of this module; scripted players, path finding (`paths.py`) and the
measure of true progress read the very same data. Coordinates are metatiles, (0, 0) top left, x to the right, y down.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from . import atlas
from .state import Event, Facing


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
    needs: Event = Event(0)
    gone: Event = Event(0)

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


_WARPS: dict[MapId, dict[Spot, Place]] = {
    MapId.BEDROOM: {(6, 4): (MapId.HOUSE, 5, 4)},
    MapId.HOUSE: {(6, 3): (MapId.BEDROOM, 5, 5), (5, 6): (MapId.WICKHAM, 10, 4)},
    MapId.WICKHAM: {
        (10, 3): (MapId.HOUSE, 5, 5),
        (6, 3): (MapId.SHOP, 4, 5),
        (8, 0): (MapId.ROUTE, 8, 14),
    },
    MapId.SHOP: {(4, 6): (MapId.WICKHAM, 6, 4)},
    MapId.ROUTE: {
        (8, 15): (MapId.WICKHAM, 8, 1),
        (11, 0): (MapId.EMBERTON, 7, 14),
        (2, 13): (MapId.GROVE, 5, 10),
    },
    MapId.EMBERTON: {
        (7, 15): (MapId.ROUTE, 11, 1),
        (3, 8): (MapId.HEALER, 4, 7),
        (7, 4): (MapId.GYM, 7, 14),
    },
    MapId.HEALER: {(4, 8): (MapId.EMBERTON, 3, 9)},
    MapId.GYM: {(7, 15): (MapId.EMBERTON, 7, 5), (7, 0): (MapId.GREAT_HALL, 4, 7)},
    MapId.GROVE: {(5, 11): (MapId.ROUTE, 1, 13), (9, 3): (MapId.PIT, 4, 3)},
    MapId.PIT: {},
    MapId.GREAT_HALL: {(4, 8): (MapId.GYM, 7, 1)},
}

_DUEL_WON, _BADGE, _GATE = Event.TRAINER_BEATEN, Event.BADGE, Event.GATE_OPEN
_NPCS: dict[MapId, tuple[Npc, ...]] = {
    MapId.HOUSE: (Npc(3, 4, "woman", "GRAN", script=Script.REST),),
    MapId.WICKHAM: (
        Npc(8, 2, "guard", "GATE_SHUT", script=Script.GATE, gone=_GATE),
        Npc(7, 5, "guard", "GATE_PASSED", Facing.UP, needs=_GATE),
        Npc(12, 5, "man", "WICKHAM_MAN", Facing.LEFT),
    ),
    MapId.SHOP: (Npc(4, 4, "man", "CHANDLER", script=Script.GIVE_ITEM),),
    MapId.ROUTE: (
        Npc(1, 5, "duellist", "DUEL_START", script=Script.DUEL, gone=_DUEL_WON),
        Npc(2, 4, "duellist", "DUEL_AFTER", Facing.LEFT, needs=_DUEL_WON),
    ),
    MapId.EMBERTON: (Npc(12, 10, "woman", "EMBERTON_WOMAN"), Npc(4, 11, "man", "EMBERTON_MAN", Facing.RIGHT)),
    MapId.HEALER: (Npc(4, 3, "woman", "HEALER", script=Script.REST),),
    MapId.GYM: (
        Npc(7, 1, "keeper", "KEEPER_START", script=Script.KEEPER, gone=_BADGE),
        Npc(9, 2, "keeper", "KEEPER_AFTER", Facing.LEFT, needs=_BADGE),
    ),
}

_SIGNS: dict[MapId, dict[Spot, str]] = {
    MapId.BEDROOM: {(4, 3): "BOOKS", (5, 3): "BOOKS", (3, 4): "BED", (3, 5): "BED"},
    MapId.HOUSE: {(4, 2): "HEARTH", (5, 2): "HEARTH"},
    MapId.WICKHAM: {(12, 4): "SIGN_WICKHAM"},
    MapId.SHOP: {(3, 2): "OIL_SHELF", (3, 3): "OIL_SHELF", (6, 3): "OIL_SHELF"},
    MapId.ROUTE: {(7, 12): "SIGN_ROUTE", (13, 2): "SIGN_ROUTE_END"},
    MapId.EMBERTON: {(9, 8): "SIGN_EMBERTON", (11, 8): "LOCKED", (7, 2): "EMBLEM"},
    MapId.GYM: {(6, 14): "PLAQUE"},
    MapId.GROVE: {(6, 1): "STONE"},
    MapId.PIT: {(4, 4): "BONES"},
    MapId.GREAT_HALL: {(4, 1): "LAMP", (5, 1): "LAMP"},
}

_TRIGGERS: dict[MapId, dict[Spot, Trigger]] = {
    MapId.WICKHAM: {(8, 3): Trigger(Script.GATE, _GATE)},
    MapId.ROUTE: {(1, 6): Trigger(Script.DUEL, _DUEL_WON)},
    MapId.GYM: {(7, 4): Trigger(Script.MAZE_PASSED, Event.GYM_MID)},
}

SIGN_SCRIPTS: dict[str, Script] = {"LAMP": Script.LIGHT_LAMP, "BED": Script.REST}
"""Signs that do more than talk."""

MAPS: dict[int, Map] = {
    number: Map(
        MapId(number),
        name,
        tileset,
        rows,
        _WARPS.get(MapId(number), {}),
        _NPCS.get(MapId(number), ()),
        _SIGNS.get(MapId(number), {}),
        _TRIGGERS.get(MapId(number), {}),
    )
    for number, (name, tileset, rows) in enumerate(atlas.ROWS)
}

START: Place = (MapId.BEDROOM, 4, 5)
"""Where the game begins, facing up. Fainting before any rest leads to `REST_AT_FIRST`."""
REST_AT_FIRST: Place = (MapId.HOUSE, 4, 5)

MILESTONES: tuple[str, ...] = (
    "left_title",
    "named",
    "left_bedroom",
    "left_house",
    "quest_item",
    "left_town",
    "trainer_beaten",
    "second_town",
    "gym_entered",
    "gym_mid",
    "badge",
    "ending",
)
"""In order. `EmbeddedState.milestone` counts those reached; bit i of `events` is milestone i."""


@dataclass(frozen=True)
class Goal:
    """Go to (x, y) of a map; with `facing`, then turn and press A until `event` has happened."""

    map: MapId
    x: int
    y: int
    facing: Facing | None
    event: Event


GOALS: dict[str, tuple[Goal, ...]] = {
    "left_bedroom": (Goal(MapId.BEDROOM, 6, 4, None, Event.LEFT_BEDROOM),),
    "left_house": (Goal(MapId.HOUSE, 5, 6, None, Event.LEFT_HOUSE),),
    "quest_item": (Goal(MapId.SHOP, 4, 5, Facing.UP, Event.QUEST_ITEM),),
    "left_town": (
        Goal(MapId.WICKHAM, 8, 3, Facing.UP, Event.GATE_OPEN),
        Goal(MapId.WICKHAM, 8, 0, None, Event.LEFT_TOWN),
    ),
    "trainer_beaten": (Goal(MapId.ROUTE, 1, 6, Facing.UP, Event.TRAINER_BEATEN),),
    "second_town": (Goal(MapId.ROUTE, 11, 0, None, Event.SECOND_TOWN),),
    "gym_entered": (Goal(MapId.EMBERTON, 7, 4, None, Event.GYM_ENTERED),),
    "gym_mid": (Goal(MapId.GYM, 7, 4, None, Event.GYM_MID),),
    "badge": (Goal(MapId.GYM, 7, 2, Facing.UP, Event.BADGE),),
    "ending": (Goal(MapId.GREAT_HALL, 4, 2, Facing.UP, Event.ENDING),),
}
"""What to do for each milestone that is reached by walking. A goal on a warp tile is reached by stepping on it."""
