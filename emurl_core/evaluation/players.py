"""Who plays in an evaluation: the policy in two ways, earlier policies, players that know nothing, and one that knows all.

Every player but `scripted` (see there) sees frames only.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.evaluation.scripted import scripted_player
from emurl_core.game import OpenedGame
from emurl_core.policy import Policy, require_same_game
from emurl_core.screen import Button

PlayerName = Literal["stochastic", "greedy", "random", "fixed", "scripted"]
FIXED_BUTTON = Button.A
EARLIER = "earlier_"
"""What names of earlier policies begin with; the first digits of their versions follow."""
_NAME_DIGITS = 8


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


def player_called(
    name: str,
    policy: Policy,
    seeds: Sequence[int],
    opened: OpenedGame,
    states: Sequence[bytes] | None = None,
) -> Player:
    """The player of that name, for one episode per seed.

    Args:
        states: save states that the episodes begin at, one each; power-on if left out.

    Raises ValueError for `scripted` in a game without a script.
    """
    if name == "random":
        return RandomPlayer(policy.allowed, seeds)
    if name == "fixed":
        return FixedPlayer(FIXED_BUTTON)
    if name == "scripted":
        return scripted_player(opened, seeds, states)
    return policy.agent(seeds, greedy=name == "greedy")


def earlier_policies(
    policy: Artifact, versions: Sequence[str], newest: int, store: ArtifactStore, opened: OpenedGame
) -> dict[str, Artifact]:
    """Policies to play beside `policy`, by the names of players: those of `versions`, then the `newest` ones made before it.

    The newest ones are of the same ROM; those that are named have to be.

    Raises:
        ArtifactError: a version is not there, is `policy` itself, or was trained on another ROM.
    """
    named = [store.get("policy", version) for version in versions]
    for artifact in named:
        if artifact.id == policy.id:
            raise ArtifactError(
                f"found {artifact.id} among evaluation.earlier, expected other policies than the one that is evaluated; take it out"
            )
        require_same_game(artifact, opened)
    if newest:
        before = [
            a
            for a in store.versions("policy")
            if a.record["created_utc"] < policy.record["created_utc"]
            and {key: a.facts.get(key) for key in opened.identity} == opened.identity
        ]
        named += before[::-1][:newest]
    chosen = {artifact.version: artifact for artifact in named}
    short = {version[:_NAME_DIGITS] for version in chosen}
    digits = _NAME_DIGITS if len(short) == len(chosen) else None
    return {f"{EARLIER}{version[:digits]}": artifact for version, artifact in chosen.items()}
