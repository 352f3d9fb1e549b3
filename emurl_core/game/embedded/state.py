"""The game's true state: one table at 0xC000 in work RAM, and how to read it.

For evaluation, scripted players and tests only: a policy never sees it. The C struct of the table is made
from `FIELDS` below, so the game and this reader cannot drift apart. Where things stand in the world is in `world.py`.
"""

from dataclasses import dataclass

from .vocabulary import BattleChoice, BattlePhase, Event, Facing, Foe, Menu, Scene

__all__ = [
    "FIELDS",
    "MAGIC",
    "OFFSETS",
    "STATE_ADDRESS",
    "STATE_BYTES",
    "BattleChoice",
    "BattlePhase",
    "EmbeddedState",
    "Event",
    "Facing",
    "Foe",
    "Menu",
    "Scene",
    "read_state",
]

STATE_ADDRESS = 0xC000
STATE_BYTES = 72
MAGIC = 0xE7
"""First byte of the table once the game has booted; anything else means that the table is not there yet."""

NAME_BYTES = 8

# (name, bytes, meaning). Numbers are little-endian. Order is the layout.
FIELDS: tuple[tuple[str, int, str], ...] = (
    ("magic", 1, "0xE7 once the game runs"),
    ("scene", 1, "Scene"),
    ("map", 1, "MapId; meaningful from the first OVERWORLD on"),
    ("x", 1, "metatile column of the hero; the tile walked to while a step lasts"),
    ("y", 1, "metatile row"),
    ("facing", 1, "Facing"),
    ("moving", 1, "frames left of the step or jump under way, 0 when standing"),
    ("control", 1, "1 when the hero stands in the overworld and a direction pressed now walks"),
    ("waits_for_a", 1, "1 when a page is printed and waits for A or B (the mark ▼ blinks)"),
    ("text_open", 1, "1 while a text box is open"),
    ("menu", 1, "Menu that takes input now"),
    ("cursor", 1, "index of the chosen row (LETTERS: row × 9 + column, 27 = DEL, 28 = END)"),
    ("badges", 1, "number of badges, 0 or 1"),
    ("milestone", 1, "number of milestones reached, in the order of world.MILESTONES"),
    ("events", 2, "Event bits; the lowest 12 are the milestones"),
    ("hp", 1, "hit points"),
    ("max_hp", 1, "hit points when rested"),
    ("level", 1, "level, from 5"),
    ("exp", 1, "experience since the last level"),
    ("exp_next", 1, "experience at which the next level comes"),
    ("mends", 1, "uses of MEND left until the next rest"),
    ("foe", 1, "Foe; NONE out of battle"),
    ("foe_hp", 1, "hit points of the foe"),
    ("foe_max_hp", 1, "its hit points at the start"),
    ("battle_phase", 1, "BattlePhase"),
    ("guarding", 1, "1 while GUARD protects the hero"),
    ("battles", 1, "battles begun, stops at 255"),
    ("wins", 1, "battles won, stops at 255"),
    ("faints", 1, "battles lost, stops at 255"),
    ("flights", 1, "battles run from, stops at 255"),
    ("steps", 2, "tiles walked"),
    ("frames", 4, "frames since power-on or soft reset"),
    ("rest_map", 1, "where one wakes after fainting: map"),
    ("rest_x", 1, "… column"),
    ("rest_y", 1, "… row"),
    ("text", 1, "number of the text shown last (order of texts.TEXTS)"),
    ("page", 1, "its page, from 0"),
    ("name_length", 1, "letters in the name"),
    ("name", NAME_BYTES, "the hero's name in ASCII, ended by 0"),
    ("text_speed", 1, "0 brisk, 1 at once"),
    ("resets", 1, "soft resets since power-on (the only field that a soft reset keeps)"),
    ("seed", 2, "state of the random numbers"),
    ("jumps", 1, "ledges jumped, stops at 255"),
    ("since_battle", 1, "tiles walked since the last battle, stops at 255"),
)

OFFSETS: dict[str, tuple[int, int]] = {}
"""Name of a field -> (offset from STATE_ADDRESS, bytes)."""
_offset = 0
for _name, _bytes, _ in FIELDS:
    OFFSETS[_name] = (_offset, _bytes)
    _offset += _bytes
assert _offset <= STATE_BYTES, _offset


@dataclass(frozen=True)
class EmbeddedState:
    """The table, decoded. Meanings of the fields are in `FIELDS`."""

    magic: int
    scene: Scene
    map: int
    x: int
    y: int
    facing: Facing
    moving: int
    control: bool
    waits_for_a: bool
    text_open: bool
    menu: Menu
    cursor: int
    badges: int
    milestone: int
    events: Event
    hp: int
    max_hp: int
    level: int
    exp: int
    exp_next: int
    mends: int
    foe: Foe
    foe_hp: int
    foe_max_hp: int
    battle_phase: BattlePhase
    guarding: bool
    battles: int
    wins: int
    faints: int
    flights: int
    steps: int
    frames: int
    rest_map: int
    rest_x: int
    rest_y: int
    text: int
    page: int
    name_length: int
    name: str
    text_speed: int
    resets: int
    seed: int
    jumps: int
    since_battle: int

    @property
    def booted(self) -> bool:
        """Whether the table holds the game's state yet."""
        return self.magic == MAGIC


_TYPES = {
    "scene": Scene,
    "facing": Facing,
    "control": bool,
    "waits_for_a": bool,
    "text_open": bool,
    "menu": Menu,
    "events": Event,
    "foe": Foe,
    "battle_phase": BattlePhase,
    "guarding": bool,
}


def read_state(memory: bytes | bytearray | list[int]) -> EmbeddedState:
    """Decode the table from the bytes at 0xC000.. (at least `STATE_BYTES` of them)."""
    raw = bytes(memory[:STATE_BYTES])
    if len(raw) < STATE_BYTES:
        raise ValueError(
            f"{len(raw)} bytes of state, expected {STATE_BYTES}: "
            f"read memory[0x{STATE_ADDRESS:X}:0x{STATE_ADDRESS + STATE_BYTES:X}]"
        )
    values: dict[str, object] = {}
    for name, (offset, size) in OFFSETS.items():
        field = raw[offset : offset + size]
        if name == "name":
            values[name] = field.split(b"\0")[0].decode("ascii", "replace")
        else:
            values[name] = _TYPES.get(name, int)(int.from_bytes(field, "little"))
    return EmbeddedState(**values)  # type: ignore[arg-type]
