"""A few emulators played in lockstep by one thread: the work of one worker process, or of none.

Reads `actions` and `idle_frames` of its rows in the slots, writes the rest. Which process runs it is decided in
`parallel`; the process around it is `worker`.
"""

from collections.abc import Sequence

from emurl_core.game.emulator import Emulator
from emurl_core.game.milestones import Tracker
from emurl_core.game.registry import OpenedGame
from emurl_core.game.slots import NO_ACTION, Slots

POWER_ON = b""
"""The start state of a Game Boy just switched on."""


class Lanes:
    """Emulators for some rows of `slots`. Same interface as `Crew`, which plays them in other processes."""

    pids: tuple[int, ...] = ()
    restarts = 0

    def __init__(self, opened: OpenedGame, slots: Slots, rows: range) -> None:
        self.slots = slots
        self._rows = rows
        self._emulators = [Emulator(opened.rom) for _ in rows]
        self._trackers: list[Tracker] = [opened.game.tracker() for _ in rows]
        self._frames = [slots.frames[row] for row in rows]
        # Going back to this state is several times faster than making a new emulator.
        self._power_on = self._emulators[0].save_state()

    def begin_step(self) -> None:
        """Nothing: this process plays in `end_step`."""

    def end_step(self) -> None:
        """Play one step of 30 frames in every row."""
        for lane, row in enumerate(self._rows):
            action = int(self.slots.actions[row])
            self._emulators[lane].step(None if action == NO_ACTION else action, out=self._frames[lane])
            self._publish(lane, row)

    def reset(self, rows: Sequence[int], states: Sequence[bytes]) -> None:
        """Begin an episode in each row from its state (POWER_ON or a save state), after `idle_frames` of that row.

        Raises ValueError when a state does not fit; that row then begins at power-on.
        """
        refused: ValueError | None = None
        for row, state in zip(rows, states, strict=True):
            lane = row - self._rows.start
            emulator = self._emulators[lane]
            try:
                emulator.load_state(state or self._power_on)
            except ValueError as error:
                refused = error
                emulator.load_state(self._power_on)
            self._trackers[lane].reset(emulator.memory)
            emulator.tick(int(self.slots.idle_frames[row]))
            emulator.frame(out=self._frames[lane])
            self._publish(lane, row)
        if refused is not None:
            raise refused

    def save(self, rows: Sequence[int]) -> list[bytes]:
        """Save states of the rows."""
        return [self._emulators[row - self._rows.start].save_state() for row in rows]

    def close(self) -> None:
        """Switch all emulators off. Safe to call twice."""
        for emulator in self._emulators:
            emulator.close()

    def _publish(self, lane: int, row: int) -> None:
        truth = self._trackers[lane].read(self._emulators[lane].memory)
        slots = self.slots
        slots.milestones[row] = truth.milestones
        slots.progress[row] = truth.progress
        slots.place[row] = truth.place
        slots.events[row] = truth.events
