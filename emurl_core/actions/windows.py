"""Windows of consecutive intervals out of rollouts, drawn at random for training.

What changes in each interval is computed once (`motion_table`) and kept on disk beside the rollouts, read at random from there.
"""

import os
from pathlib import Path

import numpy as np
import torch

from emurl_core.actions.classes import CLASSES
from emurl_core.actions.motion import CHANNELS, mirrored, motion_features, turned
from emurl_core.actions.rollouts import Rollouts
from emurl_core.runtime import track
from emurl_core.screen import GRID_SHAPE, SHADES, Button, unpack_shades
from emurl_core.training import Batch, step_generator


def _swapped(*pairs: tuple[Button, Button]) -> np.ndarray:
    classes = np.arange(CLASSES)
    for one, other in pairs:
        classes[[one, other]] = other, one
    return classes


_MIRRORS = (
    (lambda m: mirrored(m, -2), _swapped((Button.UP, Button.DOWN))),
    (lambda m: mirrored(m, -1), _swapped((Button.LEFT, Button.RIGHT))),
    (turned, _swapped((Button.UP, Button.LEFT), (Button.DOWN, Button.RIGHT))),
)
"""Changes of the picture, and the classes that change places with them."""


def motion_table(rollouts: Rollouts, noise: float, seed: int, folder: Path) -> np.ndarray:
    """`(S, F - 1, CHANNELS, 9, 10) float16` of every session, mapped from `folder`, where it is kept.

    Args:
        noise: share of pixels, at most, drawn a shade off; each session has a share of its own. Pictures that stand still keep
            their errors, as they do in videos.
    """
    path = folder / "motion.npy"
    if not path.is_file():
        sessions, frames = rollouts.labels.shape
        staged = folder / "motion.new.npy"
        table = np.lib.format.open_memmap(
            staged, "w+", np.float16, (sessions, frames - 1, CHANNELS, *GRID_SHAPE)
        )
        for session in track(sessions, "motion"):
            random = np.random.default_rng((seed, 2, session))
            shades = unpack_shades(rollouts.frames[session])
            _spoil(shades, noise * random.random(), random)
            table[session] = motion_features(torch.from_numpy(shades)).half().numpy()
        table.flush()
        del table
        os.replace(staged, path)
    return np.load(path, mmap_mode="r")


class WindowBatches:
    """Batches for `emurl_core.training.fit`: `motion (B, N, CHANNELS, 9, 10) float16`, `labels (B, N) int64`."""

    def __init__(
        self, rollouts: Rollouts, motion: np.ndarray, intervals: int, batch_size: int, seed: int
    ) -> None:
        self._labels, self._motion = rollouts.labels, motion
        self._sessions = np.flatnonzero(~rollouts.held_out)
        self._intervals, self._batch_size, self._seed = intervals, batch_size, seed

    def __call__(self, step: int) -> Batch:
        random = step_generator(self._seed, step)
        sessions = random.choice(self._sessions, self._batch_size)
        starts = random.integers(0, self._motion.shape[1] - self._intervals + 1, self._batch_size)
        chosen = [(s, slice(a, a + self._intervals)) for s, a in zip(sessions, starts, strict=True)]
        labels = np.stack([self._labels[place] for place in chosen])
        motion = np.stack([self._motion[place] for place in chosen])
        # A mirrored game is a game too, in which another direction was pressed: eight times as many to learn from.
        for change, swapped in _MIRRORS:
            chosen_rows = np.flatnonzero(random.random(self._batch_size) < 0.5)
            motion[chosen_rows] = change(motion[chosen_rows])
            labels[chosen_rows] = swapped[labels[chosen_rows]]
        return {"motion": torch.from_numpy(motion), "labels": torch.from_numpy(labels.astype(np.int64))}


def _spoil(frames: np.ndarray, share: float, random: np.random.Generator) -> None:
    """Draw some pixels of `(F, 144, 160) uint8` a shade off, in place: other ones whenever the picture changes."""
    changed = np.concatenate([[True], (frames[1:] != frames[:-1]).any((1, 2))])
    clean = frames.reshape(len(frames), -1).copy()
    for i, frame in enumerate(frames.reshape(len(frames), -1)):
        if changed[i]:
            places = random.integers(0, frame.size, int(share * frame.size))
            off = random.choice([-1, 1], len(places))
        frame[places] = np.clip(clean[i, places].astype(np.int8) + off, 0, SHADES - 1)
