"""Every stage's step, killed at the worst moments: nothing half-published, nothing lost, re-execution finishes."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from killed_graph import AFTER, BEFORE, ORDER_FILE, RUN_CONFIG, killable, killable_profile, order_kill
from recordings import record_folder

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.sources.links import read_links
from emurl_pipeline.definitions import ASSETS, PER_VIDEO, from_dataset
from emurl_pipeline.upstream import kind_of

pytestmark = pytest.mark.long

STAGES = ("speedrun_runs", *PER_VIDEO, "frame_dataset", "tokenizer", "dynamics", "reward_model", "ood_detector", "clips", "inverse_dynamics", "action_labels", "warm_start", "policy", "evaluation")  # fmt: skip
"""In the order they are built in: each finds what those before it made."""


@dataclass(frozen=True)
class Killed:
    """A home in which one stage after the other is built, each after having been killed."""

    videos: Path
    store: ArtifactStore
    instance: dg.DagsterInstance

    def run(self, stage: str, partition: str | None, after: str | None = None) -> dg.JobExecutionResult:
        """Materialize a stage in a process of its own; `after` is the failed run that is executed again."""
        again = dg.ReexecutionOptions.from_failure(after, self.instance) if after else None
        return dg.execute_job(
            killable(self.videos, self.store.home, stage),
            self.instance,
            run_config=RUN_CONFIG,
            tags={"dagster/partition": partition} if partition else None,
            reexecution_options=again,
        )

    def killed_run(self, stage: str, partition: str | None, moment: str, after: str | None = None) -> str:
        """The id of a run whose step was killed at that moment."""
        order_kill(self.store.home, kind_of(stage), moment)
        with self.run(stage, partition, after) as result:
            assert not result.success
            assert not (self.store.home / ORDER_FILE).exists(), (
                "the step never came to the moment of its death"
            )
            (failure,) = [e for e in result.all_events if e.is_step_failure]
            error = failure.step_failure_data.error
            assert error is not None
            assert "ChildProcessCrash" in error.cls_name
            return result.run_id

    def published(self, stage: str, partition: str | None) -> list[Artifact]:
        return self.store.versions(kind_of(stage), partition)

    def holds_what_was_kept(self, stage: str, partition: str | None, kept: Artifact) -> None:
        """The last materialization took what a killed step had published, and built nothing again."""
        (record,) = self.instance.fetch_materializations(dg.AssetKey(stage), limit=1).records
        made = record.asset_materialization
        assert made is not None
        assert made.tags["dagster/data_version"] == kept.version
        assert made.metadata["reused"].value is True
        assert [a.record["created_utc"] for a in self.published(stage, partition)] == [
            kept.record["created_utc"]
        ]
        assert self.store.get(kind_of(stage), partition=partition).version == kept.version

    def materializations(self, stage: str) -> int:
        return len(self.instance.fetch_materializations(dg.AssetKey(stage), limit=100).records)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    record_folder(folder / "videos", killable_profile(folder / "videos"))
    (folder / "home").mkdir()
    (folder / "dagster").mkdir()
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance,
    ):
        # The process that steps are forked from looks nowhere else for what it imports beforehand.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        yield Killed(folder / "videos", ArtifactStore(folder / "home"), instance)


def partitions(killed: Killed, stage: str) -> list[str | None]:
    if stage not in PER_VIDEO:
        return [None]
    return [link.video_id for link in read_links(killed.store.get("speedrun_runs"))]


def test_no_stage_is_left_out() -> None:
    built = {*ASSETS, *from_dataset(killable_profile(Path("videos")))}
    assert set(STAGES) == built


def finished_by_the_next_run(killed: Killed, stage: str) -> None:
    """Kill a stage's step before it published, then after, then let it be; all its other partitions are made as well."""
    first, *others = partitions(killed, stage)
    before = killed.killed_run(stage, first, BEFORE)
    assert killed.published(stage, first) == [], "nothing half-published"
    after = killed.killed_run(stage, first, AFTER, before)
    (kept,) = killed.published(stage, first)
    kept.verify()
    assert killed.materializations(stage) == 0
    with killed.run(stage, first, after) as result:
        assert result.success
        killed.holds_what_was_kept(stage, first, kept)
    for other in others:
        with killed.run(stage, other) as result:
            assert result.success


def test_a_killed_scrape_is_finished_by_the_next_run(killed: Killed) -> None:
    finished_by_the_next_run(killed, "speedrun_runs")


def test_a_download_that_was_killed_is_tried_again_by_itself(killed: Killed) -> None:
    """It has a retry policy, for the network; that is for misfortunes of its process too."""
    for video, moment in zip(partitions(killed, "videos"), (BEFORE, AFTER, None, None), strict=True):
        if moment:
            order_kill(killed.store.home, "video", moment)
        with killed.run("videos", video) as result:
            assert result.success
            crashes = [e.step_retry_data.error for e in result.all_events if e.is_step_up_for_retry]
        assert [e is not None and "ChildProcessCrash" in e.cls_name for e in crashes] == [True] * bool(moment)
        (kept,) = killed.published("videos", video)
        kept.verify()


@pytest.mark.parametrize("stage", [s for s in STAGES if s not in ("speedrun_runs", "videos")])
def test_a_killed_step_is_finished_by_the_next_run(killed: Killed, stage: str) -> None:
    finished_by_the_next_run(killed, stage)
