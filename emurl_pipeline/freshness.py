"""Which videos still need work, for headless runs. In the UI, Dagster's own staleness says the same."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.configuration import StageConfig
from emurl_core.frames import extract
from emurl_core.frames.retention import known_without_game
from emurl_core.frames.store import FRAMES_FILE
from emurl_core.profiles import Profile
from emurl_core.sources.download import download
from emurl_core.sources.links import read_links
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.sources.published_video import find_video
from emurl_core.sources.retractions import RetractionBook
from emurl_core.sources.standing import standing
from emurl_pipeline.crops import NO_ENTRY, VIDEO_CROP, crop_versions
from emurl_pipeline.materialization import CONFIG_TAG, config_hash
from emurl_pipeline.partitions import DATA_VERSION_TAG, latest_tags
from emurl_pipeline.upstream import kind_of

CROP_TAG = f"dagster/input_data_version/{VIDEO_CROP.to_user_string()}"


@dataclass
class Work:
    """What there is to do: videos to bring in or to cut, and those that are left out for now, with the reason."""

    todo: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def outdated_videos(
    instance: dg.DagsterInstance, store: ArtifactStore, profile: Profile, runs: Artifact
) -> Work:
    """Videos of the table whose file or frames are missing, or made from another row, configuration or code.

    Left out are those that were retracted, that are known not to be had, or not yet due to be asked for again.
    """
    rows = {link.video_id: link for link in read_links(runs)}
    book = OutcomeBook(store.home)
    videos = _current(instance, store, "videos", sorted(rows), profile.download, download)
    videos = {
        v: a for v, a in videos.items() if (here := find_video(rows[v], store, book)) and here.id == a.id
    }
    frames = _current(instance, store, "frames", sorted(videos), profile.frames, extract)
    frames = _of_these_crops(
        instance, frames, crop_versions(Path(profile.frames.crop_config), list(rows.values()))
    )
    fresh = {v for v, a in frames.items() if videos[v].id in {i["id"] for i in a.record["inputs"]}}
    # Files go with a retraction, and that may have been taken back.
    fresh = {v for v in fresh if frames[v].has(FRAMES_FILE)}
    retracted = RetractionBook(store.home).reasons(rows)
    work = Work(left_out={video: f"retracted: {reason}" for video, reason in retracted.items()})
    for video in rows:
        if video in fresh or video in retracted:
            continue
        known = None if profile.download.retry else standing(rows[video], profile.download, book)
        if known is None and video in videos and not profile.download.retry:
            known = known_without_game(videos[video], profile.frames, book)
        if known is None:
            work.todo.append(video)
        else:
            work.left_out[video] = f"{known.outcome}: {known.message}"
    return work


def _of_these_crops(
    instance: dg.DagsterInstance, frames: Mapping[str, Artifact], crops: Mapping[str, str]
) -> dict[str, Artifact]:
    """Those that were cut with the crop by hand that stands now, or without one if none does."""
    made = latest_tags(instance, dg.AssetKey("frames"), sorted(frames))
    used = {video: tags.get(CROP_TAG, _as_input(NO_ENTRY)) for video, tags in made.items()}
    return {
        video: artifact for video, artifact in frames.items() if used.get(video) == _as_input(crops[video])
    }


def _as_input(version: str) -> str:
    """What Dagster notes of an input of one partition: the hash of its version."""
    return hashlib.sha256(version.encode()).hexdigest()


def _current(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    asset: str,
    partitions: list[str],
    config: StageConfig,
    core: Callable[..., Artifact],
) -> Mapping[str, Artifact]:
    """Artifacts of the latest materializations that were made with this configuration and code."""
    wanted = {
        "dagster/code_version": sys.modules[core.__module__].CODE_VERSION,
        CONFIG_TAG: config_hash(config),
    }
    found = {}
    for partition, tags in latest_tags(instance, dg.AssetKey(asset), partitions).items():
        artifact = store.find(kind_of(asset), tags[DATA_VERSION_TAG], partition)
        if artifact is not None and all(tags.get(k) == v for k, v in wanted.items()):
            found[partition] = artifact
    return found
