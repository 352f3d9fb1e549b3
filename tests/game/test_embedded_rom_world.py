"""The embedded game keeps to `world.py`: walking, ledges, the gate, fights, the grove and the pit."""

import random
from collections.abc import Callable

from test_embedded_rom import STEP_FRAMES, Console, after, console, saves

from emurl_core.game.embedded import atlas, paths
from emurl_core.game.embedded.state import BattleChoice, BattlePhase, Event, Facing, Menu, Scene
from emurl_core.game.embedded.world import GOALS, MAPS, MILESTONES, START, MapId

__all__ = ["after", "console", "saves"]

ALL = Event(0xFFFF)
NAMED = Event.LEFT_TITLE | Event.NAMED


def test_goals_follow_one_another_from_the_start() -> None:
    place, events = START, NAMED
    for milestone in MILESTONES[2:]:
        for goal in GOALS[milestone]:
            way = paths.find_path(place, (goal.map, goal.x, goal.y), events)
            assert way, f"{milestone}: no way from {place}"
            for facing in way:
                place = paths.step(place, facing, events)
            events |= goal.event


def test_the_pit_has_no_exit_and_the_rest_of_the_world_hangs_together() -> None:
    assert {place[0] for place in paths.reachable((MapId.PIT, 4, 3), ALL)} == {MapId.PIT}
    for number, here in MAPS.items():
        if number != MapId.PIT:
            inside = next(iter(here.warps))
            start = next(p for p in paths.reachable(START, ALL) if p[0] == number)
            assert (MapId.GREAT_HALL, 4, 2) in paths.reachable(start, ALL), (here.name, inside)


def test_the_gate_and_the_duellist_bar_the_way() -> None:
    assert MapId.ROUTE not in {place[0] for place in paths.reachable(START, NAMED)}
    past_the_gate = paths.reachable(START, NAMED | Event.GATE_OPEN)
    assert MapId.EMBERTON not in {place[0] for place in past_the_gate}


def test_the_tiles_of_the_grove_appear_nowhere_else() -> None:
    assert [m.number for m in MAPS.values() if m.tileset == "grove"] == [MapId.GROVE]
    names = {name for name, _ in atlas.LEGEND["grove"].values()}
    for tileset, legend in atlas.LEGEND.items():
        assert tileset == "grove" or not names & {name for name, _ in legend.values()}


def test_one_press_in_an_agent_step_walks_one_tile(after: Callable[[str], Console]) -> None:
    console = after("named")
    before = console.place
    state = console.press("right", frames=STEP_FRAMES)
    assert (state.map, state.x, state.y) == (before[0], before[1] + 1, before[2])
    assert state.control


def test_random_walks_agree_with_the_rules_of_the_world(after: Callable[[str], Console]) -> None:
    for milestone, presses in (("named", 60), ("left_house", 60), ("left_town", 120), ("second_town", 80)):
        console, choice = after(milestone), random.Random(milestone)
        for _ in range(presses):
            facing, before = choice.choice(list(Facing)), console.place
            battles, events = console.state.battles, console.until_walking().events
            expected = paths.step(before, facing, events)
            console.press(facing.name.lower(), frames=20)
            state = console.until_walking()
            if state.battles == battles or state.faints == 0:
                assert console.place == expected, (before, facing)


def test_a_ledge_goes_down_and_not_up(after: Callable[[str], Console]) -> None:
    console = after("trainer_beaten")
    console.go((MapId.ROUTE, 8, 4))
    console.step(Facing.DOWN)
    assert console.place == (MapId.ROUTE, 8, 6)
    assert console.state.jumps == 1
    console.step(Facing.UP)
    assert console.place == (MapId.ROUTE, 8, 6)


def test_the_gate_stays_shut_without_the_oil(after: Callable[[str], Console]) -> None:
    console = after("left_house")
    console.go((MapId.WICKHAM, 8, 3))
    console.press("up")
    console.press("a")
    console.until_walking()
    console.step(Facing.UP)
    assert console.place == (MapId.WICKHAM, 8, 3)
    assert not console.state.events & Event.GATE_OPEN


def _meet_a_creature(console: Console) -> None:
    for turn in range(200):
        console.go((MapId.ROUTE, 9 + turn % 2, 12)) if console.state.control else console.talk()
        if console.state.scene is Scene.BATTLE:
            return
        console.press("right" if turn % 2 == 0 else "left", frames=20)
        if console.state.scene is Scene.BATTLE or console.state.foe:
            break
    while console.state.menu is not Menu.BATTLE:
        console.talk()


def test_a_fight_can_be_won(after: Callable[[str], Console]) -> None:
    console = after("left_town")
    _meet_a_creature(console)
    wins = console.state.wins
    console.poke("foe_hp", 1)
    state = console.until_walking()
    assert state.wins == wins + 1
    assert (state.scene, state.foe, state.battle_phase) == (Scene.OVERWORLD, 0, BattlePhase.NONE)


def test_fainting_leads_to_the_place_of_rest(after: Callable[[str], Console]) -> None:
    console = after("left_town")
    _meet_a_creature(console)
    while console.state.faints == 0:
        console.poke("hp", 1)
        console.poke("foe_hp", 11)
        console.talk()
    state = console.until_walking()
    assert console.place == (state.rest_map, state.rest_x, state.rest_y)
    assert state.hp == state.max_hp
    assert state.events & Event.LEFT_TOWN


def test_the_battle_menu_has_four_choices_and_running_works(after: Callable[[str], Console]) -> None:
    console = after("left_town")
    _meet_a_creature(console)
    seen = [
        console.press(button, frames=10).cursor for button in ("right", "down", "left", "up", "down", "right")
    ]
    assert [BattleChoice(row).name for row in seen] == ["MEND", "RUN", "GUARD", "FIGHT", "GUARD", "RUN"]
    for _ in range(20):
        console.poke("hp", 24)
        if console.state.menu is Menu.BATTLE:
            console.press("right", frames=10)
            console.press("down", frames=10)
        if console.state.control:
            break
        console.press("a")
    assert console.state.flights == 1


def test_the_hole_in_the_grove_leads_to_the_pit_for_good(after: Callable[[str], Console]) -> None:
    console = after("left_town")
    console.go((MapId.ROUTE, 2, 13))
    assert console.state.events & Event.GROVE_SEEN
    console.go((MapId.GROVE, 9, 3))
    choice = random.Random(0)
    for _ in range(80):
        console.step(choice.choice(list(Facing)))
    assert console.state.map == MapId.PIT
    assert console.state.events & Event.FELL_IN_PIT
