"""Milestones and true progress of the embedded game, on crafted tables and on the game itself."""

import pytest

from emurl_core.game.embedded.paths import find_path, step
from emurl_core.game.embedded.state import MAGIC, OFFSETS, STATE_ADDRESS, STATE_BYTES, Event, Scene
from emurl_core.game.embedded.world import GOALS, MAPS, MILESTONES, START, MapId, Place
from emurl_core.game.embedded_progress import EmbeddedTracker, true_progress

ALL = (1 << len(MILESTONES)) - 1
WALKING = int(Scene.OVERWORLD)


def table(**fields: int):
    """A reader of a RAM image with these fields in the state table."""
    raw = bytearray(STATE_BYTES)
    for name, value in {"magic": MAGIC, **fields}.items():
        offset, size = OFFSETS[name]
        raw[offset : offset + size] = int(value).to_bytes(size, "little")

    def read(address: int, count: int) -> bytes:
        assert address >= STATE_ADDRESS
        assert address + count <= STATE_ADDRESS + STATE_BYTES
        return bytes(raw[address - STATE_ADDRESS :][:count])

    return read


def places() -> list[Place]:
    return [(int(n), x, y) for n, m in MAPS.items() for x in range(m.width) for y in range(m.height)]


def test_nothing_is_true_before_the_game_has_booted():
    tracker = EmbeddedTracker()
    tracker.reset(table(magic=0))
    assert tracker.read(table(magic=0, events=ALL, x=3)) == (0, 0.0, (0, 0, 0), 0)


@pytest.mark.parametrize("index", range(len(MILESTONES)))
def test_every_milestone_is_its_bit(index):
    tracker = EmbeddedTracker()
    tracker.reset(table())
    assert tracker.read(table(events=1 << index, map=2, x=5, y=6))[0] == 1 << index
    assert tracker.read(table(events=1 << index, map=2, x=5, y=6)).place == (2, 5, 6)


def test_events_that_are_no_milestones_reach_none():
    tracker = EmbeddedTracker()
    tracker.reset(table())
    extra = Event.GATE_OPEN | Event.GROVE_SEEN | Event.FELL_IN_PIT | Event.RESTED
    assert tracker.read(table(events=extra)).milestones == 0


def test_progress_lies_between_its_milestones_wherever_one_stands():
    for done in range(len(MILESTONES) + 1):
        events = (1 << done) - 1
        low, high = done / len(MILESTONES), (done + 1) / len(MILESTONES)
        for place in places():
            for scene in (Scene.TITLE, Scene.NAMING, Scene.OVERWORLD, Scene.BATTLE):
                progress = true_progress(events, int(scene), place)
                assert low <= progress < high or progress == 1.0 == low


def test_a_shortest_walk_from_start_to_end_makes_progress_with_every_step():
    events, place = int(Event.LEFT_TITLE | Event.NAMED), START
    last = true_progress(events, WALKING, place)
    assert last == 2 / len(MILESTONES)
    steps = 0
    for name in MILESTONES[2:]:
        for goal in GOALS[name]:
            way = find_path(place, (goal.map, goal.x, goal.y), Event(events))
            assert way is not None, name
            for left, facing in zip(range(len(way) - 1, -1, -1), way, strict=True):
                place = step(place, facing, Event(events))
                on_goal_warp = left == 0 and goal.facing is None
                now = true_progress(events | (int(goal.event) if on_goal_warp else 0), WALKING, place)
                assert now > last, (name, place)
                last = now
                steps += 1
            events |= goal.event
            now = true_progress(events, WALKING, place)
            assert now >= last
            last = now
    assert events & ALL == ALL
    assert last == 1.0
    assert 90 < steps < 200


def test_walking_away_from_the_goal_loses_progress():
    events = int(Event.LEFT_TITLE | Event.NAMED | Event.LEFT_BEDROOM | Event.LEFT_HOUSE)
    near, far = (int(MapId.SHOP), 4, 6), (int(MapId.WICKHAM), 11, 13)
    assert true_progress(events, WALKING, near) > true_progress(events, WALKING, far)


def test_a_place_without_a_way_out_is_worth_the_milestones_alone():
    events = (1 << 7) - 1
    pit = next((int(MapId.PIT), x, y) for x, y in MAPS[MapId.PIT].spots("walk"))
    assert true_progress(events, WALKING, pit) == 7 / len(MILESTONES)


def test_the_intro_and_the_naming_come_before_the_name():
    left_title = int(Event.LEFT_TITLE)
    order = [
        true_progress(left_title, int(s), (0, 0, 0)) for s in (Scene.MAIN_MENU, Scene.INTRO, Scene.NAMING)
    ]
    assert order == sorted(set(order))


def test_a_soft_reset_keeps_the_milestones_of_the_episode_but_not_the_progress():
    tracker = EmbeddedTracker()
    tracker.reset(table())
    tracker.read(table(events=0b111, map=1, x=7, y=2))
    after = tracker.read(table(events=0))
    assert after.milestones == 0b111
    assert after.progress == 0.0
    tracker.reset(table())
    assert tracker.read(table(events=0)).milestones == 0


def test_the_end_is_progress_one():
    tracker = EmbeddedTracker()
    tracker.reset(table())
    assert tracker.read(table(events=ALL)).progress == 1.0
