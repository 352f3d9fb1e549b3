"""Emulator play with known buttons, sampled as a video of it would be: what an inverse-dynamics model learns from.

Each session begins at power-on or at a state reached before, chosen so that all kinds of pictures come up; nothing but pictures
and buttons is looked at. Who presses is in `thumbs`.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from emurl_core.actions.classes import class_of
from emurl_core.actions.thumbs import RandomThumbs
from emurl_core.configuration import StageConfig
from emurl_core.frames.store import PACKED_BYTES
from emurl_core.game import GameConfig, open_game
from emurl_core.game.emulator import Emulator
from emurl_core.runtime import track
from emurl_core.screen import EMULATOR_FPS, Button, pack_shades

_FROM_POWER_ON = 0.15
_SAVE_EVERY = 40
"""Frames of a session between two states that are kept to begin others from."""
_MOST_STATES = 400
_BLOCKS = 8
"""Rows and columns of the coarse look by which states are told apart."""
_LATE, _STUTTER = 0.1, 0.01
"""Shares of frames that a video shows a sixtieth early or late, or that it shows twice."""


class RolloutConfig(StageConfig):
    """How much is played, and how it is sampled."""

    rollout_sessions: int = Field(600, ge=2)
    """Sessions of emulator play that the model learns from."""
    held_out_sessions: int = Field(60, ge=2)
    """Further sessions: the best weights are chosen by a few of them, and judged on the others."""
    session_frames: int = Field(300, ge=16)
    """Sampled frames of a session."""


@dataclass(frozen=True)
class Rollouts:
    """Sessions side by side.

    Attributes:
        frames: `(S, F, 5760) uint8`, packed, mapped from disk.
        labels: `(S, F) uint8 in [0, 9)`: what was held between a frame and the next; the last one of a session is none.
        held_out: `(S,) bool`.
    """

    frames: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray


def roll_out(
    config: RolloutConfig, game: GameConfig, frames_per_second: float, seed: int, folder: Path
) -> Rollouts:
    """Play, or read what lies complete in `folder`. The same arguments give the same frames.

    Raises ValueError for a bad ROM.
    """
    done = folder / "rollouts.json"
    paths = folder / "rollout_frames.npy", folder / "rollout_labels.npy"
    sessions = config.rollout_sessions + config.held_out_sessions
    if not done.is_file():
        frames = np.lib.format.open_memmap(
            paths[0], "w+", np.uint8, (sessions, config.session_frames, PACKED_BYTES)
        )
        labels = np.full((sessions, config.session_frames), len(Button), np.uint8)
        _play(frames, labels, open_game(game).rom, frames_per_second, seed)
        frames.flush()
        np.save(paths[1], labels)
        staged = done.with_suffix(".new")
        staged.write_text(json.dumps({"sessions": sessions}))
        os.replace(staged, done)
    # Every so many sessions one is held out, so that late, far states are among them too.
    places = np.linspace(0, sessions - 1, config.held_out_sessions).round().astype(int)
    held_out = np.isin(np.arange(sessions), places)
    return Rollouts(np.load(paths[0], mmap_mode="r"), np.load(paths[1]), held_out)


def _play(frames: np.ndarray, labels: np.ndarray, rom: bytes, frames_per_second: float, seed: int) -> None:
    archive = _Archive(np.random.default_rng((seed, 1)))
    with Emulator(rom) as emulator:
        power_on = emulator.save_state()
        for session in track(len(frames), "rollouts"):
            random = np.random.default_rng((seed, 0, session))
            state = None if random.random() < _FROM_POWER_ON else archive.choose()
            emulator.load_state(state or power_on)
            _play_session(emulator, random, frames[session], labels[session], frames_per_second, archive)


def _play_session(
    emulator: Emulator,
    random: np.random.Generator,
    frames: np.ndarray,
    labels: np.ndarray,
    frames_per_second: float,
    archive: "_Archive",
) -> None:
    per_frame = EMULATOR_FPS / frames_per_second
    times = random.random() * per_frame + per_frame * np.arange(len(frames))
    late = random.random(len(frames)) < _LATE
    times = np.maximum.accumulate((times + late * random.choice([-1, 1], len(frames))).astype(int).clip(0))
    stutters = random.random(len(frames)) < _STUTTER
    thumbs = RandomThumbs(random)
    held: list[int] = []
    down: Button | None = None
    now = 0
    for i, time in enumerate(times.tolist()):
        while now < time:
            button, ahead = thumbs.hold(time - now)
            if button != down:
                emulator.release_all()
                if button is not None:
                    emulator.press(button)
                down = button
            now += ahead
            emulator.tick(ahead, render=now == time)
            held += [0 if button is None else 1 << button] * ahead
        shades = emulator.frame()
        frames[i] = frames[i - 1] if i and stutters[i] else pack_shades(shades)
        if i:
            labels[i - 1] = class_of(np.array(held, np.uint8))
            held.clear()
            thumbs.see(bool((frames[i] == frames[i - 1]).all()))
        if i % _SAVE_EVERY == _SAVE_EVERY - 1:
            archive.offer(shades, emulator)
    emulator.release_all()


class _Archive:
    """States by what they look like, coarsely (after Go-Explore, Ecoffet et al. 2019, arXiv:1901.10995).

    Sessions begin most often where the look was seen seldom and found late: late finds lie far from power-on.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._states: dict[bytes, bytes] = {}
        self._seen: dict[bytes, int] = {}

    def offer(self, shades: np.ndarray, emulator: Emulator) -> None:
        # So coarse that another text is no other place.
        blocks = shades.reshape(_BLOCKS, shades.shape[0] // _BLOCKS, _BLOCKS, -1)
        coarse = blocks.mean((1, 3)).round().astype(np.uint8)
        cell = hashlib.blake2b(coarse.tobytes(), digest_size=8).digest()
        self._seen[cell] = self._seen.get(cell, 0) + 1
        if cell not in self._states:
            self._states[cell] = emulator.save_state()
            if len(self._states) > _MOST_STATES:
                commonest = max(self._states, key=lambda c: self._seen[c])
                del self._states[commonest]

    def choose(self) -> bytes | None:
        if not self._states:
            return None
        cells = list(self._states)
        found = np.arange(1, len(cells) + 1) / len(cells)
        weights = found**3 / np.array([self._seen[c] for c in cells])
        chosen = cells[int(self._random.choice(len(cells), p=weights / weights.sum()))]
        self._seen[chosen] += 1
        return self._states[chosen]
