"""Proof of start states: their ways are played again from power-on, and must end in the very same state.

The picture alone would prove little: many states show the same. So a few buttons more are pressed on both sides, in the state that
was replayed and in the one that was saved, and both must go on alike.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emurl_core.artifacts import ArtifactError
from emurl_core.game.emulator import Emulator
from emurl_core.screen import Button
from emurl_core.starts.archive import DIGEST_BYTES
from emurl_core.starts.library import StartLibrary, StartState

PROBE = (Button.DOWN, Button.A, Button.RIGHT, Button.START)
"""Pressed after the way, one a step."""


@dataclass(frozen=True)
class Replayed:
    """What became of one state.

    Attributes:
        problem: what differs; empty when nothing does.
    """

    id: str
    problem: str

    @property
    def holds(self) -> bool:
        """Whether the way leads to the state."""
        return not self.problem


def verify(library: StartLibrary, rom: bytes) -> Iterator[Replayed]:
    """Play the way of every state from power-on, parents before children.

    What lies between a parent and its child is played on from the replay of the parent, never from the saved one. Costs about
    a millisecond a step.

    Raises ArtifactError when a state is damaged or belongs to another ROM or another PyBoy, or a parent is missing.
    """
    sha1 = hashlib.sha1(rom).hexdigest()
    states = {i: library.load(i, sha1) for i in library.ids}
    children: dict[str | None, list[str]] = defaultdict(list)
    for state in states.values():
        if state.parent is not None and state.parent not in states:
            raise ArtifactError(
                f"the way of the start state {state.id} begins at {state.parent}: found no such state in {library.folder}, "
                "expected all parents there; restore the folder, or train the policy again"
            )
        children[state.parent].append(state.id)
    with Emulator(rom) as player, Emulator(rom) as witness:
        waiting = [(i, player.save_state()) for i in children[None]]
        while waiting:
            state_id, before = waiting.pop()
            state = states[state_id]
            player.load_state(before)
            player.tick(state.idle_frames)
            for action in state.actions.tolist():
                player.step(action)
            if children[state_id]:
                reached = player.save_state()
                waiting += [(child, reached) for child in children[state_id]]
            yield Replayed(state_id, _difference(state, player, witness))


def _difference(state: StartState, player: Emulator, witness: Emulator) -> str:
    """What differs between a state and where the player stands; it moves on."""
    if frame_digest(player.frame()) != state.frame_digest:
        return f"its way of {state.steps} steps ends in another picture"
    witness.load_state(state.saved)
    if frame_digest(witness.frame()) != state.frame_digest:
        return "the save state shows another picture than the end of its way"
    for button in PROBE:
        if not np.array_equal(player.step(button), witness.step(button)):
            return f"the save state goes on otherwise than the end of its way: {button.name} leads to another picture"
    return ""


def frame_digest(frame: np.ndarray) -> str:
    """Of a frame `(144, 160) uint8`, in hex."""
    return hashlib.blake2b(frame.tobytes(), digest_size=DIGEST_BYTES).hexdigest()
