"""An agent's play on an emulator, a button a step as a policy plays, with the true state beside every frame.

Plays frame by frame, for videos, are in `player`.
"""

from collections.abc import Iterator

import numpy as np

from emurl_core.game.embedded.state import STATE_ADDRESS, STATE_BYTES, EmbeddedState, Event, read_state
from emurl_core.game.emulator import Emulator
from emurl_core.synthetic.agents import Agent


def watched(rom: bytes, agent: Agent, steps: int) -> Iterator[tuple[np.ndarray, EmbeddedState]]:
    """`(144, 160) uint8 in [0, 4)` and the state after each step from power-on, until the ending or for `steps` steps."""
    with Emulator(rom) as emulator:
        state = read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES))
        for _ in range(steps):
            shades = emulator.step(agent.act(state))
            state = read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES))
            yield shades, state
            if state.events & Event.ENDING:
                return
