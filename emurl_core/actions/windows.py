"""Windows of consecutive frames out of rollouts: drawn at random for training, laid side by side for judging."""

import numpy as np
import torch

from emurl_core.actions.rollouts import Rollouts
from emurl_core.screen import SHADES, unpack_shades
from emurl_core.training import Batch, step_generator


class WindowBatches:
    """Batches for `emurl_core.training.fit`: `frames (B, F, 144, 160) uint8`, `labels (B, F - 1) int64`.

    Args:
        noise: share of pixels, at most, drawn a shade off; each window has a share of its own.
    """

    def __init__(self, rollouts: Rollouts, frames: int, batch_size: int, noise: float, seed: int) -> None:
        self._rollouts = rollouts
        self._sessions = np.flatnonzero(~rollouts.held_out)
        self._frames, self._batch_size, self._noise, self._seed = frames, batch_size, noise, seed

    def __call__(self, step: int) -> Batch:
        random = step_generator(self._seed, step)
        sessions = random.choice(self._sessions, self._batch_size)
        starts = random.integers(0, self._rollouts.frames.shape[1] - self._frames + 1, self._batch_size)
        packed = np.stack(
            [
                self._rollouts.frames[s, a : a + self._frames]
                for s, a in zip(sessions.tolist(), starts.tolist(), strict=True)
            ]
        )
        labels = np.stack(
            [
                self._rollouts.labels[s, a : a + self._frames - 1]
                for s, a in zip(sessions.tolist(), starts.tolist(), strict=True)
            ]
        )
        shades = unpack_shades(packed)
        for window in shades:
            _spoil(window, self._noise * random.random(), random)
        return {"frames": torch.from_numpy(shades), "labels": torch.from_numpy(labels.astype(np.int64))}


def _spoil(window: np.ndarray, share: float, random: np.random.Generator) -> None:
    """Draw some pixels of `(F, 144, 160) uint8` a shade off, in place."""
    flat = window.reshape(-1)
    places = random.integers(0, flat.size, int(share * flat.size))
    flat[places] = np.clip(
        flat[places].astype(np.int8) + random.choice([-1, 1], len(places)), 0, SHADES - 1
    ).astype(np.uint8)
