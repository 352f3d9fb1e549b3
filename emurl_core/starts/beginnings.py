"""What a training asks of where its episodes begin, and the plain answer: always at power-on.

The other answer, a share of them at states that play reached before, is `from_archive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor


class Startable(Protocol):
    """Emulators that episodes begin in: what is needed of `emurl_core.game.VectorGame` here."""

    envs: int

    @property
    def frames(self) -> np.ndarray: ...

    @property
    def restarted(self) -> np.ndarray: ...

    @property
    def idle_frames(self) -> np.ndarray: ...

    def reset(
        self,
        indices: Sequence[int] | np.ndarray | None = None,
        *,
        seeds: Sequence[int] | None = None,
        states: Sequence[bytes] | bytes = b"",
        idle: bool = True,
    ) -> np.ndarray: ...

    def save_states(self, indices: Sequence[int] | np.ndarray | None = None) -> list[bytes]: ...


@dataclass(frozen=True)
class Played:
    """A step of E emulators, as a training saw it."""

    actions: np.ndarray
    """(E,) integers in [0, 8)."""
    tokens: np.ndarray
    """(E, 90) integers, of the frames that the buttons led to."""
    progress: np.ndarray
    """(E,) in [0, 1]: learned, smoothed."""
    worth: np.ndarray
    """(E,) in [0, 1], of a gain of progress there."""
    lost: np.ndarray
    """(E,) bool: begun anew at power-on."""


class Beginnings(Protocol):
    """Where the episodes of E emulators begin."""

    at_power_on: np.ndarray
    """(E,) bool: the running episode began there."""

    def begin(
        self, game: Startable, rows: np.ndarray, lost: np.ndarray, stream: np.random.Generator
    ) -> np.ndarray:
        """Put the emulators `rows (E,) bool` where episodes begin. Those that are `lost` stand at power-on already.

        Returns `(E,) bool`: others, whose episodes were running, that were thrown back to power-on by a worker lost meanwhile.
        """

    def step(self, game: Startable, played: Played) -> np.ndarray:
        """Follow a step of all. Returns `(E,) bool`: emulators that were lost meanwhile, beside those that were before."""

    def end(self, rows: np.ndarray) -> None:
        """Episodes `rows (E,) bool` ended, seen to their end."""

    def report(self) -> dict[str, float]:
        """Scalars for the curves, since the last report."""

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""


class FromPowerOn:
    """Every episode begins at power-on, after a random number of frames."""

    def __init__(self, envs: int) -> None:
        self.at_power_on = np.ones(envs, bool)

    def begin(
        self, game: Startable, rows: np.ndarray, lost: np.ndarray, stream: np.random.Generator
    ) -> np.ndarray:
        return begin_at_power_on(game, np.flatnonzero(rows & ~lost), stream) & ~rows

    def step(self, game: Startable, played: Played) -> np.ndarray:
        return np.zeros_like(played.lost)

    def end(self, rows: np.ndarray) -> None:
        pass

    def report(self) -> dict[str, float]:
        return {}

    def state(self) -> dict[str, Tensor]:
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        pass


def begin_at_power_on(game: Startable, rows: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Begin episodes in the emulators `rows (R,) int`, each with a seed of its own. Returns those lost in that, `(E,) bool`."""
    if not len(rows):
        # What the game says of lost emulators is then of an earlier call.
        return np.zeros(game.envs, bool)
    game.reset(rows, seeds=stream.integers(2**32, size=len(rows)).tolist())
    return game.restarted.copy()
