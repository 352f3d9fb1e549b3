"""Thumbs: turns decisions into buttons held frame by frame, with reaction times, taps and held directions.

The emulator is looked at every frame while a hero walks, so that a direction is let go in time; what was held in each
frame is written down, so that the play can be replayed exactly.
"""

from dataclasses import replace

import numpy as np

from emurl_core.game.embedded.state import (
    MAGIC,
    OFFSETS,
    STATE_ADDRESS,
    STATE_BYTES,
    EmbeddedState,
    Scene,
    read_state,
)
from emurl_core.game.embedded.world import MAPS, MILESTONES
from emurl_core.game.emulator import Emulator
from emurl_core.screen import PRESS_FRAMES, STEP_FRAMES, Button

_EVENTS = OFFSETS["events"][0]
_MILESTONE_BITS = (1 << len(MILESTONES)) - 1
DIRECTIONS = frozenset({Button.UP, Button.DOWN, Button.LEFT, Button.RIGHT})


class Hands:
    """Holds buttons and keeps the record.

    Attributes:
        held: what was held in each frame so far, one byte a frame.
        milestones: name and number of frames emulated when each was reached.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.held = bytearray()
        self.milestones: list[tuple[str, int]] = []
        self._reached = 0
        self._down: Button | None = None

    def look(self) -> EmbeddedState:
        """The state now."""
        return read_state(self._emulator.memory(STATE_ADDRESS, STATE_BYTES))

    def hold(self, button: Button | None, frames: int) -> None:
        """Hold one button, or none, for some frames."""
        if frames <= 0:
            return
        # Only changes are sent, so that a replay of `held` sends the very same ones.
        if button != self._down:
            if self._down is not None:
                self._emulator.release(self._down)
            if button is not None:
                self._emulator.press(button)
            self._down = button
        byte = 0 if button is None else 1 << button
        for _ in range(frames):
            self._emulator.tick(1, render=False)
            self.held.append(byte)
            self._note_milestones()

    def _note_milestones(self) -> None:
        if self._emulator.memory(STATE_ADDRESS)[0] != MAGIC:
            return
        events = int.from_bytes(self._emulator.memory(STATE_ADDRESS + _EVENTS, 2), "little")
        new = events & _MILESTONE_BITS & ~self._reached
        if new:
            self._reached |= new
            self.milestones += [(name, len(self.held)) for i, name in enumerate(MILESTONES) if new >> i & 1]

    def step(self, button: Button) -> EmbeddedState:
        """One RL step: 8 frames down, 22 up."""
        self.hold(button, PRESS_FRAMES)
        self.hold(None, STEP_FRAMES - PRESS_FRAMES)
        return self.look()


class Rhythm:
    """How long this player's presses and pauses are.

    Args:
        delay_frames: typical frames between seeing and pressing.
        reading_frames: typical frames for which a full page is looked at.
    """

    def __init__(self, delay_frames: float, reading_frames: float, rng: np.random.Generator) -> None:
        self._delay, self._reading, self._rng = delay_frames, reading_frames, rng

    def tap(self) -> int:
        """Frames a button is down."""
        return int(self._rng.integers(3, 7))

    def gap(self) -> int:
        """Frames between taps of somebody who mashes."""
        return int(self._rng.integers(3, 7)) + int(self._rng.exponential(self._delay * 0.35))

    def reaction(self) -> int:
        """Frames until something new is noticed; rarely a long look."""
        long = self._rng.random() < 0.01 * self._delay
        return int(self._rng.gamma(3, self._delay / 3)) + (int(self._rng.integers(20, 90)) if long else 0)

    def reading(self) -> int:
        """Frames for which a full page is looked at."""
        return int(self._rng.gamma(2, self._reading / 2)) if self._reading else 0

    def late(self) -> int:
        """Frames a direction is held too long at a bend."""
        return int(self._rng.exponential(self._delay * 0.25))


def arrived(state: EmbeddedState) -> EmbeddedState:
    """The state as it will be when the step under way ends, for deciding ahead of it."""
    return replace(state, moving=0, control=True)


def decides_ahead(state: EmbeddedState) -> bool:
    """Whether the next direction can be chosen before the step ends: not when it leads through a door."""
    return (
        state.scene == Scene.OVERWORLD
        and 0 < state.moving <= 2
        and (state.x, state.y) not in MAPS[state.map].warps
        and not state.text_open
    )
