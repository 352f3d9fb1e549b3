"""The words of the state table: scenes, menus, directions, foes, events. The table itself is in `state.py`."""

from enum import IntEnum, IntFlag


class Scene(IntEnum):
    """What the screen shows."""

    BOOT = 0
    TITLE = 1
    ATTRACT = 2
    MAIN_MENU = 3
    OPTIONS = 4
    INTRO = 5
    NAMING = 6
    OVERWORLD = 7
    BATTLE = 8
    ENDING = 9
    THE_END = 10


class Menu(IntEnum):
    """The menu that takes input. `NONE` while text prints, and while walking."""

    NONE = 0
    MAIN = 1
    """Rows NEW GAME, OPTIONS; B goes back to the title."""
    OPTIONS = 2
    """Rows TEXT, CLOSE."""
    PRESETS = 3
    """Rows NEW NAME, then three names."""
    LETTERS = 4
    """9 × 3 letters (A–Z and -), then DEL and END. START ends too, B deletes."""
    START = 5
    """Rows STATUS, OPTIONS, CLOSE; B, START, LEFT and RIGHT close. So does leaving a page."""
    STATUS = 6
    """A page: any button closes."""
    BATTLE = 7
    """Two columns, two rows: FIGHT 0, MEND 1, GUARD 2, RUN 3."""


class BattlePhase(IntEnum):
    """Where a battle stands."""

    NONE = 0
    OPENING = 1
    MENU = 2
    HERO_TURN = 3
    FOE_TURN = 4
    WON = 5
    LOST = 6
    FLED = 7


class BattleChoice(IntEnum):
    """Rows of the battle menu."""

    FIGHT = 0
    MEND = 1
    GUARD = 2
    RUN = 3


class Facing(IntEnum):
    """Directions."""

    DOWN = 0
    UP = 1
    LEFT = 2
    RIGHT = 3

    @property
    def step(self) -> tuple[int, int]:
        """(dx, dy) in metatiles."""
        return ((0, 1), (0, -1), (-1, 0), (1, 0))[self]


class Foe(IntEnum):
    """Who is fought."""

    NONE = 0
    MOTH = 1
    SLUG = 2
    OWL = 3
    WISP = 4
    DUELLIST = 5
    KEEPER = 6


class Event(IntFlag):
    """What has happened. The lowest 12 bits are the milestones, in order."""

    LEFT_TITLE = 1 << 0
    NAMED = 1 << 1
    LEFT_BEDROOM = 1 << 2
    LEFT_HOUSE = 1 << 3
    QUEST_ITEM = 1 << 4
    LEFT_TOWN = 1 << 5
    TRAINER_BEATEN = 1 << 6
    SECOND_TOWN = 1 << 7
    GYM_ENTERED = 1 << 8
    GYM_MID = 1 << 9
    BADGE = 1 << 10
    ENDING = 1 << 11
    GATE_OPEN = 1 << 12
    GROVE_SEEN = 1 << 13
    FELL_IN_PIT = 1 << 14
    RESTED = 1 << 15


NOTHING = Event(0)
"""No event has happened."""
