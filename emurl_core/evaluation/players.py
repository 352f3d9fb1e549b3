"""Who plays in an evaluation: the policy in two ways, and players that know nothing, to be measured against.

Every player sees frames only.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from emurl_core.policy import Policy
from emurl_core.screen import Button

PlayerName = Literal["stochastic", "greedy", "random", "fixed"]
FIXED_BUTTON = Button.A


class Player(Protocol):
    """Plays B episodes side by side."""

    def act(self, frames: np.ndarray) -> np.ndarray:
        """`(B, 144, 160) uint8 in [0, 4) -> (B,) int64 in [0, 8)`. The first call sees the first frames."""


class RandomPlayer:
    """Presses the allowed buttons alike. Each episode draws from a stream of its own."""

    def __init__(self, allowed: Sequence[Button], seeds: Sequence[int]) -> None:
        self._allowed = np.array([int(b) for b in allowed], np.int64)
        self._streams = [np.random.default_rng(seed) for seed in seeds]

    def act(self, frames: np.ndarray) -> np.ndarray:
        return np.array([self._allowed[s.integers(len(self._allowed))] for s in self._streams], np.int64)


class FixedPlayer:
    """Presses one button, always: what mashing A reaches is no skill."""

    def __init__(self, button: Button) -> None:
        self._button = button

    def act(self, frames: np.ndarray) -> np.ndarray:
        return np.full(len(frames), int(self._button), np.int64)


def player_called(name: PlayerName, policy: Policy, seeds: Sequence[int]) -> Player:
    """The player of that name, for one episode per seed."""
    if name == "random":
        return RandomPlayer(policy.allowed, seeds)
    if name == "fixed":
        return FixedPlayer(FIXED_BUTTON)
    return policy.agent(seeds, greedy=name == "greedy")
