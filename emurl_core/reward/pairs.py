"""Which pairs of frames the reward model is shown: two different moments of one speedrun, the earlier one first.

Half of the pairs lie at log-uniform distances, because rewards are differences over seconds and uniform pairs lie
minutes apart; the other half is uniform, because the whole order must hold too. A moment is its frame, and as many before
it as the model looks at together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emurl_core.frames.dataset import RunFrames
from emurl_core.screen import GRID_SHAPE
from emurl_core.training import step_generator

_ATTEMPTS = 20


class Pictures(Protocol):
    """Whatever hands out frames by global row: `rows (N,) int64 -> (N, 144, 160) uint8`, or `(N, 9, 10)` tokens."""

    def shades(self, rows: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class TokenPictures:
    """A dataset's frames as a model sees them that reads tokens.

    Attributes:
        table: `(rows, 90)`, tokens by global row.
    """

    table: np.ndarray

    def shades(self, rows: np.ndarray) -> np.ndarray:
        """`(N,) int64 -> (N, 9, 10) int32`."""
        return self.table[rows].astype(np.int32).reshape(-1, *GRID_SHAPE)


@dataclass(frozen=True)
class Pairs:
    """A batch of ordered pairs, row by row."""

    earlier: np.ndarray
    """`(B, k, 144, 160) uint8` shades, or `(B, k, 9, 10) int32` tokens; the k frames up to the moment, oldest first."""
    later: np.ndarray
    """The same of the later moment."""
    gap_frames: np.ndarray
    """`(B,) int64 >= 1`: kept frames between the two moments (two a second)."""
    elapsed: np.ndarray
    """`(B,) float32`: the same distance as a share of the run."""


class PairSampler:
    """Draws batches of pairs as a pure function of (seed, step).

    Args:
        runs: the runs to draw from; those of a single frame are left out.
        pictures: where the frames are.
        batch: pairs in a batch.
        log_gap_share: share of the pairs at log-uniform distances.
        seed: of the draw.
        context_frames: frames of a moment, the newest included. Before a run's first frame, that frame stands still.

    Raises:
        ValueError: no run has two frames, or (on drawing) no two frames that differ were found.
    """

    def __init__(
        self,
        runs: Sequence[RunFrames],
        pictures: Pictures,
        batch: int,
        log_gap_share: float,
        seed: int,
        context_frames: int = 1,
    ) -> None:
        self._runs = [r for r in runs if r.length >= 2]
        if not self._runs:
            raise ValueError(
                f"found {len(runs)} runs and none with two frames, expected at least one to draw pairs from; "
                "collect more videos, or look at the frames stage for why their frames were dropped"
            )
        self._starts = np.array([r.start for r in self._runs])
        self._lengths = np.array([r.length for r in self._runs])
        self._pictures = pictures
        self._batch = batch
        self._log_gap_share = log_gap_share
        self._seed = seed
        self._context = context_frames

    def draw(self, step: int) -> Pairs:
        """The batch of one step. Pairs whose two frames are equal, pixel by pixel, are drawn again."""
        generator = step_generator(self._seed, step)
        found: list[tuple[np.ndarray, ...]] = []
        missing = self._batch
        for _ in range(_ATTEMPTS):
            run, first, gap = self._moments(missing, generator)
            windows = trailing(np.concatenate([first, first + gap]), self._context)
            rows = windows + np.tile(self._starts[run], 2)[:, None]
            shades = self._pictures.shades(rows.reshape(-1))
            shades = shades.reshape(*rows.shape, *shades.shape[1:])
            earlier, later = shades[:missing], shades[missing:]
            differ = _differ(earlier[:, -1], later[:, -1])
            elapsed = self._elapsed(run, first, gap)
            if not found and differ.all():
                return Pairs(earlier, later, gap, elapsed)
            found.append((earlier[differ], later[differ], gap[differ], elapsed[differ]))
            missing -= int(differ.sum())
            if not missing:
                return Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
        raise ValueError(
            f"found {missing} of {self._batch} pairs still of equal frames after {_ATTEMPTS} draws, expected frames that differ: "
            "the videos' screens seem to stand still; look at the found-screen pictures of the frames stage"
        )

    def _moments(
        self, count: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Run, frame within the run and gap of `count` pairs."""
        # Long runs have more frames to tell apart, hence the weight.
        run = generator.choice(len(self._runs), size=count, p=self._lengths / self._lengths.sum())
        longest = self._lengths[run] - 1
        log_gap = np.exp(generator.random(count) * np.log(longest + 1)).astype(np.int64)
        # Two different uniform moments are gap g apart with a chance that falls linearly in g.
        one = generator.integers(0, self._lengths[run])
        other = (one + generator.integers(1, longest + 1)) % self._lengths[run]
        short = generator.random(count) < self._log_gap_share
        gap = np.where(short, np.clip(log_gap, 1, longest), np.abs(one - other))
        anywhere = (generator.random(count) * (self._lengths[run] - gap)).astype(np.int64)
        return run, np.where(short, anywhere, np.minimum(one, other)), gap

    def _elapsed(self, run: np.ndarray, first: np.ndarray, gap: np.ndarray) -> np.ndarray:
        pairs = zip(run, first, gap, strict=True)
        return np.array(
            [self._runs[r].progress[f + g] - self._runs[r].progress[f] for r, f, g in pairs], dtype=np.float32
        )


def trailing(places: np.ndarray, length: int) -> np.ndarray:
    """The last `length` places up to each: `(N,) int64 -> (N, length) int64`, oldest first, none below 0."""
    return np.maximum(places[:, None] - np.arange(length - 1, -1, -1), 0)


def _differ(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
    # Nearly all pairs differ in some of these lines already; comparing every pixel takes as long as reading the frames.
    differ = (earlier[:, ::12] != later[:, ::12]).any(axis=(1, 2))
    alike = np.flatnonzero(~differ)
    differ[alike] = (earlier[alike] != later[alike]).any(axis=(1, 2))
    return differ


def soft_labels(gap_frames: np.ndarray, soften_frames: float) -> np.ndarray:
    """How sure to be that the later frame is ahead: `(B,) int64 -> (B,) float32 in (0.5, 1]`.

    Frames a second apart may be a step forward or a step back to a sign; only with distance does later mean further.
    `soften_frames` is the distance at which the doubt has shrunk to 1/e; 0 means no doubt.
    """
    if soften_frames <= 0:
        return np.ones(len(gap_frames), dtype=np.float32)
    return (1 - 0.5 * np.exp(-gap_frames / soften_frames)).astype(np.float32)
