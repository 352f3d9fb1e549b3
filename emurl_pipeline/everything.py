"""Job `everything`: the whole graph by one launch, on a fresh home too.

Dagster's "Materialize all" asks which videos, and a fresh home has none to choose. This job lists them. Then its sensor asks for
each that needs work, in a run of its own, and, when none is under way any more, for the job `train`. As in `emurl run`, a video
that fails is left out. What happens without anybody asking is in `emurl_pipeline.rescraping`.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from emurl_core.artifacts import ArtifactStore
from emurl_core.profiles import Profile
from emurl_pipeline.freshness import outdated_videos
from emurl_pipeline.upstream import pinned

EVERYTHING = "everything"
FOLLOWS_TAG = "emurl/everything"
"""Carried by each run that the sensor asks for: the run of the job that it follows."""
_LOOK_EVERY_S = 10


def everything_job() -> Any:
    """`everything`."""
    return dg.define_asset_job(
        EVERYTHING,
        ["speedrun_runs"],
        description="Begin here on a fresh home: lists the speedruns; then the sensor `build_everything` starts a run for each video, "
        "and, when these are over, the job `train`. Only what is missing or outdated is fetched and cut.",
        executor_def=dg.in_process_executor,
    )


def everything_sensor(profile: Profile, jobs: Sequence[Any]) -> dg.SensorDefinition:
    """`build_everything`. It always looks, and does nothing where nobody launched the job.

    Args:
        jobs: `collect` and `train`.
    """

    @dg.sensor(
        name="build_everything",
        jobs=jobs,
        minimum_interval_seconds=_LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={"data"},
        description="Goes on where a run of the job `everything` ended: each video that needs work, then the job `train`.",
    )
    def build_everything(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        resources: Any = context.resources
        return what_follows(context.instance, resources.data.store(), profile)

    return build_everything


def what_follows(
    instance: dg.DagsterInstance, store: ArtifactStore, profile: Profile
) -> list[dg.RunRequest] | dg.SkipReason:
    """The runs that are due now after the latest finished run of the job, or why none is."""
    launched = instance.get_runs(
        RunsFilter(job_name=EVERYTHING, statuses=[DagsterRunStatus.SUCCESS]), limit=1
    )
    if not launched:
        return dg.SkipReason("no run of the job `everything` has listed the speedruns yet")
    listed = launched[0].run_id
    tags = {FOLLOWS_TAG: listed}
    if instance.get_runs_count(RunsFilter(job_name="train", tags=tags)):
        return dg.SkipReason(f"all that follows run {listed} was asked for")
    if under_way := instance.get_runs_count(RunsFilter(tags=tags, statuses=NOT_FINISHED_STATUSES)):
        return dg.SkipReason(f"waiting for {under_way} runs of videos")
    if not instance.get_runs_count(RunsFilter(tags=tags)):
        work = outdated_videos(instance, store, profile, pinned(instance, store, "speedrun_runs"))
        if work.todo:
            return [
                dg.RunRequest(run_key=f"{listed}-{video}", job_name="collect", partition_key=video, tags=tags)
                for video in work.todo
            ]
    return [dg.RunRequest(run_key=f"{listed}-train", job_name="train", tags=tags)]
