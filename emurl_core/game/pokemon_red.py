"""Pokémon Red (US): which ROM it is, and its true state decoded from RAM.

The addresses come from the pret/pokered symbols and were not measured here, because EmuRL ships no such ROM; the decoder
is tested on crafted RAM images. For evaluation only, see `milestones`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from emurl_core.game.milestones import ReadMemory, Truth

RED_SHA1 = "ea9bcae617fdf159b045185467ae58b2e4a48b9a"

BADGES = 0xD356
MAP, Y, X = 0xD35E, 0xD361, 0xD362
PARTY_COUNT, PARTY_SPECIES, PARTY_HP, PARTY_LEVELS, PARTY_MAX_HP = 0xD163, 0xD164, 0xD16C, 0xD18C, 0xD18D
PARTY_SLOTS, PARTY_STRIDE = 6, 0x2C
IN_BATTLE = 0xD057
MONEY, MONEY_BYTES = 0xD347, 3
BAG_COUNT, BAG_ITEMS, BAG_SLOTS = 0xD31D, 0xD31E, 20
POKEDEX_OWNED, POKEDEX_SEEN, POKEDEX_BYTES = 0xD2F7, 0xD30A, 19
OPTIONS, JOYPAD_IGNORE = 0xD355, 0xCD6B
HOURS, MINUTES, SECONDS, FRAMES = 0xDA41, 0xDA43, 0xDA44, 0xDA45
HALL_OF_FAME = 0xD5A2
EVENTS, EVENT_BYTES = 0xD747, 320
"""Event flags, last byte 0xD886 inclusive."""

MUSEUM_TICKET = (0xD754, 0)
"""Bought for 50 in any order and as often as one likes: not progress, so not counted."""

EVENT_MILESTONES: dict[str, tuple[int, int]] = {
    "starter": (0xD74B, 2),
    "lab_rival": (0xD74B, 3),
    "parcel": (0xD74E, 1),
    "parcel_delivered": (0xD74E, 0),
    "pokedex": (0xD74B, 5),
    "brock": (0xD755, 7),
    "misty": (0xD75E, 7),
    "ss_ticket": (0xD7F2, 4),
    "hm01": (0xD803, 0),
    "champion": (0xD867, 1),
}
"""Address and bit of the event flag behind a milestone."""

BADGE_MILESTONES: dict[str, int] = {
    "thunder_badge": 2,
    "rainbow_badge": 3,
    "soul_badge": 4,
    "marsh_badge": 5,
    "volcano_badge": 6,
    "earth_badge": 7,
}
"""Bit in `BADGES` of the gyms that the event milestones don't cover (Brock's and Misty's have events)."""

_EVENT_NAMES = tuple(EVENT_MILESTONES)
RED_MILESTONES: tuple[str, ...] = ("intro_left", *_EVENT_NAMES[:-1], *BADGE_MILESTONES, _EVENT_NAMES[-1])
"""In the order of a normal run."""


@dataclass(frozen=True)
class Member:
    """One member of the party."""

    species: int
    level: int
    hp: int
    max_hp: int


@dataclass(frozen=True)
class RedState:
    """The documented part of Pokémon Red's RAM."""

    badges: int
    """Bit per badge, Brock's lowest."""
    map: int
    x: int
    y: int
    party: tuple[Member, ...]
    in_battle: bool
    money: int
    bag: tuple[tuple[int, int], ...]
    """(item, quantity)."""
    owned: int
    seen: int
    options: int
    joypad_ignore: int
    play_time_s: float
    hall_of_fame: int
    events: bytes
    """`EVENT_BYTES` raw bytes from `EVENTS`."""

    def event(self, address: int, bit: int) -> bool:
        """Whether the event flag at an address of the event table is set."""
        return bool(self.events[address - EVENTS] >> bit & 1)


def read_red(read: ReadMemory) -> RedState:
    """Decode the whole documented state."""
    party = []
    for slot in range(min(read(PARTY_COUNT, 1)[0], PARTY_SLOTS)):
        offset = PARTY_STRIDE * slot
        party.append(
            Member(
                species=read(PARTY_SPECIES + slot, 1)[0],
                level=read(PARTY_LEVELS + offset, 1)[0],
                hp=int.from_bytes(read(PARTY_HP + offset, 2), "big"),
                max_hp=int.from_bytes(read(PARTY_MAX_HP + offset, 2), "big"),
            )
        )
    items = read(BAG_ITEMS, 2 * min(read(BAG_COUNT, 1)[0], BAG_SLOTS))
    return RedState(
        badges=read(BADGES, 1)[0],
        map=read(MAP, 1)[0],
        x=read(X, 1)[0],
        y=read(Y, 1)[0],
        party=tuple(party),
        in_battle=read(IN_BATTLE, 1)[0] != 0,
        money=_bcd(read(MONEY, MONEY_BYTES)),
        bag=tuple(zip(items[::2], items[1::2], strict=True)),
        owned=_ones(read(POKEDEX_OWNED, POKEDEX_BYTES)),
        seen=_ones(read(POKEDEX_SEEN, POKEDEX_BYTES)),
        options=read(OPTIONS, 1)[0],
        joypad_ignore=read(JOYPAD_IGNORE, 1)[0],
        play_time_s=_play_time_s(read),
        hall_of_fame=read(HALL_OF_FAME, 1)[0],
        events=read(EVENTS, EVENT_BYTES),
    )


class RedTracker:
    """Milestones, and event flags set since the reset (how many are set at the start is not assumed)."""

    def __init__(self) -> None:
        self._baseline = 0
        self._reached = 0

    def reset(self, read: ReadMemory) -> None:
        self._baseline = _counted(read(EVENTS, EVENT_BYTES))
        self._reached = 0

    def read(self, read: ReadMemory) -> Truth:
        events = read(EVENTS, EVENT_BYTES)
        badges = read(BADGES, 1)[0]
        for i, name in enumerate(RED_MILESTONES):
            if name in EVENT_MILESTONES:
                address, bit = EVENT_MILESTONES[name]
                reached = events[address - EVENTS] >> bit & 1
            elif name in BADGE_MILESTONES:
                reached = badges >> BADGE_MILESTONES[name] & 1
            else:  # The clock of the play time starts when Oak's speech ends.
                reached = int(_play_time_s(read) > 0)
            self._reached |= reached << i
        return Truth(
            milestones=self._reached,
            progress=self._reached.bit_count() / len(RED_MILESTONES),
            place=(read(MAP, 1)[0], read(X, 1)[0], read(Y, 1)[0]),
            events=(_counted(events) & ~self._baseline).bit_count(),
        )


def _counted(events: bytes) -> int:
    """The event flags as one number, the museum ticket left out."""
    address, bit = MUSEUM_TICKET
    return int.from_bytes(events, "little") & ~(1 << 8 * (address - EVENTS) + bit)


def _play_time_s(read: ReadMemory) -> float:
    hours, minutes, seconds, frames = (read(a, 1)[0] for a in (HOURS, MINUTES, SECONDS, FRAMES))
    return hours * 3600.0 + minutes * 60.0 + seconds + frames / 60.0


def _bcd(data: Sequence[int]) -> int:
    value = 0
    for byte in data:
        value = value * 100 + (byte >> 4) * 10 + (byte & 15)
    return value


def _ones(data: bytes) -> int:
    return int.from_bytes(data, "little").bit_count()
