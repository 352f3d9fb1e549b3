"""What viewers are shown: the newest picture and state, and the whole curve of the episode.

One thread plays and writes, one thread a viewer reads. A slow viewer misses pictures, never a point of the curve.
"""

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emurl_core.screen import FRAME_SHAPE, pack_shades

MOST_POINTS = 100_000
"""Points kept of one episode's curve: half a day at real time. A longer episode's later points are shown as numbers only."""


@dataclass(frozen=True)
class Glance:
    """What one viewer has not seen yet."""

    version: int
    """Counts what was shown; to be handed in next time."""
    episode: int
    points: int
    """Points of this episode's curve that the viewer has now."""
    message: Mapping[str, Any]
    """Ready for JSON: the state, `picture` (base64 of 5760 bytes, four shades a byte) and `curve` (`start`, `values`)."""


class Board:
    """The newest of everything."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version, self._episode = 0, 0
        self._picture = pack_shades(np.zeros(FRAME_SHAPE, np.uint8)).tobytes()
        self._state: Mapping[str, Any] = {}
        self._curve: list[float] = []

    def start(self, episode: int) -> None:
        """An episode begins: the curve is empty again."""
        with self._changed:
            self._episode, self._curve = episode, []

    def add(self, progress: float) -> None:
        """The next point of the curve, in [0, 1]."""
        with self._changed:
            if len(self._curve) < MOST_POINTS:
                self._curve.append(round(float(progress), 4))

    def show(self, frame: np.ndarray, state: Mapping[str, Any]) -> None:
        """Show a frame, `(144, 160) uint8 in [0, 4)`, and what is said beside it."""
        with self._changed:
            self._picture, self._state = pack_shades(frame).tobytes(), state
            self._version += 1
            self._changed.notify_all()

    def look(self, seen: Glance | None, timeout_s: float) -> Glance | None:
        """What is new since `seen` (None: everything); waits for it, and returns None when nothing came."""
        known = seen.version if seen else 0
        with self._changed:
            if not self._changed.wait_for(lambda: self._version > known, timeout_s):
                return None
            start = seen.points if seen and seen.episode == self._episode else 0
            curve = {"start": start, "values": self._curve[start:]}
            picture = base64.b64encode(self._picture).decode()
            message = {**self._state, "picture": picture, "curve": curve}
            return Glance(self._version, self._episode, len(self._curve), message)
