"""Stage `frame_dataset`: a pinned list of frames, split by speedrun, and the reader that trainers use.

It copies nothing: the manifest names versions of `frames` artifacts and their hashes. A speedrun's split is a hash of its
id, so a new scrape never moves an old video from held-out to training.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.frames.manifest import (
    LEFT_OUT,
    MANIFEST_FILE,
    MANIFEST_SCHEMA,
    SPLITS,
    ManifestRow,
    Split,
    manifest_rows,
)
from emurl_core.frames.store import FRAMES_FILE, INDEX_FILE, PackedFrames
from emurl_core.screen import FRAME_SHAPE
from emurl_core.sources.retractions import RetractionBook
from emurl_core.stage import StageContext

CODE_VERSION = "2"
TIMES_FILE = "pts_s.npy"
"""`(rows,) float64`: the presentation time of each frame in its own video, by global row. Copied from the frames' indexes,
because a dataset of thousands of videos would take seconds to open otherwise."""


class DatasetConfig(StageConfig):
    """How speedruns are split."""

    validation_share: float = 0.1
    """Share of speedruns for choosing and calibrating models."""
    test_share: float = 0.1
    """Share of speedruns for the final figures only."""
    min_confidence: float = 0.0
    """Videos whose screen was found with less confidence are left out."""
    include_quarantined: bool = False
    """Use also the videos whose frames do not look like the emulator's: their crop is wrong."""


class EmptyDatasetError(ValueError):
    """There are no frames, or a split has no speedrun. Says what was found, what was expected and what to do."""


def build_dataset(
    frames: Sequence[Artifact], runs: Artifact, config: DatasetConfig, context: StageContext
) -> Artifact:
    """Pin these frames as one dataset, without those of retracted videos: `facts["retracted"]` names them with their reasons.

    Args:
        frames: one `frames` artifact for each video.
        runs: the `speedrun_runs` table; decides the order of a speedrun's parts.

    Raises:
        EmptyDatasetError: no frames at all, or a split without a speedrun.
        ArtifactError: frames were deleted with their retracted video, and that was taken back since.
    """
    frames = sorted((f.expect("frames") for f in frames), key=lambda f: f.partition or "")
    reasons = RetractionBook(context.store.home).reasons(f.partition or "" for f in frames)
    retracted = [f for f in frames if f.partition in reasons]
    frames = [f for f in frames if f not in retracted]
    _require_files(frames)
    quarantined = [f for f in frames if f.facts.get("quarantined") and not config.include_quarantined]
    frames = [f for f in frames if f not in quarantined]
    # Not the table but the frames determine the dataset: a scrape that changes nothing here changes no version.
    rows = manifest_rows(frames, runs, config.validation_share, config.test_share, config.min_confidence)
    _check(rows, config, len(quarantined), len(retracted))
    table = pa.Table.from_pylist([r.as_dict() for r in rows], MANIFEST_SCHEMA)
    manifest_sha256 = hashlib.sha256(repr(table.to_pylist()).encode()).hexdigest()
    inputs = [Input("frames", f) for f in frames]
    left_out = "".join(f.id for f in quarantined) + (json.dumps(reasons, sort_keys=True) if reasons else "")
    version = version_of(config, CODE_VERSION, inputs, manifest_sha256 + left_out)
    if (existing := context.store.reuse("frame_dataset", version)) is not None:
        return existing
    with context.store.draft(
        "frame_dataset", version, config=config, code_version=CODE_VERSION, inputs=inputs
    ) as draft:
        pq.write_table(table, draft.path / MANIFEST_FILE)
        pts_s, duplicates = _look_through(frames, rows)
        np.save(draft.path / TIMES_FILE, pts_s)
        draft.facts |= {"manifest_sha256": manifest_sha256, **_counts(rows), **duplicates}
        draft.facts["quarantined"] = [f.partition for f in quarantined]
        draft.facts["retracted"] = [
            {"video_id": f.partition, "reason": reasons[f.partition or ""], "rows": f.facts["kept"]}
            for f in retracted
        ]
        draft.facts["videos"] = [
            {
                k: v
                for k, v in r.as_dict().items()
                if k in ("video_id", "run_id", "rows", "frames_sha256", "split")
            }
            for r in rows
        ]
    return context.store.get("frame_dataset", version)


