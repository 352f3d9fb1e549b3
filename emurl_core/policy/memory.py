"""What a policy remembers of an episode: the newest frames or their tokens, the button it pressed last, its hidden state.

The same memory is kept in training (`rollout`) and when a finished policy plays (`agent`).
"""

import numpy as np
import torch
from torch import Tensor

from emurl_core.screen import FRAME_SHAPE, TOKENS, Button

NO_BUTTON = len(Button)
"""`previous` at an episode's start."""


class Memory:
    """Memories of B episodes that run side by side; `hidden` numbers each, where the policy has a memory of its own."""

    def __init__(self, episodes: int, frames: int, hidden: int = 0, sees_frames: bool = False) -> None:
        self._stacks = (
            np.zeros((episodes, frames, *FRAME_SHAPE), np.uint8)
            if sees_frames
            else np.zeros((episodes, frames, TOKENS), np.int16)
        )
        self._previous = np.full(episodes, NO_BUTTON, np.int64)
        self._hidden = torch.zeros(episodes, hidden)

    @property
    def stacks(self) -> Tensor:
        """(B, frames, 90) int16 tokens, or (B, frames, 144, 160) uint8 where the policy sees frames; newest last; a copy."""
        return torch.from_numpy(self._stacks.copy())

    @property
    def previous(self) -> Tensor:
        """(B,) int64 in [0, 8], `NO_BUTTON` at an episode's start; a copy."""
        return torch.from_numpy(self._previous.copy())

    @property
    def hidden(self) -> Tensor:
        """(B, hidden) float32, zeros at an episode's start; a copy."""
        return self._hidden.clone()

    def start(self, seen: np.ndarray, rows: np.ndarray | slice = slice(None)) -> None:
        """Begin episodes in `rows` at these tokens, `(R, 90)`, or frames, `(R, 144, 160)`: as if they had stood there for long."""
        self._stacks[rows] = seen[:, None]
        self._previous[rows] = NO_BUTTON
        self._hidden[rows] = 0

    def see(self, seen: np.ndarray, actions: np.ndarray, hidden: Tensor) -> None:
        """Buttons `(B,)` were pressed and led to these tokens, `(B, 90)`, or frames, `(B, 144, 160)`; `hidden` is what the policy keeps."""
        self._hidden = hidden.float().cpu().clone()
        self._stacks = np.concatenate([self._stacks[:, 1:], seen[:, None].astype(self._stacks.dtype)], axis=1)
        self._previous = actions.astype(np.int64)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        return {"stacks": self.stacks, "previous": self.previous, "hidden": self.hidden}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._stacks, self._previous = state["stacks"].numpy().copy(), state["previous"].numpy().copy()
        self._hidden = state["hidden"].clone()


def draw_actions(log_probabilities: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Draw a button from each row by the Gumbel-max trick: `(B, 8) float, (B, 8) uniform in [0, 1) -> (B,) int64`."""
    tiny = np.finfo(np.float64).tiny
    return (log_probabilities - np.log(-np.log(noise + tiny) + tiny)).argmax(1)
