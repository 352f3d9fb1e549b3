"""Playing a whole run from power-on, fast and without pictures. The result is a `Playthrough` to be recorded or judged.

`python -m emurl_core.synthetic.player --seeds 20` plays many and prints how long they took.
"""

import argparse
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from emurl_core.game.embedded.state import EmbeddedState, Event, Scene
from emurl_core.game.emulator import Emulator
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.screen import EMULATOR_FPS, STEP_FRAMES, Button
from emurl_core.synthetic import playthrough as playthroughs
from emurl_core.synthetic.agents import Agent, LostAgent, RandomAgent, ScriptedAgent, takes_input
from emurl_core.synthetic.hands import DIRECTIONS, Hands, Rhythm, arrived, decides_ahead
from emurl_core.synthetic.playthrough import Playthrough
from emurl_core.synthetic.randomness import stream
from emurl_core.synthetic.walking import IDLE

PLAYER_VERSION = "1"
"""Raise it when the same seed plays differently: cached plays are then played anew."""
MAX_FRAMES = 36_000
"""Ten minutes: who has not finished by then gives up."""
_LINGER_FRAMES = 150

_AGENTS: Mapping[str, Callable[[int], Agent]] = MappingProxyType(
    {"scripted": ScriptedAgent, "random": RandomAgent, "lost": LostAgent}
)


def play(rom: bytes, seed: int, player: str = "scripted", max_frames: int = MAX_FRAMES) -> Playthrough:
    """Play the embedded game from power-on until the ending, or until `max_frames`.

    Args:
        player: `scripted` finishes; `lost` and `random` wander, for testing rewards against the truth.
    """
    if player not in _AGENTS:
        raise ValueError(
            f"found the player {player!r}, expected one of {', '.join(_AGENTS)}; choose one of these"
        )
    agent = _AGENTS[player](seed)
    with Emulator(rom) as emulator:
        hands = Hands(emulator)
        if isinstance(agent, ScriptedAgent):
            _play_by_frames(hands, agent, seed, max_frames)
        else:
            play_by_steps(hands, agent, max_frames // STEP_FRAMES)
        state = hands.look()
    return Playthrough(
        player=player,
        seed=seed,
        rom_sha1=hashlib.sha1(rom).hexdigest(),
        held=np.frombuffer(bytes(hands.held), dtype=np.uint8),
        milestones=tuple(hands.milestones),
        finished=bool(state.events & Event.ENDING),
        facts={
            "battles": state.battles,
            "faints": state.faints,
            "level": state.level,
            "name": state.name,
            "steps": state.steps,
        },
    )


def play_by_steps(hands: Hands, agent: Agent, max_steps: int) -> int:
    """Play in RL steps of one button; the number of steps until the ending, or `max_steps`."""
    state = hands.look()
    for number in range(max_steps):
        if state.events & Event.ENDING:
            return number
        state = hands.step(agent.act(state))
    return max_steps


def cached_play(rom: bytes, seed: int, folder: Path, player: str = "scripted") -> Playthrough:
    """Like `play`, but played once for a ROM and a seed and kept in the folder."""
    sha1 = hashlib.sha1(rom).hexdigest()
    path = folder / f"{player}-{seed}-{sha1[:12]}-{PLAYER_VERSION}.npz"
    try:
        return playthroughs.load(path)
    except (OSError, ValueError):
        played = play(rom, seed, player)
        playthroughs.save(played, path)
        return played


def _play_by_frames(hands: Hands, agent: ScriptedAgent, seed: int, max_frames: int) -> None:
    rng = stream(seed, "hands")
    rhythm = Rhythm(agent.temper.delay_frames, agent.temper.reading_frames, rng)
    # Nobody presses the power switch and a button at the same instant; it also makes the game's random numbers differ.
    hands.hold(None, int(rng.integers(20, 200)))
    state = hands.look()
    waiting = False
    while len(hands.held) < max_frames:
        if state.events & Event.ENDING and state.scene == Scene.THE_END:
            hands.hold(None, _LINGER_FRAMES)
            return
        if not takes_input(state):
            waiting = True
            hands.hold(None, 1)
            state = hands.look()
            continue
        if waiting:
            waiting = False
            hands.hold(None, rhythm.reaction())
            state = hands.look()
        if state.waits_for_a:
            hands.hold(None, rhythm.reading())
            state = hands.look()
        button = agent.act(state)
        if button == IDLE:
            hands.hold(None, STEP_FRAMES // 2)
            state = hands.look()
        elif button in DIRECTIONS and state.scene == Scene.OVERWORLD and state.control:
            state = _walk(hands, agent, button, rhythm, max_frames)
        else:
            hands.hold(button, rhythm.tap())
            hands.hold(None, rhythm.gap())
            state = hands.look()


def _walk(
    hands: Hands, agent: ScriptedAgent, button: Button, rhythm: Rhythm, max_frames: int
) -> EmbeddedState:
    """Hold a direction, and change it without stopping, for as long as the agent wants to walk on."""
    still = 0
    while len(hands.held) < max_frames:
        hands.hold(button, 1)
        state = hands.look()
        if state.moving == 0:
            still += 1
            # Turning towards something solid moves nothing; through a door the game takes over.
            if still > 6 or not state.control:
                return state
            continue
        still = 0
        if decides_ahead(state):
            wanted = agent.act(arrived(state))
            if wanted not in DIRECTIONS:
                hands.hold(None, state.moving + 1)
                return _press_on(hands, wanted, rhythm)
            if wanted != button:
                hands.hold(button, rhythm.late())
            button = wanted
            hands.hold(button, state.moving)
    return hands.look()


def _press_on(hands: Hands, button: Button, rhythm: Rhythm) -> EmbeddedState:
    """What was decided while walking, done after arriving."""
    state = hands.look()
    if state.control:
        hands.hold(None, rhythm.reaction())
        if button == IDLE:
            hands.hold(None, STEP_FRAMES // 2)
        else:
            hands.hold(button, rhythm.tap())
            hands.hold(None, rhythm.gap())
    return hands.look()


def main() -> None:
    """Play many seeds and print how long they took."""
    parser = argparse.ArgumentParser(description="Play the embedded game with the scripted player.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--timing", choices=("frames", "steps"), default="frames")
    options = parser.parse_args()
    rom = open_game(GameConfig()).rom
    steps, finished = [], 0
    for seed in range(options.first, options.first + options.seeds):
        if options.timing == "frames":
            played = play(rom, seed)
            done, taken, facts = played.finished, played.frames / STEP_FRAMES, played.facts
        else:
            with Emulator(rom) as emulator:
                hands = Hands(emulator)
                taken = play_by_steps(hands, ScriptedAgent(seed), MAX_FRAMES // STEP_FRAMES)
                state = hands.look()
            done, facts = bool(state.events & Event.ENDING), {"faints": state.faints, "level": state.level}
        finished += done
        steps.append(taken)
        print(f"seed {seed}: {'ending' if done else 'gave up'} after {taken:.0f} steps {facts}")
    seconds = np.array(steps) * STEP_FRAMES / EMULATOR_FPS
    print(
        f"{finished} of {options.seeds} reached the ending; steps of {STEP_FRAMES} frames: min {min(steps):.0f}, median "
        f"{np.median(steps):.0f}, max {max(steps):.0f} ({seconds.min():.0f} / {np.median(seconds):.0f} / {seconds.max():.0f} s)"
    )


if __name__ == "__main__":
    main()