def _require_files(frames: Sequence[Artifact]) -> None:
    if lost := [f.partition or f.version for f in frames if not f.has(FRAMES_FILE)]:
        raise ArtifactError(
            f"found no {FRAMES_FILE} of {', '.join(lost)}, expected the frames of all {len(frames)} videos; download and extract "
            f"them again (`emurl run` does, or the assets `videos` and `frames`), or retract them"
        )


def _check(rows: Sequence[ManifestRow], config: DatasetConfig, quarantined: int, retracted: int) -> None:
    if not any(r.split in SPLITS and r.rows for r in rows):
        raise EmptyDatasetError(
            f"found no frames in {len(rows)} videos ({quarantined} more are quarantined for a wrong crop, {retracted} are retracted), expected some; "
            "download and extract videos first, or look why they were refused"
        )
    runs = {r.run_id for r in rows if r.split in SPLITS}
    shares = {"train": 1 - config.validation_share - config.test_share}
    shares |= {"validation": config.validation_share, "test": config.test_share}
    for split, share in shares.items():
        if share > 0 and not any(r.split == split for r in rows):
            raise EmptyDatasetError(
                f"found {len(runs)} speedruns and none of them falls into the {split} split (share {share:.2f}), expected at "
                f"least 1 there; a speedrun's split is a hash of its id: add speedruns, or raise {split}_share"
                if split != "train"
                else f"found {len(runs)} speedruns and none of them is left for training, expected at least 1; add speedruns or "
                "lower validation_share and test_share"
            )


def _counts(rows: Sequence[ManifestRow]) -> dict[str, int]:
    facts: dict[str, int] = {}
    for split in (*SPLITS, *LEFT_OUT):
        chosen = [r for r in rows if r.split == split]
        facts |= {f"{split}_videos": len(chosen), f"{split}_frames": sum(r.rows for r in chosen)}
        facts[f"{split}_runs"] = len({r.run_id for r in chosen})
    return facts


def _look_through(
    frames: Sequence[Artifact], rows: Sequence[ManifestRow]
) -> tuple[np.ndarray, dict[str, int]]:
    """Every frame's time, `(rows,) float64`; and how many frames are exact copies: of all, and of held-out ones in training."""
    by_id = {f.id: f for f in frames}
    hashes: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    times: list[np.ndarray] = []
    for row in rows:
        if row.split in SPLITS:
            index = pq.read_table(by_id[row.frames_id].path / INDEX_FILE, columns=["pts_s", "frame_hash"])
            times.append(index["pts_s"].to_numpy())
            hashes[row.split].append(index["frame_hash"].to_numpy())
    joined = {k: np.concatenate(v) if v else np.zeros(0, np.uint64) for k, v in hashes.items()}
    everything = np.concatenate(list(joined.values()))
    seen = np.unique(joined["train"])
    return np.concatenate(times), {
        "exact_duplicate_frames": int(len(everything) - len(np.unique(everything))),
        "validation_frames_also_in_train": int(np.isin(joined["validation"], seen).sum()),
        "test_frames_also_in_train": int(np.isin(joined["test"], seen).sum()),
    }


@dataclass(frozen=True)
class RunFrames:
    """One speedrun's frames, in order of play; the parts of a speedrun in several videos follow one another.

    Attributes:
        video_id: its first video; all of them are in `video_ids`.
        start: global row of its first frame; its rows are `start .. start + length - 1`.
        pts_s: `(length,) float64`, presentation time in the frame's own video.
        progress: `(length,) float32 in [0, 1]`, share of the speedrun's time that has passed.
    """

    run_id: str
    video_id: str
    video_ids: tuple[str, ...]
    start: int
    length: int
    pts_s: np.ndarray
    progress: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """`(length,) int64` global rows."""
        return np.arange(self.start, self.start + self.length)


