"""A finished play as data: which buttons were held in every emulator frame. Replaying them is the run, frame by frame.

Who decides what to press is in `player`; recording a replay into a video is in `record`.
"""

import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emurl_core.game.emulator import Emulator
from emurl_core.screen import EMULATOR_FPS, Button


@dataclass(frozen=True)
class Playthrough:
    """One play from power-on.

    Attributes:
        player: who played: `scripted`, `random` or `lost`.
        held: `(frames,) uint8`; bit b is set while `Button(b)` is held in that frame.
        milestones: name and number of frames emulated when it was reached, in the order reached.
        finished: whether the ending was reached.
        facts: what else is worth telling, for example faints.
    """

    player: str
    seed: int
    rom_sha1: str
    held: np.ndarray
    milestones: tuple[tuple[str, int], ...]
    finished: bool
    facts: dict[str, int | float | str]

    @property
    def frames(self) -> int:
        return len(self.held)

    @property
    def length_s(self) -> float:
        return self.frames / EMULATOR_FPS

    def splits(self) -> list[tuple[str, float]]:
        """Milestones with their times in seconds."""
        return [(name, frame / EMULATOR_FPS) for name, frame in self.milestones]

    def time_s(self) -> float:
        """The run's official time: until the last milestone, or all of it when the ending was not reached."""
        return (self.milestones[-1][1] if self.finished else self.frames) / EMULATOR_FPS


class Replay:
    """Plays the buttons of a playthrough on an emulator, up to any frame."""

    def __init__(self, emulator: Emulator, held: np.ndarray) -> None:
        self._emulator = emulator
        self._held = held
        changes = np.flatnonzero(np.diff(held.astype(np.int16))) + 1
        self._changes = [*changes.tolist(), len(held)]
        self._next = 0
        self._down = 0

    def advance(self, frames: int) -> np.ndarray:
        """Go on until `frames` frames have been emulated in all; the picture then, `(144, 160) uint8 in [0, 4)`."""
        while self._emulator.frames < frames:
            now = self._emulator.frames
            while self._changes[self._next] <= now:
                self._next += 1
            self._press(int(self._held[now]))
            end = min(frames, self._changes[self._next])
            self._emulator.tick(end - now, render=end == frames)
        return self._emulator.frame()

    def _press(self, held: int) -> None:
        for button in Button:
            if self._down & ~held & 1 << button:
                self._emulator.release(button)
        for button in Button:
            if held & ~self._down & 1 << button:
                self._emulator.press(button)
        self._down = held


def save(playthrough: Playthrough, path: Path) -> None:
    """Write to a `.npz` file, whole or not at all."""
    record = {
        "player": playthrough.player,
        "seed": playthrough.seed,
        "rom_sha1": playthrough.rom_sha1,
        "milestones": playthrough.milestones,
        "finished": playthrough.finished,
        "facts": playthrough.facts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with staged.open("wb") as f:
            np.savez_compressed(f, held=playthrough.held, record=np.array(json.dumps(record)))
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def load(path: Path) -> Playthrough:
    """Read what `save` wrote. Raises OSError when there is no such file, ValueError when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            record = json.loads(str(data["record"]))
            held = data["held"]
        record["milestones"] = tuple((str(name), int(frame)) for name, frame in record["milestones"])
        return Playthrough(held=held, **record)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"found {path} damaged ({error}), expected a saved playthrough; delete it and play again"
        ) from error
