import numpy as np
import pytest

from emurl_core.game.emulator import Emulator
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.screen import SHADE_TO_GREY, Button

BOOT_FRAMES = 90
FRAME_COUNT, PRESSED, HELD_FRAMES = 0xC000, 0xC001, 0xC002


def test_a_step_presses_one_button_for_eight_of_thirty_frames(tiny):
    tiny.tick(BOOT_FRAMES)
    for button in Button:
        frames, held = tiny.memory(FRAME_COUNT)[0], tiny.memory(HELD_FRAMES)[0]
        tiny.step(button)
        assert (tiny.memory(FRAME_COUNT)[0] - frames) % 256 == 30
        assert (tiny.memory(HELD_FRAMES)[0] - held) % 256 == 8
        assert tiny.memory(PRESSED)[0] == 0
    held = tiny.memory(HELD_FRAMES)
    tiny.step(None)
    assert tiny.memory(HELD_FRAMES) == held


@pytest.mark.parametrize(
    ("button", "bit"),
    [
        (Button.RIGHT, 4),
        (Button.LEFT, 5),
        (Button.UP, 6),
        (Button.DOWN, 7),
        (Button.A, 0),
        (Button.B, 1),
        (Button.SELECT, 2),
        (Button.START, 3),
    ],
)
def test_each_button_is_the_one_the_game_reads(tiny, button, bit):
    tiny.tick(BOOT_FRAMES)
    tiny.press(button)
    tiny.tick(3)
    assert tiny.memory(PRESSED)[0] == 1 << bit
    tiny.release(button)
    tiny.tick(2)
    assert tiny.memory(PRESSED)[0] == 0


def test_buttons_held_together_and_let_go_together(tiny):
    tiny.tick(BOOT_FRAMES)
    tiny.press(Button.RIGHT)
    tiny.press(Button.B)
    tiny.tick(3)
    assert tiny.memory(PRESSED)[0] == 1 << 4 | 1 << 1
    tiny.release_all()
    tiny.tick(2)
    assert tiny.memory(PRESSED)[0] == 0


def test_frames_are_the_four_shades_that_the_emulator_draws(tiny):
    tiny.tick(BOOT_FRAMES)
    frame = tiny.frame()
    assert frame.shape == (144, 160)
    assert frame.dtype == np.uint8
    assert set(np.unique(frame)) == {0, 1, 2, 3}
    assert np.array_equal(SHADE_TO_GREY[frame], tiny.rgb()[:, :, 0])
    out = np.zeros_like(frame)
    assert tiny.frame(out) is out
    assert np.array_equal(out, frame)


def test_a_frame_kept_is_not_overwritten_by_the_next_step(tiny):
    tiny.tick(BOOT_FRAMES)
    first = tiny.step(Button.A)
    kept = first.copy()
    assert not np.array_equal(tiny.step(Button.A), kept)
    assert np.array_equal(first, kept)


def test_the_same_buttons_give_the_same_frames_whatever_is_drawn_on_the_way(tiny_rom):
    buttons = np.random.default_rng(0).integers(0, 8, 40)
    with Emulator(tiny_rom) as coarse, Emulator(tiny_rom) as fine:
        for button in buttons:
            coarse.step(button)
            fine.press(Button(button))
            for _ in range(8):
                fine.tick(1, render=True)
            fine.release(Button(button))
            for i in range(22):
                fine.tick(1, render=i == 21)
            assert np.array_equal(coarse.frame(), fine.frame())
        assert coarse.frames == fine.frames == 1200


def test_a_save_state_brings_back_the_instant_in_another_emulator(tiny_rom):
    with Emulator(tiny_rom) as first, Emulator(tiny_rom) as second:
        first.tick(BOOT_FRAMES)
        for button in (0, 4, 6):
            first.step(button)
        state = first.save_state()
        frame = first.frame()
        second.step(Button.LEFT)
        second.load_state(state)
        assert np.array_equal(second.frame(), frame)
        for button in (1, 2, 3, 5):
            assert np.array_equal(first.step(button), second.step(button))


@pytest.mark.parametrize("when", ["before loading", "before saving", "since the last tick"])
def test_loading_a_state_lets_go_of_held_buttons(tiny, when):
    tiny.tick(BOOT_FRAMES)
    state = tiny.save_state()
    tiny.press(Button.A)
    if when != "since the last tick":
        tiny.tick(5)
    if when == "before saving":
        state = tiny.save_state()
    tiny.load_state(state)
    tiny.tick(5)
    assert tiny.memory(PRESSED)[0] == 0


@pytest.mark.parametrize("length", [0, 1, 100, 50_000])
def test_a_damaged_save_state_is_refused_with_a_reason(tiny, length):
    tiny.tick(BOOT_FRAMES)
    state = tiny.save_state()
    with pytest.raises(ValueError, match="save state"):
        tiny.load_state(state[:length])
    tiny.load_state(state)


def test_a_rom_the_emulator_cannot_run_is_refused_with_a_reason(tiny_rom):
    strange = bytearray(tiny_rom)
    strange[0x147] = 0xFE
    strange[0x14D] = -sum(b + 1 for b in strange[0x134:0x14D]) & 0xFF
    with pytest.raises(ValueError, match="cannot run this ROM"):
        Emulator(bytes(strange))


def test_a_colour_only_game_still_gives_four_shades(tiny_rom):
    colour = bytearray(tiny_rom)
    colour[0x143] = 0xC0
    colour[0x14D] = -sum(b + 1 for b in colour[0x134:0x14D]) & 0xFF
    with Emulator(bytes(colour)) as emulator:
        for _ in range(5):
            assert emulator.step(Button.A).max() <= 3
        assert emulator.rgb().shape == (144, 160, 3)


def test_a_state_goes_on_alike_in_a_machine_that_was_just_switched_on():
    rom = open_game(GameConfig()).rom
    with Emulator(rom) as played:
        for _ in range(8):
            played.step(Button.A)
        state = played.save_state()
        with Emulator(rom) as fresh:
            fresh.load_state(state)
            np.testing.assert_array_equal(fresh.step(Button.A), played.step(Button.A))
            assert fresh.save_state() == played.save_state()
