"""How a moment of play was reached: from which start, by which buttons.

A Game Boy is deterministic: the way is the state. Ways are what makes a save state more than an opaque blob (`replay`).
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

POWER_ON = -1
"""In place of a parent's number."""


@dataclass
class Way:
    """Buttons pressed since a start.

    Attributes:
        parent: number of the state that it begins at, or POWER_ON.
        idle_frames: frames waited at power-on before the first button; 0 after a state.
        steps_before: steps from power-on to the parent.
        actions: one byte a step of 30 frames, in [0, 8).
    """

    parent: int = POWER_ON
    idle_frames: int = 0
    steps_before: int = 0
    actions: bytearray = field(default_factory=bytearray)

    @property
    def steps(self) -> int:
        """Steps from power-on."""
        return self.steps_before + len(self.actions)

    def copy(self) -> "Way":
        """The way so far; goes on by itself."""
        return Way(self.parent, self.idle_frames, self.steps_before, bytearray(self.actions))

    def lengthen(self, parents: "Way") -> None:
        """Begin where the parent's way begins: the parent is about to go."""
        self.parent, self.idle_frames = parents.parent, parents.idle_frames
        self.steps_before = parents.steps_before
        self.actions[:0] = parents.actions


def pack_ways(ways: list[Way]) -> dict[str, Tensor]:
    """Ways as tensors, for resume states: `numbers (N, 4) int64` and `actions`, all bytes in a row."""
    numbers = [[w.parent, w.idle_frames, w.steps_before, len(w.actions)] for w in ways]
    return {
        "numbers": torch.tensor(numbers, dtype=torch.int64).reshape(len(ways), 4),
        "actions": bytes_to_tensor(b"".join(w.actions for w in ways)),
    }


def unpack_ways(packed: dict[str, Tensor]) -> list[Way]:
    """What `pack_ways` was given."""
    numbers = packed["numbers"]
    parts = split_bytes(packed["actions"], numbers[:, 3].tolist())
    return [
        Way(parent, idle_frames, steps_before, bytearray(actions))
        for (parent, idle_frames, steps_before, _), actions in zip(numbers.tolist(), parts, strict=True)
    ]


def bytes_to_tensor(data: bytes) -> Tensor:
    """`(len,) uint8`."""
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())


def split_bytes(tensor: Tensor, lengths: list[int]) -> list[bytes]:
    """Parts of `lengths` bytes that lie one after another."""
    data, ends = tensor.numpy().tobytes(), np.cumsum([0, *lengths])
    return [data[a:b] for a, b in pairwise(ends)]
