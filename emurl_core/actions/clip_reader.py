"""Reading clips: frames of a video with their times, and the stretches in which they follow each other without a gap."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.frames.manifest import Split
from emurl_core.frames.store import FRAMES_FILE, INDEX_FILE, PackedFrames

KIND = "clips"
CLIP = "clip"
"""The kind of one video's clip; its partition is the video's id."""
_GAP = 1.6
"""Frames further apart than this many intervals do not follow each other."""


@dataclass(frozen=True)
class Clip:
    """The frames of one video, in order.

    Attributes:
        pts_s: `(N,) float64`, presentation time of each.
        stretches: ranges of rows, begin inclusive, end exclusive, in which no frame is missing.
    """

    split: Split
    run_id: str
    video_id: str
    frames: PackedFrames
    pts_s: np.ndarray
    stretches: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.pts_s)

    def packed(self, begin: int, end: int) -> np.ndarray:
        """`(end - begin, 5760) uint8`, see `emurl_core.screen.unpack_shades`."""
        return self.frames.packed(np.arange(begin, end))


def open_clips(clips: Artifact, store: ArtifactStore) -> list[Clip]:
    """The clips that a `clips` artifact pins. Raises ArtifactError when one is missing or damaged."""
    listed = json.loads((clips.expect(KIND).path / "clips.json").read_text())
    interval_s = 1 / float(clips.facts["frames_per_second"])
    found = []
    for entry in listed:
        artifact = store.get(CLIP, entry["clip"], entry["video_id"])
        index = pq.read_table(artifact.path / INDEX_FILE, columns=["pts_s", "segment"])
        pts_s, segment = index["pts_s"].to_numpy(), index["segment"].to_numpy()
        found.append(
            Clip(
                entry["split"],
                entry["run_id"],
                entry["video_id"],
                PackedFrames([artifact.path / FRAMES_FILE], [len(pts_s)]),
                pts_s,
                stretches_of(pts_s, segment, interval_s),
            )
        )
    return found


def is_slower(clip: Artifact, frames_per_second: float) -> bool:
    """Whether a video has so few frames a second that hardly one of its clip follows another."""
    pts_s = pq.read_table(clip.path / INDEX_FILE, columns=["pts_s"])["pts_s"].to_numpy()
    return len(pts_s) > 1 and bool(np.median(np.diff(pts_s)) > _GAP / frames_per_second)


def stretches_of(
    pts_s: np.ndarray, segment: np.ndarray | Sequence[int], interval_s: float
) -> tuple[tuple[int, int], ...]:
    """Where frames follow each other: `(N,) float64` times and `(N,) int` segments -> ranges of rows."""
    if not len(pts_s):
        return ()
    broken = (np.diff(pts_s) > _GAP * interval_s) | (np.diff(np.asarray(segment)) != 0)
    cuts = [0, *(np.flatnonzero(broken) + 1).tolist(), len(pts_s)]
    return tuple(pairwise(cuts))
