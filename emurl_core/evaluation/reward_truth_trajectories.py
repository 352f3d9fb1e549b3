"""What players of known kind see, step by step, with the truth beside every frame. The RAM is read here.

`scripted` plays the embedded game to its end, `lost` leaves the way, `random` presses anything and plays any game. All act
once a step, as a policy does. What a reward model says of these frames is in `reward_truth_figures`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from pydantic import Field

from emurl_core.configuration import StageConfig
from emurl_core.game import Emulator, OpenedGame
from emurl_core.game.embedded.state import STATE_ADDRESS, STATE_BYTES, read_state
from emurl_core.screen import Button
from emurl_core.synthetic.agents import Agent, LostAgent, ScriptedAgent

PlayerName = Literal["scripted", "lost", "random"]
FIRST_SEED = 70_000
"""Far from the seeds that synthetic speedruns are recorded with."""
_BY_STATE: Mapping[str, Callable[[int], Agent]] = MappingProxyType(
    {"scripted": ScriptedAgent, "lost": LostAgent}
)


class TruthConfig(StageConfig):
    """How much is played, and how progress is read along it."""

    plays: int = Field(8, ge=0)
    """Trajectories of each player."""
    steps: int = Field(1_000, ge=16)
    """Steps of half a second after which a trajectory ends."""
    progress_window: int = Field(8, ge=1)
    """Frames that progress is averaged over, as the policy does."""
    interval: int = Field(8, ge=1)
    """Steps over which gains are held against the truth, as the policy is paid."""


@dataclass(frozen=True)
class Trajectory:
    """One play from power-on."""

    player: PlayerName
    seed: int
    frames: np.ndarray
    """`(N, 144, 160) uint8 in [0, 4)`, the first one before any button."""
    true: np.ndarray
    """`(N,) float32 in [0, 1]`: the true progress of each."""


def trajectories(
    opened: OpenedGame, players: Sequence[PlayerName], plays: int, steps: int
) -> list[Trajectory]:
    """`plays` trajectories of each player, of `steps` steps, or fewer where the game's last milestone was reached.

    Players that know only the embedded game are left out of others.

    Raises:
        ValueError: nothing is known about the truth of this game, or none of the players can play it.
    """
    if not opened.game.milestones:
        raise ValueError(
            f"found no milestones for {opened.game.title}, expected a game whose truth is known to hold progress against; "
            "set game to embedded or pokemon_red"
        )
    fit = [p for p in players if p == "random" or opened.game.name == "embedded"]
    if not fit:
        raise ValueError(
            f"found players={tuple(players)}, none of whom can play {opened.game.title}, expected random among them (scripted and "
            "lost know the embedded game only); add random to players"
        )
    return [_play(opened, player, FIRST_SEED + i, steps) for player in fit for i in range(plays)]


def _play(opened: OpenedGame, player: PlayerName, seed: int, steps: int) -> Trajectory:
    tracker, last = opened.game.tracker(), 1 << len(opened.game.milestones) - 1
    stream = np.random.default_rng(seed)
    allowed = [b for b in Button if b not in opened.game.masked_buttons]
    agent = _BY_STATE[player](seed) if player in _BY_STATE else None
    with Emulator(opened.rom) as emulator:
        tracker.reset(emulator.memory)
        frames, true = [emulator.frame().copy()], [tracker.read(emulator.memory).progress]
        for _ in range(steps):
            if agent is None:
                button = allowed[int(stream.integers(len(allowed)))]
            else:
                button = agent.act(read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES)))
            frames.append(emulator.step(button).copy())
            truth = tracker.read(emulator.memory)
            true.append(truth.progress)
            if truth.milestones & last:
                break
    return Trajectory(player, seed, np.stack(frames), np.array(true, np.float32))
