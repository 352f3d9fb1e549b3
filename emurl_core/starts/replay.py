"""Proof of start states: their ways are played again from power-on, and must end in the very same state.

The picture alone would prove little, for many states show the same. The emulator is exact, so the state that a way ends in is
compared byte for byte with the one that was saved.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emurl_core.artifacts import ArtifactError
from emurl_core.game.emulator import Emulator
from emurl_core.starts.archive import DIGEST_BYTES
from emurl_core.starts.library import StartLibrary, StartState


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
    a millisecond a step, and 20 a state.

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
    with Emulator(rom) as player:
        waiting = [(i, player.save_state()) for i in children[None]]
        while waiting:
            state_id, before = waiting.pop()
            state = states[state_id]
            player.load_state(before)
            player.tick(state.idle_frames)
            for action in state.actions.tolist():
                player.step(action)
            reached = player.save_state()
            waiting += [(child, reached) for child in children[state_id]]
            yield Replayed(state_id, _difference(state, player.frame(), reached))


def _difference(state: StartState, frame: np.ndarray, reached: bytes) -> str:
    """What differs between a state and where its way ends."""
    digest = hashlib.blake2b(frame.tobytes(), digest_size=DIGEST_BYTES).hexdigest()
    if digest != state.frame_digest:
        return f"its way of {state.steps} steps from power-on ends in another picture"
    if reached != state.saved:
        return f"its way of {state.steps} steps from power-on ends in the same picture, but in another state"
    return ""
