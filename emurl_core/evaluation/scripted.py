"""Scripted players, an upper reference: what somebody who knows the game reaches in the very same episodes.

That of the embedded game is the speedrunner of `emurl_core.synthetic`, one button a step. It reads the RAM of an emulator of
its own that plays along: the machine is deterministic, so what is true there is true of the episode that is judged. That of Pokémon
Red knows the intro only, reads nothing, and could not be tried here, because EmuRL ships no such ROM: see
`emurl_core.game.red_intro`. After the intro its presses mean nothing.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from emurl_core.game import Emulator, OpenedGame
from emurl_core.game.embedded.state import STATE_ADDRESS, STATE_BYTES, read_state
from emurl_core.game.lanes import POWER_ON
from emurl_core.game.red_intro import red_intro_buttons
from emurl_core.game.seeding import draw_idle_frames
from emurl_core.screen import Button
from emurl_core.synthetic.agents import ScriptedAgent

SCRIPTED_GAMES = ("embedded", "pokemon_red")
MID_GAME = ("embedded",)
"""Games whose scripted player can also go on from a state within the game."""


class ScriptedPlayer:
    """Plays one script an episode; sees nothing of the frames."""

    def __init__(self, scripts: Sequence[Iterator[Button]]) -> None:
        self._scripts = scripts

    def act(self, frames: np.ndarray) -> np.ndarray:
        return np.array([next(script) for script in self._scripts], np.int64)


def require_script(opened: OpenedGame) -> None:
    """Raises ValueError where nobody has written a script for this game."""
    if opened.game.name not in SCRIPTED_GAMES:
        raise ValueError(
            f"found the player 'scripted' for {opened.game.title}, expected one of the games that have a script "
            f"({', '.join(SCRIPTED_GAMES)}); take scripted out of evaluation.players"
        )


def scripted_player(
    opened: OpenedGame, seeds: Sequence[int], states: Sequence[bytes] | None = None
) -> ScriptedPlayer:
    """One script for each episode, which begins as `VectorGame.reset(seeds=..., states=...)` begins it: at power-on by default.

    Raises ValueError where the game has no script.
    """
    require_script(opened)
    if opened.game.name == "pokemon_red":
        return ScriptedPlayer([red_intro_buttons() for _ in seeds])
    starts = [POWER_ON] * len(seeds) if states is None else states
    return ScriptedPlayer(
        [_embedded_buttons(opened.rom, *start) for start in zip(seeds, starts, strict=True)]
    )


def _embedded_buttons(rom: bytes, seed: int, state: bytes) -> Iterator[Button]:
    agent = ScriptedAgent(seed)
    with Emulator(rom) as emulator:
        emulator.load_state(state or emulator.save_state())
        emulator.tick(draw_idle_frames(np.random.default_rng(seed)))
        while True:
            button = agent.act(read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES)))
            yield button
            emulator.step(button)
