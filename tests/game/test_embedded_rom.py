"""The embedded game as a cartridge: build, header, menus, and a whole play from power-on to the ending."""

import hashlib
import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyboy import PyBoy

from emurl_core.game.embedded import ROM_PATH, ROM_SHA1, paths, texts
from emurl_core.game.embedded.build_rom import finish
from emurl_core.game.embedded.state import (
    OFFSETS,
    STATE_ADDRESS,
    STATE_BYTES,
    EmbeddedState,
    Event,
    Facing,
    Menu,
    Scene,
    read_state,
)
from emurl_core.game.embedded.world import GOALS, MAPS, MILESTONES, START, MapId, Place

SOURCE = ROM_PATH.parent
STEP_FRAMES, PRESS_FRAMES, TILE_FRAMES = 30, 8, 16
START_UP_FRAMES = 150
# From address 0x104 on a licensed cartridge holds a picture. Ours holds nothing there.
LOGO = slice(0x104, 0x134)


class Console:
    """A Game Boy with the game in it, and just enough skill to play it."""

    def __init__(self) -> None:
        self.boy = PyBoy(io.BytesIO(ROM_PATH.read_bytes()), window="null", sound_emulated=False)
        self.boy.set_emulation_speed(0)
        self.frames = 0
        self.wait(START_UP_FRAMES)

    @property
    def state(self) -> EmbeddedState:
        return read_state(self.boy.memory[STATE_ADDRESS : STATE_ADDRESS + STATE_BYTES])

    @property
    def place(self) -> Place:
        return self.state.map, self.state.x, self.state.y

    def poke(self, field: str, value: int) -> None:
        offset, size = OFFSETS[field]
        for i, byte in enumerate(value.to_bytes(size, "little")):
            self.boy.memory[STATE_ADDRESS + offset + i] = byte

    def wait(self, frames: int) -> None:
        self.boy.tick(frames, False)
        self.frames += frames

    def press(self, *buttons: str, frames: int = STEP_FRAMES) -> EmbeddedState:
        for button in buttons:
            self.boy.button(button, PRESS_FRAMES)
        self.wait(frames)
        return self.state

    def talk(self) -> bool:
        """One press towards the end of whatever isn't walking; False when the hero can walk."""
        state = self.state
        if state.control:
            return False
        if state.scene is Scene.TITLE:
            self.press("start")
        elif state.menu is Menu.PRESETS and state.cursor == 0:
            self.press("down")
        elif state.menu or state.waits_for_a:
            self.press("a", frames=12)
        else:
            self.wait(4)
        return True

    def until_walking(self) -> EmbeddedState:
        for _ in range(2000):
            if not self.talk() or self.state.scene is Scene.THE_END:
                return self.state
        raise AssertionError(f"the hero can't walk after 2000 presses: {self.state}")

    def step(self, facing: Facing) -> EmbeddedState:
        self.press(facing.name.lower(), frames=TILE_FRAMES)
        return self.until_walking()

    def go(self, goal: Place) -> None:
        """Walk there, or onto the warp there, fighting what comes."""
        target = MAPS[goal[0]].warps.get((goal[1], goal[2]), goal)
        for _ in range(300):
            state = self.until_walking()
            if self.place == target:
                return
            way = paths.find_path(self.place, goal, state.events)
            assert way, f"no way from {self.place} to {goal}"
            self.step(way[0])
        raise AssertionError(f"not at {goal} after 300 steps: {self.state}")

    def do(self, milestone: str) -> None:
        """Reach a milestone, starting anew after a faint."""
        for goal in GOALS[milestone]:
            for _ in range(200):
                if self.until_walking().events & goal.event:
                    break
                self.go((goal.map, goal.x, goal.y))
                if goal.facing is not None and not self.state.events & goal.event:
                    self.press(goal.facing.name.lower())
                    self.press("a")


@pytest.fixture
def console() -> Iterator[Console]:
    console = Console()
    yield console
    console.boy.stop(save=False)


@pytest.fixture(scope="session")
def saves() -> dict[str, bytes]:
    return {}


