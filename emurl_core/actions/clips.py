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

from emurl_core.actions.clip_reader import CLIP, KIND, is_slower
from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.frames.dataset import FrameDataset
from emurl_core.frames.decode import Picture, read_every
from emurl_core.frames.extract import video_file
from emurl_core.frames.locate import judge_rect
from emurl_core.frames.manifest import SPLITS, ManifestRow
from emurl_core.frames.rectangle import Rect, Segment
from emurl_core.frames.retention import let_go
from emurl_core.frames.scene import Scene, Verdict
from emurl_core.frames.screens import read_screens
from emurl_core.frames.store import FRAMES_FILE, FrameWriter
from emurl_core.runtime import track
from emurl_core.sources.download import fetch_again
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.registry import FetchError
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


def cut_clips(
    dataset: Artifact, config: ClipsConfig, context: StageContext, download: DownloadConfig | None = None
) -> Artifact:
    """Cut the videos of a `frame_dataset` at the configured rate. Each keeps the split of its speedrun.

    Args:
        download: how a video is fetched again whose file was let go before it was cut.

    Videos are left out that cannot be had again (`facts["missing"]` names them), and those with fewer frames a second than asked
    for (`facts["too_slow"]`): no frame of theirs follows another.

    Raises:
        ArtifactError: no training video is left, or the disk is full.
        VideoError: a video cannot be decoded.
    """
    rows = _chosen(FrameDataset.open(dataset, context.store).manifest, config)
    sources = [_sources(row, context.store) for row in rows]
    with (
        threadpool_limits(limits=1, user_api="blas"),  # for the reason given in `screen_finder`
        ThreadPoolExecutor(config.workers) as pool,
    ):
        waiting = [
            pool.submit(_cut, *source, config, download or DownloadConfig(), context) for source in sources
        ]
        try:
            tried = [waiting[i].result() for i in track(len(waiting), "clips")]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    pairs = list(zip(rows, tried, strict=True))
    missing = [row.video_id for row, clip in pairs if clip is None]
    too_slow = [
        row.video_id for row, clip in pairs if clip is not None and is_slower(clip, config.frames_per_second)
    ]
    if too_slow:
        _log.warning(
            "left out for having fewer than clips.frames_per_second = %g frames a second: %s",
            config.frames_per_second, ", ".join(too_slow),
        )  # fmt: skip
    here = [(row, clip) for row, clip in pairs if clip is not None and row.video_id not in too_slow]
    _require_training_videos([row for row, _ in here], missing, too_slow, config)
    inputs = [Input("dataset", dataset)]
    settings = config.model_dump(mode="json", exclude={"workers"})
    version = version_of(settings, CODE_VERSION, inputs, json.dumps([*missing, *too_slow]))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    cut = [clip for _, clip in here]
    inputs += [Input("clip", clip) for clip in cut]
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        listed = [
            {"split": row.split, "run_id": row.run_id, "video_id": row.video_id, "clip": clip.version}
            for row, clip in here
        ]
        (draft.path / "clips.json").write_text(json.dumps(listed, indent=1))
        draft.facts |= {
            "frames_per_second": config.frames_per_second,
            "missing": missing,
            "too_slow": too_slow,
            "game": next((str(c.facts["game"]) for c in cut if "game" in c.facts), ""),
        }
        for split in SPLITS:
            of_split = [clip for row, clip in here if row.split == split]
            draft.facts |= {
                f"{split}_videos": len(of_split),
                f"{split}_frames": sum(int(c.facts["kept"]) for c in of_split),
            }
        draft.metrics["still_share"] = float(np.mean([c.metrics["still_share"] for c in cut]))
    return context.store.get(KIND, version)


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


def _require_training_videos(
    rows: Sequence[ManifestRow], missing: Sequence[str], too_slow: Sequence[str], config: ClipsConfig
) -> None:
    if not any(row.split == "train" for row in rows):
        raise ArtifactError(
            f"found no training video to cut: of {len(missing)} videos the file was let go and could not be fetched again, "
            f"{len(too_slow)} have fewer than {config.frames_per_second:g} frames a second; expected at least one: see the log for "
            "why they cannot be fetched, lower clips.frames_per_second, or bring other videos"
        )


def _cut(
    frames: Artifact, video: Artifact, config: ClipsConfig, download: DownloadConfig, context: StageContext
) -> Artifact | None:
    """One video's clip; None where its file was let go and cannot be had again."""
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
    let_go_again = False
    if not video_file(video).is_file():
        if not _fetched_again(video, download, context):
            return None
        let_go_again = not download.keep_videos
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
    if let_go_again:
        let_go(video)
    return context.store.get(CLIP, version, video_id)


def _fetched_again(video: Artifact, download: DownloadConfig, context: StageContext) -> bool:
    """Put the file of a video back that was let go. False, and why in the log, where it cannot be had or is another one now."""
    video_id = video.partition or video.version
    _log.warning(
        "%s: its file was let go after extraction; clips are cut from it, so it is fetched again", video_id
    )
    runs = context.store.find("speedrun_runs")
    if runs is None:
        _log.warning("%s: found no table of speedruns to fetch it by; left out", video_id)
        return False
    try:
        again = fetch_again(video_id, runs, download, context)
    except ArtifactError:
        raise  # The disk is full.
    except FetchError as error:
        if error.outcome == "interrupted":
            raise
        _log.warning("%s: left out: %s", video_id, error)
        return False
    except ValueError as error:
        _log.warning("%s: left out: %s", video_id, error)
        return False
    if again.id != video.id:
        # Where its screen is was found in the other one.
        _log.warning("%s: left out: it changed since, is %s now and was %s", video_id, again.id, video.id)
        if not download.keep_videos:
            let_go(again)
    return again.id == video.id


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
