"""The world as data: maps, warps, people, signs, milestones. Defined once.

The asset generator makes the game's C arrays out of this module; scripted players, path finding (`paths.py`) and the
measure of true progress read the very same data. Coordinates are metatiles, (0, 0) top left, x to the right, y down.
"""

from . import atlas
from .places import Goal, Map, MapId, Npc, Place, Script, Spot, Trigger
from .vocabulary import Event, Facing

__all__ = [
    "GOALS",
    "MAPS",
    "MILESTONES",
    "REST_AT_FIRST",
    "REST_IN_EMBERTON",
    "SIGN_SCRIPTS",
    "START",
    "Goal",
    "Map",
    "MapId",
    "Npc",
    "Place",
    "Script",
    "Spot",
    "Trigger",
]


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
        (6, 9): (MapId.HEALER, 4, 7),
        (7, 4): (MapId.GYM, 7, 14),
    },
    MapId.HEALER: {(4, 8): (MapId.EMBERTON, 6, 10)},
    MapId.GYM: {(7, 15): (MapId.EMBERTON, 7, 5), (7, 0): (MapId.GREAT_HALL, 4, 14)},
    MapId.GROVE: {(5, 11): (MapId.ROUTE, 1, 13), (9, 3): (MapId.PIT, 4, 3)},
    MapId.PIT: {},
    MapId.GREAT_HALL: {(4, 15): (MapId.GYM, 7, 1)},
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
    MapId.EMBERTON: (Npc(11, 9, "woman", "EMBERTON_WOMAN"), Npc(4, 13, "man", "EMBERTON_MAN", Facing.RIGHT)),
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
    MapId.EMBERTON: {(12, 8): "SIGN_EMBERTON", (9, 8): "LOCKED", (7, 2): "EMBLEM"},
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
REST_IN_EMBERTON: Place = (MapId.HEALER, 4, 5)
"""Where one wakes up once the second town has been reached, until one rests elsewhere."""

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
