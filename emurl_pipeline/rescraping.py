"""The clockwork: a schedule that lists the speedruns again, and sensors that build what follows.

What each asset waits for is in `emurl_pipeline.conditions`; what is told of failed runs, in `emurl_pipeline.failures`.
All of it runs in Dagster's daemon, and starts as the profile's section `automation` says.
"""

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import BetaWarning
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.automation import AutomationConfig
from emurl_core.frames.retention import circumstances as frames_circumstances
from emurl_core.profiles import Profile
from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.outcomes import Outcome, OutcomeBook
from emurl_core.sources.standing import circumstances as video_circumstances
from emurl_pipeline.conditions import DATASET
from emurl_pipeline.crops import changed_crops
from emurl_pipeline.partitions import VIDEOS
from emurl_pipeline.upstream import pinned

SCRAPE = "scrape"
TAGS = {"emurl/automation": "true"}
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
PER_VIDEO = ("videos", "frames")


def schedule(config: AutomationConfig) -> dg.ScheduleDefinition:
    """`rescrape`: list the speedruns again, unless the last listing still runs or waits."""

    @dg.schedule(
        name="rescrape",
        job_name=SCRAPE,
        cron_schedule=config.cron,
        execution_timezone=config.timezone,
        tags=TAGS,
        description="Lists the speedruns again. What is new or changed is fetched, and only that.",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if config.enabled else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    def rescrape(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=SCRAPE, statuses=_UNFINISHED)
        # Else a slow scrape under a quick schedule would leave a queue that grows for ever.
        if earlier := context.instance.get_runs(unfinished, limit=1):
            return dg.SkipReason(
                f"run {earlier[0].run_id} still lists the speedruns; the next tick looks again"
            )
        return dg.RunRequest()

    return rescrape


def sensors(profile: Profile, chain: Sequence[str]) -> list[dg.SensorDefinition]:
    """`build_what_changed`, `watch_crops` and `retry_videos`.

    Args:
        chain: names of the models, the policy and the evaluation.
    """
    config = profile.automation
    status = dg.DefaultSensorStatus.RUNNING if config.enabled else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="watch_crops",
        minimum_interval_seconds=config.poll_s,
        default_status=status,
        required_resource_keys={"data"},
        description="Tells of changed entries in the file of crops given by hand: the frames of their videos are cut anew.",
    )
    def watch_crops(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        links = _links(context.instance, _store(context))
        changed = changed_crops(context.instance, Path(profile.frames.crop_config), links)
        if not changed:
            return dg.SkipReason(f"no entry of {profile.frames.crop_config} changed")
        return dg.SensorResult(asset_events=changed)

    @dg.sensor(
        name="retry_videos",
        target=dg.AssetSelection.assets(*PER_VIDEO),
        minimum_interval_seconds=config.poll_s,
        default_status=status,
        required_resource_keys={"data"},
        description="Tries failed videos again when they are due: after a wait that grows, and never where it can't help.",
    )
    def retry_videos(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        store = _store(context)
        tries = json.loads(context.cursor) if context.cursor else {}
        links = _links(context.instance, store)
        requests = list(due_videos(context.instance, store, profile, links, tries, time.time()))
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(tries))

    with warnings.catch_warnings():
        # Conditions of one's own are a beta of Dagster's; the one that reads the dataset's checks is this project's own.
        warnings.simplefilter("ignore", BetaWarning)
        build_what_changed = dg.AutomationConditionSensorDefinition(
            "build_what_changed",
            target=dg.AssetSelection.assets(*PER_VIDEO, DATASET, *chain),
            minimum_interval_seconds=config.poll_s,
            default_status=status,
            run_tags=TAGS,
            # One run a video: a backfill of many would fail, and carry one version, as one.
            emit_backfills=False,
            use_user_code_server=True,
            description="New or changed videos, their frames, one dataset, and, if that is novel enough, everything behind it.",
        )
    return [build_what_changed, watch_crops, retry_videos]


def due_videos(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    profile: Profile,
    links: Sequence[VideoLink],
    tries: dict[str, list[Any]],
    now_s: float,
) -> Iterator[dg.RunRequest]:
    """Requests for failed videos whose time has come, one for each failure.

    Args:
        tries: what to remember of failures without an outcome, by asset and video: run id of the latest, how many there were,
            when the next try is due. Updated in place.
        now_s: seconds since 1970.
    """
    book = OutcomeBook(store.home)
    rows = {link.video_id: link for link in links}
    failed_before: set[str] = set()
    for asset in PER_VIDEO:
        with partition_loading_context(dynamic_partitions_store=instance):
            statuses = instance.get_status_by_partition(dg.AssetKey(asset), list(rows), VIDEOS) or {}
        failed = {v for v, status in statuses.items() if status == AssetPartitionStatus.FAILED}
        for video in sorted(failed - failed_before):
            known = book.find(video)
            if known is not None and known.outcome != "ok" and known.stage == asset:
                tries.pop(f"{asset}/{video}", None)
                if not known.waits(_circumstances(instance, store, profile, rows[video], known)):
                    yield _again(asset, video, f"{known.last_utc}-{known.attempts}")
            elif count := _another_try(instance, asset, video, profile.automation, tries, now_s):
                yield _again(asset, video, f"{tries[f'{asset}/{video}'][0]}-{count}")
        failed_before |= failed
        for place in [p for p in tries if p.startswith(f"{asset}/") and p.partition("/")[2] not in failed]:
            if statuses.get(place.partition("/")[2]) != AssetPartitionStatus.IN_PROGRESS:
                del tries[place]


def _again(asset: str, video: str, failure: str) -> dg.RunRequest:
    # A key is granted once: so is each failure answered once, however often it is looked at.
    return dg.RunRequest(
        run_key=f"{asset}-{video}-{failure}",
        asset_selection=[dg.AssetKey(asset)],
        partition_key=video,
        tags={**TAGS, "emurl/retry": "true"},
    )


def _another_try(
    instance: dg.DagsterInstance,
    asset: str,
    video: str,
    config: AutomationConfig,
    tries: dict[str, list[Any]],
    now_s: float,
) -> int:
    """The number of the try that is due now, from 1; 0 when none is."""
    place = f"{asset}/{video}"
    run_id = _latest_failure(instance, asset, video)
    before, count, due_s = tries.get(place, ["", 0, 0.0])
    if run_id != before:
        count += 1
        due_s = now_s + 60 * config.retry_wait_minutes * 2 ** (count - 1)
        tries[place] = [run_id, count, due_s]
    return count if count <= config.retry_tries and due_s <= now_s else 0


def _latest_failure(instance: dg.DagsterInstance, asset: str, video: str) -> str:
    chosen = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={"dagster/partition": video})
    for run in instance.get_runs(chosen, limit=20):
        if run.asset_selection is None or dg.AssetKey(asset) in run.asset_selection:
            return run.run_id
    return "unknown"


def _circumstances(
    instance: dg.DagsterInstance, store: ArtifactStore, profile: Profile, link: VideoLink, known: Outcome
) -> str:
    if known.stage == "videos":
        return video_circumstances(link, profile.download, known.outcome)
    try:
        return frames_circumstances(pinned(instance, store, "videos", link.video_id), profile.frames)
    except ArtifactError:
        return known.circumstances


def _links(instance: dg.DagsterInstance, store: ArtifactStore) -> list[VideoLink]:
    """Rows of the latest table that are partitions; none before the first scrape."""
    try:
        links = read_links(pinned(instance, store, "speedrun_runs"))
    except ArtifactError:
        return []
    partitions = set(instance.get_dynamic_partitions("videos"))
    return [link for link in links if link.video_id in partitions]


def _store(context: dg.SensorEvaluationContext) -> ArtifactStore:
    store: ArtifactStore = context.resources.data.store()
    return store