class FrameDataset:
    """Random access to the frames of a dataset by global row. Rows are grouped by split, speedrun and part."""

    def __init__(self, manifest: Sequence[ManifestRow], files: Sequence[Path], pts_s: np.ndarray) -> None:
        """Args:
        manifest: rows with a split, in the order of the global rows.
        files: the `frames.npy` of each.
        pts_s: `(rows,) float64`, see `TIMES_FILE`.
        """
        self.manifest = list(manifest)
        self._frames = PackedFrames(files, [r.rows for r in manifest])
        self._pts_s = pts_s
        self._runs: dict[str, list[RunFrames]] = {}

    @classmethod
    def open(cls, dataset: Artifact, store: ArtifactStore) -> "FrameDataset":
        """Open a `frame_dataset` artifact. Raises ArtifactError when frames it names are missing or other ones."""
        # Not `read_table`, which first loads Arrow's machinery for folders of files: half of the time of opening.
        with pq.ParquetFile(dataset.expect("frame_dataset").path / MANIFEST_FILE) as file:
            rows = file.read().to_pylist()
        manifest = [ManifestRow(**row) for row in rows if row["split"] in SPLITS]
        files = []
        for row in manifest:
            artifact = store.get("frames", row.frames_id.rpartition("@")[2], row.video_id)
            if artifact.facts["frames_sha256"] != row.frames_sha256:
                raise ArtifactError(
                    f"{artifact.id} holds other frames than {dataset.id} was built from: found {artifact.facts['frames_sha256']}, "
                    f"expected {row.frames_sha256}; build the dataset again"
                )
            if not artifact.has(FRAMES_FILE):
                _explain_missing(dataset, row.video_id, store)
            files.append(artifact.path / FRAMES_FILE)
        return cls(manifest, files, _times(dataset, sum(r.rows for r in manifest)))

    def __len__(self) -> int:
        return len(self._frames)

    def rows(self, split: Split) -> np.ndarray:
        """`(n,) int64`: all global rows of a split."""
        # The manifest is in the order of the splits: the rows of one are a single stretch.
        chosen = [i for i, row in enumerate(self.manifest) if row.split == split]
        if not chosen:
            return np.zeros(0, np.int64)
        return np.arange(self._frames.starts[chosen[0]], self._frames.starts[chosen[-1] + 1])

    def shades(self, rows: np.ndarray) -> np.ndarray:
        """Frames by global row, in any order: `(n,) int64 -> (n, 144, 160) uint8 in [0, 4)`."""
        rows = np.asarray(rows, np.int64)
        return self._frames.shades(rows.ravel()).reshape(*rows.shape, *FRAME_SHAPE)

    def runs(self, split: Split) -> list[RunFrames]:
        """The speedruns of a split."""
        if split not in self._runs:
            chosen = [i for i, row in enumerate(self.manifest) if row.split == split]
            by_run: dict[str, list[int]] = {}
            for i in chosen:
                by_run.setdefault(self.manifest[i].run_id, []).append(i)
            self._runs[split] = [self._run(run_id, parts) for run_id, parts in by_run.items()]
        return self._runs[split]

    def _run(self, run_id: str, parts: list[int]) -> RunFrames:
        starts = self._frames.starts
        begin, end = int(starts[parts[0]]), int(starts[parts[-1] + 1])
        stamps = [self._pts_s[starts[i] : starts[i + 1]] for i in parts]
        played, elapsed = [], 0.0
        for pts in stamps:
            played.append(elapsed + pts - pts[0])
            elapsed = float(played[-1][-1]) + 0.5
        time = np.concatenate(played)
        return RunFrames(
            run_id=run_id,
            video_id=self.manifest[parts[0]].video_id,
            video_ids=tuple(self.manifest[i].video_id for i in parts),
            start=begin,
            length=end - begin,
            pts_s=self._pts_s[begin:end],
            progress=(time / max(float(time[-1]), 1e-9)).astype(np.float32),
        )


def _explain_missing(dataset: Artifact, video_id: str, store: ArtifactStore) -> None:
    """ArtifactError when the frames were deleted because their video was retracted; other losses are told when they are read."""
    if (retraction := RetractionBook(store.home).find(video_id)) is not None:
        raise ArtifactError(
            f"{dataset.id} names frames of {video_id}, which was retracted ({retraction.reason}) and its files deleted, expected "
            "all frames of a dataset to be here; build the dataset again and train on that"
        )


def _times(dataset: Artifact, rows: int) -> np.ndarray:
    path = dataset.path / TIMES_FILE
    try:
        times = np.load(path, mmap_mode="r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"cannot read {path} ({error}), expected the frames' times; delete {dataset.path} and build the dataset again"
        ) from error
    if times.shape != (rows,) or times.dtype != np.float64:
        raise ArtifactError(
            f"found {times.shape} {times.dtype} in {path}, expected ({rows},) float64; delete {dataset.path} and build "
            "the dataset again"
        )
    return times
