"""What a policy is cloned from: token stacks, previous buttons and the buttons that were pressed, and the batches drawn of them.

Which moments those are is in `decisions`; the stage around it is `cloning`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from emurl_core.actions.classes import NONE
from emurl_core.actions.decisions import decisions_of
from emurl_core.actions.labels import Labelled
from emurl_core.screen import TOKENS, unpack_shades
from emurl_core.tokenizer.frame_encoder import FrameEncoder
from emurl_core.training import Batch, step_generator

_CHUNK_FRAMES = 256


@dataclass(frozen=True)
class Examples:
    """Decisions of many videos.

    Attributes:
        stacks: `(N, frames, 90) int16` tokens, the newest frame last.
        previous: `(N,) int64 in [0, 8]`.
        buttons: `(N,) int64 in [0, 8)`.
        copies: `(N,) int64`, how many of the examples have the very same newest frame and button.
    """

    stacks: np.ndarray
    previous: np.ndarray
    buttons: np.ndarray
    copies: np.ndarray

    def __len__(self) -> int:
        return len(self.buttons)


def examples_of(
    labelled: Sequence[Labelled],
    encoder: FrameEncoder,
    frames: int,
    sure: float,
    step_frames: int,
    masked: Sequence[int],
    device: torch.device,
) -> Examples:
    """The decisions of these clips as the agent would meet them. Masked buttons, which it cannot press, are left out."""
    stacks, previous, buttons = [], [], []
    for one in labelled:
        clip = one.clip
        found = decisions_of(one.classes, one.confidence, clip.pts_s, clip.stretches, sure, step_frames)
        allowed = ~np.isin(found.buttons, masked)
        rows = found.stacks(frames)
        needed, places = np.unique(rows, return_inverse=True)
        tokens = _tokens(clip.frames.packed(needed), encoder, device)
        stacks.append(tokens[places].reshape(*rows.shape, TOKENS)[allowed])
        previous.append(found.previous()[allowed])
        buttons.append(found.buttons[allowed])
    joined = np.concatenate(stacks) if stacks else np.zeros((0, frames, TOKENS), np.int16)
    pressed = np.concatenate(buttons) if buttons else np.zeros(0, np.int64)
    before = np.concatenate(previous) if previous else np.zeros(0, np.int64)
    return Examples(joined, before, pressed, _copies(joined, pressed))


def _tokens(packed: np.ndarray, encoder: FrameEncoder, device: torch.device) -> np.ndarray:
    """`(n, 5760) uint8 -> (n, 90) int16`; equal frames are encoded once."""
    frames, places = np.unique(packed, axis=0, return_inverse=True)
    found = [np.zeros((0, TOKENS), np.int16)]
    with torch.no_grad():
        for begin in range(0, len(frames), _CHUNK_FRAMES):
            shades = torch.from_numpy(unpack_shades(frames[begin : begin + _CHUNK_FRAMES])).to(device)
            found.append(encoder.encode(shades).flatten(1).short().cpu().numpy())
    return np.concatenate(found)[places.ravel()]


def _copies(stacks: np.ndarray, buttons: np.ndarray) -> np.ndarray:
    seen = np.concatenate([stacks[:, -1], buttons[:, None].astype(np.int16)], 1)
    _, places, counts = np.unique(seen, axis=0, return_inverse=True, return_counts=True)
    return counts[places.ravel()]


class CopyBatches:
    """Batches for `emurl_core.training.fit`: `stacks (B, frames, 90) int16`, `previous (B,) int64`, `buttons (B,) int64`.

    Args:
        evenness: 0 draws all examples alike; 1 draws each different frame and button alike, however often it came up.
        forget_older: share of examples whose older frames are the newest one, as if nothing had happened before.
        forget_previous: share of examples that know of no previous button. Who knows it copies it (Codevilla et al. 2019,
            arXiv:1904.08980).
        stuck: share of the examples without older frames in which another button was just pressed, to no effect; the rest of
            those know of none. Runners are never stuck, so nothing else says what to do when a button does nothing; with the
            true previous button, which mostly is the right one again, a still picture would say: press it for ever.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        evenness: float,
        forget_older: float,
        forget_previous: float,
        stuck: float,
        seed: int,
    ) -> None:
        self._examples, self._batch_size, self._seed = examples, batch_size, seed
        self._forget_older, self._forget_previous, self._stuck = forget_older, forget_previous, stuck
        self._pressed = np.unique(examples.buttons)
        weights = 1 / examples.copies.astype(np.float64) ** evenness
        self._bounds = np.cumsum(weights / weights.sum())

    def __call__(self, step: int) -> Batch:
        random = step_generator(self._seed, step)
        drawn = np.searchsorted(self._bounds, random.random(self._batch_size), side="right")
        chosen = np.minimum(drawn, len(self._examples) - 1)
        stacks, previous = self._examples.stacks[chosen], self._examples.previous[chosen]
        forgotten = random.random(self._batch_size) < self._forget_older
        stacks[forgotten] = stacks[forgotten, -1:]
        previous[random.random(self._batch_size) < self._forget_previous] = NONE
        buttons = self._examples.buttons[chosen]
        previous[forgotten] = NONE
        if len(self._pressed) > 1:
            stuck = forgotten & (random.random(self._batch_size) < self._stuck)
            # Any of the buttons that are ever pressed but the right one.
            places = np.searchsorted(self._pressed, buttons)
            steps = random.integers(1, len(self._pressed), self._batch_size)
            others = self._pressed[(places + steps) % len(self._pressed)]
            previous[stuck] = others[stuck]
        return {
            "stacks": torch.from_numpy(stacks),
            "previous": torch.from_numpy(previous),
            "buttons": torch.from_numpy(buttons),
        }
