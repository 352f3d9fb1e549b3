"""Pokémon Red's decoder on crafted RAM images. The addresses below are typed from the fact sheet, not taken from the code."""

import pytest

from emurl_core.game.pokemon_red import RED_MILESTONES, RedTracker, read_red


class Ram:
    """A 64 KiB image."""

    def __init__(self, **_: int) -> None:
        self.bytes = bytearray(0x10000)

    def set(self, address: int, *values: int) -> "Ram":
        self.bytes[address : address + len(values)] = bytes(values)
        return self

    def flag(self, address: int, bit: int) -> "Ram":
        self.bytes[address] |= 1 << bit
        return self

    def read(self, address: int, count: int) -> bytes:
        return bytes(self.bytes[address : address + count])


def truth(ram: Ram, baseline: Ram | None = None):
    tracker = RedTracker()
    tracker.reset((baseline or Ram()).read)
    return tracker.read(ram.read)


def names(bits: int) -> set[str]:
    return {name for i, name in enumerate(RED_MILESTONES) if bits >> i & 1}


def test_an_empty_image_is_a_game_not_begun():
    state = read_red(Ram().read)
    assert (state.badges, state.map, state.x, state.y, state.money, state.play_time_s) == (0, 0, 0, 0, 0, 0.0)
    assert (state.party, state.bag, state.owned, state.seen, state.in_battle) == ((), (), 0, 0, False)
    assert truth(Ram()) == (0, 0.0, (0, 0, 0), 0)


@pytest.mark.parametrize(
    ("address", "values", "field", "expected"),
    [
        (0xD356, [0b101], "badges", 0b101),
        (0xD35E, [38], "map", 38),
        (0xD361, [6], "y", 6),
        (0xD362, [3], "x", 3),
        (0xD057, [2], "in_battle", True),
        (0xD347, [0x12, 0x34, 0x56], "money", 123456),
        (0xD355, [0xC3], "options", 0xC3),
        (0xCD6B, [0xFF], "joypad_ignore", 0xFF),
        (0xDA41, [2], "play_time_s", 7200.0),
        (0xDA43, [3], "play_time_s", 180.0),
        (0xDA44, [59], "play_time_s", 59.0),
        (0xDA45, [30], "play_time_s", 0.5),
        (0xD5A2, [1], "hall_of_fame", 1),
        (0xD2F7, [0b11], "owned", 2),
        (0xD309, [0x40], "owned", 1),
        (0xD30A, [0b111], "seen", 3),
        (0xD31C, [0x40], "seen", 1),
    ],
)
def test_every_single_address_means_its_field_and_no_other(address, values, field, expected):
    state, empty = read_red(Ram().set(address, *values).read), read_red(Ram().read)
    assert getattr(state, field) == expected
    for other in vars(empty):
        if other != field:
            assert getattr(state, other) == getattr(empty, other), other


def test_the_party_is_read_member_by_member():
    ram = Ram().set(0xD163, 6).set(0xD164, 10, 20, 30, 40, 50, 60)
    for i in range(6):
        ram.set(0xD18C + 0x2C * i, 5 + i)
        ram.set(0xD16C + 0x2C * i, 1, i)
        ram.set(0xD18D + 0x2C * i, 2, i)
    party = read_red(ram.read).party
    assert [m.species for m in party] == [10, 20, 30, 40, 50, 60]
    assert [m.level for m in party] == [5, 6, 7, 8, 9, 10]
    assert [m.hp for m in party] == [256 + i for i in range(6)]
    assert [m.max_hp for m in party] == [512 + i for i in range(6)]
    assert len(read_red(ram.set(0xD163, 255).read).party) == 6


def test_the_bag_is_read_up_to_its_count():
    ram = Ram().set(0xD31D, 2).set(0xD31E, 4, 5, 70, 1, 99, 9)
    assert read_red(ram.read).bag == ((4, 5), (70, 1))


@pytest.mark.parametrize(
    ("name", "address", "bit"),
    [
        ("starter", 0xD74B, 2),
        ("lab_rival", 0xD74B, 3),
        ("pokedex", 0xD74B, 5),
        ("parcel", 0xD74E, 1),
        ("parcel_delivered", 0xD74E, 0),
        ("brock", 0xD755, 7),
        ("misty", 0xD75E, 7),
        ("ss_ticket", 0xD7F2, 4),
        ("hm01", 0xD803, 0),
        ("champion", 0xD867, 1),
    ],
)
def test_every_milestone_event_is_its_own_bit(name, address, bit):
    found = truth(Ram().flag(address, bit))
    assert names(found.milestones) == {name}
    assert found.events == 1
    assert found.progress == pytest.approx(1 / len(RED_MILESTONES))
    assert read_red(Ram().flag(address, bit).read).event(address, bit)


@pytest.mark.parametrize(
    ("name", "bit"),
    [
        ("thunder_badge", 2),
        ("rainbow_badge", 3),
        ("soul_badge", 4),
        ("marsh_badge", 5),
        ("volcano_badge", 6),
        ("earth_badge", 7),
    ],
)
def test_badges_without_an_event_are_milestones(name, bit):
    assert names(truth(Ram().flag(0xD356, bit)).milestones) == {name}


@pytest.mark.parametrize("address", [0xDA41, 0xDA43, 0xDA44, 0xDA45])
def test_the_intro_is_left_when_the_clock_of_play_time_runs(address):
    assert names(truth(Ram().set(address, 1)).milestones) == {"intro_left"}


def test_all_320_bytes_of_events_count_and_nothing_beside_them():
    assert truth(Ram().flag(0xD747, 0)).events == 1
    assert truth(Ram().flag(0xD886, 7)).events == 1
    assert truth(Ram().flag(0xD746, 7).flag(0xD887, 0)).events == 0


def test_the_museum_ticket_does_not_count():
    assert truth(Ram().flag(0xD754, 0)).events == 0
    assert truth(Ram().flag(0xD754, 1)).events == 1


def test_events_set_at_the_reset_are_the_baseline():
    baseline = Ram().flag(0xD747, 3).flag(0xD750, 1)
    later = Ram().flag(0xD747, 3).flag(0xD750, 1).flag(0xD74B, 2).flag(0xD800, 0)
    assert truth(later, baseline).events == 2
    # A flag that the game clears again is no negative event.
    assert truth(Ram().flag(0xD74B, 2), baseline).events == 1


def test_milestones_once_reached_stay_reached_until_the_next_episode():
    tracker = RedTracker()
    tracker.reset(Ram().read)
    assert tracker.read(Ram().flag(0xD74B, 2).read).milestones
    assert names(tracker.read(Ram().read).milestones) == {"starter"}
    tracker.reset(Ram().read)
    assert tracker.read(Ram().read).milestones == 0


def test_a_finished_game_is_progress_one():
    ram = Ram().set(0xD356, 0xFF).set(0xDA41, 9)
    for address in range(0xD747, 0xD887):
        ram.set(address, 0xFF)
    found = truth(ram.set(0xD35E, 118).set(0xD362, 4).set(0xD361, 5))
    assert found.progress == 1.0
    assert found.place == (118, 4, 5)
    assert RED_MILESTONES[0] == "intro_left"
    assert RED_MILESTONES[-1] == "champion"
