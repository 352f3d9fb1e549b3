"""Stage `clips`: the frames of a dataset's videos once more, at a rate at which single presses of buttons can be told apart.

Two frames a second, as the other models learn from, hide several presses between them. Clips are cut with the screens that the
published `frames` found, by the same reader of shades; each video's are an artifact of their own (`clip`), so a cut that was
interrupted goes on with the next video, and `clips` pins them. How they are read again is in `clip_reader`.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from emurl_core.actions.clip_reader import CLIP, KIND
from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.frames.dataset import FrameDataset
from emurl_core.frames.decode import Picture, read_every
from emurl_core.frames.extract import video_file
from emurl_core.frames.locate import judge_rect
from emurl_core.frames.manifest import SPLITS, ManifestRow
from emurl_core.frames.rectangle import Rect, Segment
from emurl_core.frames.scene import Scene, Verdict
from emurl_core.frames.screens import read_screens
from emurl_core.frames.store import FRAMES_FILE, FrameWriter
from emurl_core.runtime import track
from emurl_core.stage import StageContext

CODE_VERSION = "1"
_PICTURES = 24
"""Pictures of a stretch that its reader is learnt from."""

_log = logging.getLogger(__name__)


class ClipsConfig(StageConfig):
    """How clips are cut out of the videos of a dataset."""

    frames_per_second: float = Field(15.0, ge=15, le=60)
    """Frames taken for each second of video; a press of a button lasts 50 to 100 milliseconds."""
    max_videos: int = Field(0, ge=0)
    """Training videos that are cut at most, evenly over the dataset's list; 0 cuts all of them."""
    held_out_videos: int = Field(0, ge=0)
    """Videos of the validation and of the test split that are cut at most, each; 0 cuts all of them."""
    workers: int = Field(2, ge=1)
    """Videos cut side by side."""


def cut_clips(dataset: Artifact, config: ClipsConfig, context: StageContext) -> Artifact:
    """Cut the videos of a `frame_dataset` at the configured rate. Each keeps the split of its speedrun.

    Videos whose file was let go are left out; `facts["missing"]` names them.

    Raises:
        ArtifactError: no training video has a file any more, or the disk is full.
        VideoError: a video cannot be decoded.
    """
    rows = _chosen(FrameDataset.open(dataset, context.store).manifest, config)
    here = [(row, *_sources(row, context.store)) for row in rows]
    missing = [row.video_id for row, _, video in here if not video_file(video).is_file()]
    here = [(row, frames, video) for row, frames, video in here if row.video_id not in missing]
    _require_training_videos([row for row, _, _ in here], missing)
    inputs = [Input("dataset", dataset)]
    version = version_of(
        config.model_dump(mode="json", exclude={"workers"}), CODE_VERSION, inputs, json.dumps(missing)
    )
    existing = context.store.reuse(KIND, version)
    if existing is not None and _all_here(existing, context.store):
        return existing
    with (
        threadpool_limits(limits=1, user_api="blas"),  # for the reason given in `screen_finder`
        ThreadPoolExecutor(config.workers) as pool,
    ):
        waiting = [pool.submit(_cut, frames, video, config, context) for _, frames, video in here]
        try:
            cut = [waiting[i].result() for i in track(len(waiting), "clips")]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    inputs += [Input("clip", clip) for clip in cut]
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        listed = [
            {"split": row.split, "run_id": row.run_id, "video_id": row.video_id, "clip": clip.version}
            for (row, _, _), clip in zip(here, cut, strict=True)
        ]
        (draft.path / "clips.json").write_text(json.dumps(listed, indent=1))
        draft.facts |= {
            "frames_per_second": config.frames_per_second,
            "missing": missing,
            "game": next((str(c.facts["game"]) for c in cut if "game" in c.facts), ""),
        }
        for split in SPLITS:
            of_split = [c for (row, _, _), c in zip(here, cut, strict=True) if row.split == split]
            draft.facts |= {
                f"{split}_videos": len(of_split),
                f"{split}_frames": sum(int(c.facts["kept"]) for c in of_split),
            }
        draft.metrics["still_share"] = float(np.mean([c.metrics["still_share"] for c in cut]))
    return context.store.get(KIND, version)


def _all_here(clips: Artifact, store: ArtifactStore) -> bool:
    """Whether none of the clips was deleted with its video."""
    listed = json.loads((clips.path / "clips.json").read_text())
    found = [store.find(CLIP, row["clip"], row["video_id"]) for row in listed]
    return all(clip is not None and clip.has(FRAMES_FILE) for clip in found)