@pytest.fixture
def after(console: Console, saves: dict[str, bytes]) -> Callable[[str], Console]:
    """A console that has just reached a milestone; each is played to once."""

    def play(milestone: str) -> Console:
        if milestone not in saves:
            before = MILESTONES[MILESTONES.index(milestone) - 1]
            if milestone == "named":
                console.until_walking()
            else:
                play(before).do(milestone)
            memory = io.BytesIO()
            console.boy.save_state(memory)
            saves[milestone] = memory.getvalue()
        console.boy.load_state(io.BytesIO(saves[milestone]))
        return console

    return play


def test_the_rom_is_the_one_announced() -> None:
    rom = ROM_PATH.read_bytes()
    assert len(rom) == 0x8000
    assert hashlib.sha1(rom).hexdigest() == ROM_SHA1


def test_the_header_has_title_and_checksums_and_no_logo() -> None:
    rom = ROM_PATH.read_bytes()
    assert rom[0x134:0x139] == b"EMURL"
    assert rom[LOGO] == bytes(48)
    assert finish(bytearray(rom)) == rom


@pytest.mark.skipif(
    shutil.which("sdcc") is None or shutil.which("make") is None, reason="sdcc or make is missing"
)
def test_building_the_source_gives_the_same_bytes(tmp_path: Path) -> None:
    rom = tmp_path / "built.gb"
    orders = [f"BUILD={tmp_path / 'build'}", f"ROM={rom}", f"PYTHON={sys.executable}"]
    subprocess.run(["make", "-j2", "-C", str(SOURCE), *orders], check=True, capture_output=True, timeout=300)
    assert rom.read_bytes() == ROM_PATH.read_bytes()


def test_every_text_fits_the_box() -> None:
    for name in texts.TEXTS:
        for page in texts.pages(name):
            assert len(page) <= texts.PAGE_LINES


def test_an_idle_title_shows_the_lane_and_comes_back(console: Console) -> None:
    scenes = []
    for _ in range(40):
        console.wait(STEP_FRAMES)
        if not scenes or scenes[-1] is not console.state.scene:
            scenes.append(console.state.scene)
    assert scenes == [Scene.TITLE, Scene.ATTRACT, Scene.TITLE]


def test_a_button_ends_the_attract_scene(console: Console) -> None:
    console.wait(600)
    assert console.state.scene is Scene.ATTRACT
    assert console.press("select", frames=60).scene is Scene.TITLE


def test_b_in_the_main_menu_goes_back_to_the_title(console: Console) -> None:
    assert console.press("start", frames=60).menu is Menu.MAIN
    assert console.press("b", frames=60).scene is Scene.TITLE


def test_the_letters_spell_a_name(console: Console) -> None:
    while console.state.menu is not Menu.PRESETS:
        console.talk()
    assert console.press("a", frames=60).menu is Menu.LETTERS
    for button in ("down", "a", "right", "a", "a", "b", "start"):
        console.press(button)
    assert console.until_walking().name == "JK"


def test_the_intro_leads_to_the_bedroom(after: Callable[[str], Console]) -> None:
    console = after("named")
    assert console.place == START
    assert console.state.name == "WICK"
    assert console.state.milestone == MILESTONES.index("named") + 1


def test_the_soft_reset_leads_to_the_title(after: Callable[[str], Console]) -> None:
    state = after("named").press("a", "b", "start", "select", frames=120)
    assert (state.scene, state.resets, state.milestone) == (Scene.TITLE, 1, 0)


def test_the_start_menu_opens_and_closes(after: Callable[[str], Console]) -> None:
    console = after("named")
    assert console.press("start").menu is Menu.START
    assert console.press("a").menu is Menu.STATUS
    assert console.press("b").control


def test_the_game_can_be_finished_from_power_on(after: Callable[[str], Console]) -> None:
    state = after("ending").state
    assert state.scene is Scene.THE_END
    assert state.milestone == len(MILESTONES)
    assert state.events & Event.BADGE
    assert state.map == MapId.GREAT_HALL
