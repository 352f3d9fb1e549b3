"""Job `extract`: the frames of many videos in one go, where a run for each video would cost more than the work.

One job of the library (`emurl_core.jobs.extraction`) cuts all videos that are here and whose frames are missing or outdated: on a
Ray cluster over all its machines, else over this one's cores. Each video's frames are reported as a materialization of its
partition, with the very tags that a run of its own would give it. MLflow is told nothing: hours of
videos have no curve.
"""

from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import get_input_data_version_tag, get_input_event_pointer_tag

from emurl_core.artifacts import ArtifactStore
from emurl_core.frames import FramesConfig, extract
from emurl_core.game import GameConfig
from emurl_core.jobs.configuration import ExecutionConfig
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_pipeline.freshness import outdated_videos
from emurl_pipeline.launching import Event, run_job
from emurl_pipeline.materialization import CONFIG_TAG, code_version_of, config_hash
from emurl_pipeline.metadata import describe
from emurl_pipeline.partitions import DATA_VERSION_TAG
from emurl_pipeline.run_config import core_config, run_config_class
from emurl_pipeline.upstream import pinned, pinned_partitions

EXTRACTION = "extract"
"""Name of the job."""
FRAMES = dg.AssetKey("frames")
VIDEOS = dg.AssetKey("videos")


def extraction_job(profile: Profile) -> dg.JobDefinition:
    """`extract`."""

    def cut_videos(context: dg.OpExecutionContext, config: dg.Config) -> None:
        resources: Any = context.resources
        chosen = profile.model_copy(
            update={
                "frames": core_config(config, FramesConfig),
                "game": core_config(resources.game, GameConfig),
                "runtime": core_config(resources.runtime, RuntimeConfig),
                "execution": core_config(resources.execution, ExecutionConfig),
            }
        )
        _cut(context, resources.data.store(), chosen)

    cut_videos.__annotations__["config"] = run_config_class(profile.frames)
    step = dg.op(
        name="cut_videos",
        description="Cut the frames of all videos that are here and have none, or outdated ones.",
        required_resource_keys={"data", "runtime", "game", "execution"},
        pool="extract",
    )(cut_videos)

    @dg.job(
        name=EXTRACTION,
        description="Cut all videos that are here in one go, wherever execution.launcher says.",
    )
    def extract_all() -> None:
        step()

    return extract_all


def _cut(context: dg.OpExecutionContext, store: ArtifactStore, profile: Profile) -> None:
    todo = outdated_videos(
        context.instance, store, profile, pinned(context.instance, store, "speedrun_runs")
    ).todo
    videos = pinned_partitions(context.instance, store, "videos", todo)
    if not videos:
        context.log.info("Every video that is here has its frames.")
        return
    pointers = context.instance.get_latest_storage_id_by_partition(
        VIDEOS, dg.DagsterEventType.ASSET_MATERIALIZATION, set(videos)
    )
    failed: dict[str, str] = {}

    def hear(event: Event) -> None:
        if event["event"] != "video":
            return
        video = event["video"]
        if event["frames"] is None:
            failed[video] = event["message"]
            context.log.warning(f"{video}: {event['message']}")
            return
        frames = store.by_id(event["frames"])
        tags = {
            DATA_VERSION_TAG: frames.version,
            "dagster/data_version_is_user_provided": "true",
            "dagster/code_version": code_version_of(extract),
            get_input_data_version_tag(VIDEOS): videos[video].version,
            CONFIG_TAG: config_hash(profile.frames),
        }
        if video in pointers:
            tags[get_input_event_pointer_tag(VIDEOS)] = str(pointers[video])
        context.log_event(
            dg.AssetMaterialization(
                FRAMES,
                partition=video,
                tags=tags,
                metadata={**describe(frames, lambda picture: None), "reused": event["reused"]},
            )
        )

    arguments = {
        "videos": sorted(videos),
        "config": profile.frames,
        "download": profile.download,
        "game": profile.game,
    }
    run_job(
        context,
        profile.execution,
        "extraction",
        arguments,
        StageContext(store, runtime=profile.runtime),
        hear,
    )
    context.log.info(f"{len(videos) - len(failed)} videos cut, {len(failed)} failed.")
    if len(failed) == len(videos):
        raise dg.Failure(
            f"none of {len(videos)} videos could be cut; the first: {next(iter(failed.values()))}"
        )