def _chosen(rows: Sequence[ManifestRow], config: ClipsConfig) -> list[ManifestRow]:
    """The videos to cut, evenly over each split's list."""
    chosen = []
    for split in SPLITS:
        of_split = [row for row in rows if row.split == split]
        most = config.max_videos if split == "train" else config.held_out_videos
        if most and len(of_split) > most:
            places = np.linspace(0, len(of_split) - 1, most).round().astype(int)
            of_split = [of_split[i] for i in places]
        chosen += of_split
    return chosen


def _sources(row: ManifestRow, store: ArtifactStore) -> tuple[Artifact, Artifact]:
    """A video's `frames` and `video`, the very versions that the dataset names."""
    frames = store.get("frames", row.frames_id.rpartition("@")[2], row.video_id)
    video = next(i["id"] for i in frames.record["inputs"] if i["role"] == "video")
    return frames, store.get("video", video.rpartition("@")[2], row.video_id)


def _require_training_videos(rows: Sequence[ManifestRow], missing: Sequence[str]) -> None:
    if not any(row.split == "train" for row in rows):
        raise ArtifactError(
            f"found no training video whose file is still there ({len(missing)} were let go after extraction), expected at least "
            "one: actions are read off the videos themselves, so download them with download.keep_videos on"
        )


def _cut(frames: Artifact, video: Artifact, config: ClipsConfig, context: StageContext) -> Artifact:
    """One video's clip."""
    video_id = frames.partition or frames.version
    inputs = [Input("frames", frames), Input("video", video)]
    settings = {
        "frames_per_second": config.frames_per_second,
        "max_residual": frames.config["max_residual"],
    }
    version = version_of(settings, CODE_VERSION, inputs)
    existing = context.store.reuse(CLIP, version, video_id)
    if existing is not None and existing.has(FRAMES_FILE):
        return existing
    with context.store.draft(
        CLIP, version, config=settings, code_version=CODE_VERSION, inputs=inputs, partition=video_id
    ) as draft:
        with FrameWriter(draft.path, video_id) as writer:
            segments = read_screens(frames.path)
            for index, segment in enumerate(segments):
                if segment.rect is not None:
                    _cut_segment(writer, video_file(video), index, segment, segment.rect, settings)
        hashes = np.asarray(writer.kept["frame_hash"])
        draft.facts |= {k: frames.facts[k] for k in ("run_id", "game") if k in frames.facts}
        draft.facts |= {"kept": len(writer.kept), "dropped": len(writer.dropped)}
        draft.facts["frames_sha256"] = writer.digest.hexdigest()
        draft.metrics["still_share"] = float((hashes[1:] == hashes[:-1]).mean()) if len(hashes) > 1 else 0.0
    return context.store.get(CLIP, version, video_id)


def _cut_segment(
    writer: FrameWriter, file: Path, index: int, segment: Segment, rect: Rect, settings: dict[str, float]
) -> None:
    """Frames of one stretch with one rectangle. Memory does not grow with its length."""
    length_s = segment.t1_s - segment.t0_s
    interval_s = 1 / settings["frames_per_second"]
    sample = [p.copy() for p in read_every(file, max(0.25, length_s / _PICTURES), segment.t0_s, segment.t1_s)]
    if len(sample) < 2:
        return
    scene = Scene.learn(sample, judge_rect([p.y for p in sample], rect))
    for picture, verdict in _judged(
        read_every(file, interval_s, segment.t0_s, segment.t1_s), scene, settings["max_residual"]
    ):
        if picture.pts_s >= segment.t1_s:
            return
        reading = verdict.reading
        if verdict.reason and not segment.manual:
            writer.drop(picture.pts_s, verdict.reason, reading.residual)
        else:
            writer.keep(reading.shades, picture.pts_s, reading.residual, index, reading.blank)


def _judged(
    pictures: Iterator[Picture], scene: Scene, max_residual: float
) -> Iterator[tuple[Picture, Verdict]]:
    """Each picture with what it shows. Where the game stands still, and many games do half of the time, nothing is read anew."""
    rows, columns = scene.reader.unscaler.luma_box
    last: np.ndarray | None = None
    verdict: Verdict | None = None
    for picture in pictures:
        box = picture.y[rows, columns]
        if verdict is None or verdict.reason or last is None or not np.array_equal(box, last):
            verdict, last = scene.judge(picture, max_residual), box.copy()
        yield picture, verdict
