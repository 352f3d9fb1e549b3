"""The whole graph without a UI: scrape, each video in a run of its own, then one run of all the rest.

Runs go into the same Dagster instance that the UI shows. What is printed meanwhile is in `emurl_pipeline.progress`.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster import DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.profiles import Profile
from emurl_core.sources.estimate import estimate, require_room
from emurl_core.sources.links import read_links
from emurl_pipeline.definitions import PER_VIDEO, STEPS, from_dataset
from emurl_pipeline.extraction import EXTRACTION
from emurl_pipeline.freshness import outdated_videos
from emurl_pipeline.instance import HEADLESS_TAG
from emurl_pipeline.progress import Progress
from emurl_pipeline.upstream import pinned

_CHECK_FAILED = "DagsterAssetCheckFailedError"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Outcome:
    """What became of a headless run."""

    wall_s: dict[str, float] = field(default_factory=dict)
    core_s: dict[str, float] = field(default_factory=dict)
    failed_videos: dict[str, str] = field(default_factory=dict)
    failed_stages: dict[str, str] = field(default_factory=dict)
    videos: int = 0
    reused_videos: int = 0

    @property
    def complete(self) -> bool:
        """Whether every stage after the videos came to its end."""
        return not self.failed_stages


class GraphRunner:
    """Runs the graph in this process."""

    def __init__(
        self,
        definitions: dg.Definitions,
        instance: dg.DagsterInstance,
        store: ArtifactStore,
        profile: Profile,
        progress: Progress,
    ) -> None:
        self._job = definitions.resolve_implicit_global_asset_job_def()
        self._definitions = definitions
        self._instance = instance
        self._store = store
        self._profile = profile
        self._progress = progress
        self._started: dict[str, float] = {}
        self._interrupted = False
        self._answered: dict[str, list[str]] = {}
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Run everything; a failing video is noted and left out, a failing stage ends the run."""
        outcome = self.outcome
        if not self._materialize(["speedrun_runs"]):
            return outcome
        runs = pinned(self._instance, self._store, "speedrun_runs")
        work = outdated_videos(self._instance, self._store, self._profile, runs)
        outcome.videos = int(runs.facts["videos"])
        outcome.failed_videos |= work.left_out
        outcome.reused_videos = outcome.videos - len(work.todo) - len(work.left_out)
        wanted = set(work.todo)
        needed = estimate(
            [k for k in read_links(runs) if k.video_id in wanted], self._profile.download, self._store
        )
        if needed.videos:
            self._progress.say(f"        {needed.as_text()}")
        require_room(needed, self._store.home)
        at_once = self._profile.execution.launcher == "ray"
        for video in self._progress.videos(work.todo, outcome.reused_videos):
            self._materialize(PER_VIDEO[:1] if at_once else PER_VIDEO, video)
        if at_once and work.todo:
            self._cut_at_once(runs)
        self._progress.videos_done(outcome.videos - len(outcome.failed_videos), outcome.failed_videos)
        self._materialize(from_dataset(self._profile))
        return outcome

    def _cut_at_once(self, runs: Artifact) -> None:
        """Cut the videos that are here on the cluster, all in one job: a run for each would cost more than the work."""
        self._progress.say("        cutting all videos on the Ray cluster")
        began = time.perf_counter()
        result = self._definitions.resolve_job_def(EXTRACTION).execute_in_process(
            instance=self._instance, run_config=_QUIET, raise_on_error=False, tags={HEADLESS_TAG: "true"}
        )
        self.outcome.wall_s["frames"] = time.perf_counter() - began
        told = "; ".join(_reason(e) for e in result.all_events if e.is_step_failure)
        left = outdated_videos(self._instance, self._store, self._profile, runs)
        for video, reason in (
            dict.fromkeys(left.todo, told or "not cut: see the run of the job `extract`") | left.left_out
        ).items():
            self.outcome.failed_videos.setdefault(video, reason)

    def _materialize(self, assets: Sequence[str], partition: str | None = None) -> bool:
        run_id = str(uuid.uuid4())
        self._instance.add_event_listener(run_id, lambda entry: self._see(entry, partition))
        result = self._job.execute_in_process(
            instance=self._instance,
            asset_selection=[dg.AssetKey(a) for a in assets],
            partition_key=partition,
            run_config=_QUIET,
            raise_on_error=False,
            run_id=run_id,
            tags={HEADLESS_TAG: "true"},
        )
        if self._interrupted:
            # To Dagster, Ctrl-C is a step that failed; here it must end the walk through the videos too.
            raise KeyboardInterrupt
        return result.success

    def _see(self, entry: EventLogEntry, partition: str | None) -> None:
        event = entry.dagster_event
        if event is None or event.step_key not in STEPS:
            return
        stage = event.step_key
        if event.event_type == DagsterEventType.STEP_START:
            self._started[stage] = time.perf_counter()
            if partition is None:
                self._progress.stage_started(stage)
        elif event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
            self._note_materialization(event, stage)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            self._note_check(event.asset_check_evaluation_data, stage)
        elif event.event_type in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE):
            wall = time.perf_counter() - self._started.pop(stage, time.perf_counter())
            self.outcome.wall_s[stage] = self.outcome.wall_s.get(stage, 0.0) + wall
            failed = event.event_type == DagsterEventType.STEP_FAILURE
            self._interrupted |= failed and _was_interrupted(event)
            stopping = self._answered.pop(stage, [])
            reason = _reason(event, stopping) if failed else None
            if reason is not None:
                place = self.outcome.failed_stages if partition is None else self.outcome.failed_videos
                place[partition or stage] = reason
            if partition is None:
                self._progress.stage_ended(stage, wall, reason)

    def _note_materialization(self, event: DagsterEvent, stage: str) -> None:
        seconds = event.materialization.metadata.get("core_seconds")
        if seconds is not None:
            self.outcome.core_s[stage] = self.outcome.core_s.get(stage, 0.0) + float(str(seconds.value))

    def _note_check(self, found: AssetCheckEvaluation, stage: str) -> None:
        if found.blocking and not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
            self._answered.setdefault(stage, []).append(_said(found))


def _was_interrupted(event: DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__


def _said(found: AssetCheckEvaluation) -> str:
    """A check's name, and what it found."""
    seen = {name: value.value for name, value in found.metadata.items()}
    said = seen.get("missed") or seen.get("message")
    if not said:
        numbers = [f"{k} {v:.4g}" for k, v in seen.items() if isinstance(v, int | float)]
        said = f"{found.description or 'failed'} Found {', '.join(numbers) or 'no numbers'}"
    return "; ".join([f"{found.check_name}: {said}", *([str(seen["to_do"])] if "to_do" in seen else [])])


def _reason(event: DagsterEvent, stopping: Sequence[str] = ()) -> str:
    """What a step failed of.

    Args:
        stopping: what its blocking checks found: Dagster's own message only counts them.
    """
    failure = event.step_failure_data
    if stopping and failure.error is not None and failure.error.cls_name == _CHECK_FAILED:
        return "; ".join(stopping)
    given = failure.user_failure_data
    if given is not None and given.description:
        return given.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "failed without a message"
