"""The memory that a vector of emulators and its owner both see: one row of each array per emulator.

Anonymous memory handed down as a file descriptor: it has no name that could be left behind when a process is killed.
Who writes what is in `lanes` (emulators) and `parallel` (their owner).
"""

import mmap
import os
import tempfile

import numpy as np

from emurl_core.screen import FRAME_SHAPE

NO_ACTION = 255
"""In `actions`: wait for a step without pressing anything."""

_FIELDS: tuple[tuple[str, np.dtype, tuple[int, ...]], ...] = (
    ("frames", np.dtype(np.uint8), FRAME_SHAPE),
    ("actions", np.dtype(np.uint8), ()),
    ("milestones", np.dtype(np.uint32), ()),
    ("progress", np.dtype(np.float32), ()),
    ("place", np.dtype(np.int16), (3,)),
    ("events", np.dtype(np.int32), ()),
    ("idle_frames", np.dtype(np.int32), ()),
    ("restarted", np.dtype(np.bool_), ()),
)
_ALIGN_BYTES = 64


class Slots:
    """Arrays of `envs` rows laid over one buffer.

    frames       (E, 144, 160) uint8 in [0, 4): what each emulator shows
    actions      (E,) uint8: the button of the next step, or NO_ACTION
    milestones   (E,) uint32: bits of the milestones reached in this episode
    progress     (E,) float32 in [0, 1]: true progress
    place        (E, 3) int16: map, x, y
    events       (E,) int32: event flags set since the reset
    idle_frames  (E,) int32: frames to wait at the next reset
    restarted    (E,) bool: the emulator was lost in the last call and begins anew
    """

    frames: np.ndarray
    actions: np.ndarray
    milestones: np.ndarray
    progress: np.ndarray
    place: np.ndarray
    events: np.ndarray
    idle_frames: np.ndarray
    restarted: np.ndarray

    def __init__(self, envs: int, buffer: memoryview | mmap.mmap | bytearray) -> None:
        self.envs = envs
        offset = 0
        for name, dtype, shape in _FIELDS:
            count = envs * int(np.prod(shape))
            array = np.frombuffer(buffer, dtype, count, offset).reshape(envs, *shape)
            setattr(self, name, array)
            offset += -(-count * dtype.itemsize // _ALIGN_BYTES) * _ALIGN_BYTES


def slots_bytes(envs: int) -> int:
    """Bytes of the buffer that `Slots(envs, buffer)` needs."""
    return sum(-(-envs * int(np.prod(s)) * d.itemsize // _ALIGN_BYTES) * _ALIGN_BYTES for _, d, s in _FIELDS)


def anonymous_memory(size: int) -> int:
    """File descriptor of `size` zero bytes that vanish with the last process that holds it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("emurl-slots")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size)
    return descriptor
