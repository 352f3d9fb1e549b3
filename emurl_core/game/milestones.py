"""The vocabulary of the truth about a run: milestones reached and progress made, read from RAM.

For evaluation, logging and tests only: never observed by an agent, never part of a reward. The readers of single games
are `pokemon_red` and `embedded_progress`.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

ReadMemory = Callable[[int, int], bytes]
"""`read(address, count)` gives `count` bytes of the Game Boy's address space: `Emulator.memory`."""


class Truth(NamedTuple):
    """What is true of one emulator at one instant."""

    milestones: int = 0
    """Bit i is set when milestone i of the game was reached in this episode (or before its start state)."""
    progress: float = 0.0
    """Share of the game done in [0, 1], 1 at the end. May fall when the player walks back."""
    place: tuple[int, int, int] = (0, 0, 0)
    """Map number, x and y, in the game's own numbering; for coverage maps."""
    events: int = 0
    """Event flags set since the reset, for games that keep many; else 0."""


class Tracker(Protocol):
    """Reads the truth of one emulator over an episode."""

    def reset(self, read: ReadMemory) -> None:
        """Start an episode: what is set now is the baseline."""

    def read(self, read: ReadMemory) -> Truth:
        """The truth of this instant."""


class NoTracker:
    """The truth of a game nobody decoded: nothing is known."""

    def reset(self, read: ReadMemory) -> None:
        pass

    def read(self, read: ReadMemory) -> Truth:
        return Truth()


def milestone_names(names: tuple[str, ...], bits: int) -> tuple[str, ...]:
    """Names of the milestones whose bits are set, in the game's order."""
    return tuple(name for i, name in enumerate(names) if bits >> i & 1)
