"""A stand-in for the emulators that is quick to learn: a corridor in which A goes on, and all other buttons do nothing.

Its frames show the place as bits, so that tokens and progress can be read off them without a trained model.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emurl_core.game.parallel import TruthView
from emurl_core.policy import PolicyShape
from emurl_core.screen import FRAME_SHAPE, TOKENS, Button

CORRIDOR = 40
CODES = 16


class ToyGame:
    """`VectorGame` of the corridor. A save state is the place."""

    def __init__(self, envs: int, good: Button = Button.A) -> None:
        self.envs, self.restarts, self._good = envs, 0, good
        self.frames = np.zeros((envs, *FRAME_SHAPE), np.uint8)
        self.restarted = np.zeros(envs, bool)
        self.idle_frames = np.zeros(envs, np.int32)
        self.place = np.zeros(envs, np.int64)
        self.resets: list[list[int]] = []
        self.lose_next: int | None = None
        self._truth = np.zeros(envs, np.float32)
        self.truth = TruthView(
            np.zeros(envs, np.uint32), self._truth, np.zeros((envs, 3), np.int16), np.zeros(envs, np.int32)
        )

    def reset(
        self,
        indices: Sequence[int] | np.ndarray | None = None,
        *,
        seeds: Sequence[int] | None = None,
        states: Sequence[bytes] | bytes = b"",
        idle: bool = True,
    ) -> np.ndarray:
        rows = list(range(self.envs)) if indices is None else [int(i) for i in indices]
        self.resets.append(rows)
        self.restarted[:] = False
        starts = [states] * len(rows) if isinstance(states, bytes) else states
        for row, state in zip(rows, starts, strict=True):
            self.place[row] = int.from_bytes(state, "little") if state else 0
        return self._draw()

    def step(self, actions: np.ndarray) -> np.ndarray:
        self.restarted[:] = False
        self.place = np.minimum(self.place + (actions == self._good), CORRIDOR)
        if self.lose_next is not None:
            self.place[self.lose_next], self.restarted[self.lose_next], self.lose_next = 0, True, None
        return self._draw()

    def save_states(self, indices: Sequence[int] | np.ndarray | None = None) -> list[bytes]:
        rows = range(self.envs) if indices is None else indices
        return [int(self.place[row]).to_bytes(4, "little") for row in rows]

    def _draw(self) -> np.ndarray:
        self.frames[:] = 0
        self.frames[:, 0, :8] = self.place[:, None] >> np.arange(8) & 1
        self._truth[:] = self.place / CORRIDOR
        return self.frames


def place_of(frames: Tensor) -> Tensor:
    return (frames[:, 0, :8].long() << torch.arange(8)).sum(1)


def toy_look(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens: the place in the first one, modulo; progress: the share of the corridor."""
    place = place_of(frames)
    tokens = torch.zeros(len(frames), TOKENS, dtype=torch.int64)
    tokens[:, 0] = place % CODES
    return tokens, place.float() / CORRIDOR


def toy_shape(frames: int, masked: tuple[Button, ...] = ()) -> PolicyShape:
    return PolicyShape(CODES, 16, 1, 2, 32, frames, tuple(int(b) for b in masked))
