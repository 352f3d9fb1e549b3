"""Retractions in the graph: the job, what is stale by Dagster's own rule, the check, the headless run; and lineage without any database."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from lineage_world import DATASET, REWARD, World
from tile_speedruns import run_ids
from tiny_models import quiet_context

from emurl_core.artifacts import ArtifactStore, RunBook
from emurl_core.cli import main
from emurl_core.frames.extract import CODE_VERSION as FRAMES_CODE
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.sources.published_video import CODE_VERSION as VIDEOS_CODE
from emurl_core.sources.retractions import RetractionBook
from emurl_pipeline.definitions import build
from emurl_pipeline.freshness import outdated_videos
from emurl_pipeline.materialization import CONFIG_TAG, config_hash
from emurl_pipeline.partitions import DATA_VERSION_TAG, VIDEOS
from emurl_pipeline.retraction import RETRACTIONS, report_retractions

REASON = "its runner played another game"
PROFILE = Profile(runtime=RuntimeConfig(threads=1), dataset=DATASET, reward=REWARD)


class Graph:
    """The real graph over a folder with videos and frames; models after the dataset are left to the one that is asked for."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.world = World(quiet_context(folder / "home"))
        self.instance = instance
        whole = build(PROFILE, folder / "home")
        # Without the checks that measure speed before a training: they take minutes.
        self.definitions = dg.Definitions(assets=whole.assets, resources=whole.resources, jobs=whole.jobs)

    @property
    def store(self) -> ArtifactStore:
        return self.world.store

    def report(self) -> None:
        """Tell Dagster of the table, the videos and the frames that are in the store."""
        self._event("speedrun_runs", self.world.runs().version, {})
        self.instance.add_dynamic_partitions("videos", list(self.world.links))
        for video, frames in self.world.frames.items():
            tags = {"dagster/code_version": VIDEOS_CODE, CONFIG_TAG: config_hash(PROFILE.download)}
            self._event("videos", self.store.get("video", partition=video).version, tags, video)
            tags = {"dagster/code_version": FRAMES_CODE, CONFIG_TAG: config_hash(PROFILE.frames)}
            self._event("frames", frames.version, tags, video)
        report_retractions(self.instance, self.instance.report_runless_asset_event, self.store)

    def materialize(self, *assets: str) -> dg.ExecuteInProcessResult:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey(name) for name in assets]
        return job.execute_in_process(instance=self.instance, asset_selection=keys)

    def retract(self, **config: Any) -> dg.ExecuteInProcessResult:
        """The job of the UI."""
        job = self.definitions.resolve_job_def("retract")
        run_config = {"ops": {"retract_video": {"config": config}}}
        return job.execute_in_process(instance=self.instance, run_config=run_config, raise_on_error=False)

    def status(self, asset: str) -> str:
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return resolver.get_status(dg.AssetKey(asset)).value

    def latest(self, asset: str) -> dg.AssetMaterialization:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization

    def _event(self, asset: str, version: str, tags: dict[str, str], partition: str | None = None) -> None:
        tags = {DATA_VERSION_TAG: version, **tags}
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(asset, partition=partition, tags=tags)
        )


@pytest.fixture
def graph(tmp_path, instance, empty_mlflow):
    """Five videos, materialized up to the dataset."""
    graph = Graph(tmp_path, instance)
    graph.world.fill()
    graph.bad = graph.world.add(run_ids("train", 3)[2], 7)
    shutil.copy(empty_mlflow, graph.store.home / "mlflow.db")
    graph.report()
    assert graph.materialize("frame_dataset").success
    return graph


def test_the_job_makes_the_dataset_stale_and_the_next_one_another(graph):
    before = graph.latest("frame_dataset").tags[DATA_VERSION_TAG]
    assert graph.status("frame_dataset") == "FRESH"
    assert graph.retract(video_id=graph.bad, reason=REASON).success
    assert graph.status("frame_dataset") == "STALE"
    shown = graph.latest("retractions").metadata
    assert shown["stale_artifacts"].value == 1
    assert shown["stale"].value.records[0].data["id"] == f"frame_dataset@{before}"
    assert shown["retracted"].value.records[0].data["reason"] == REASON
    assert not graph.instance.has_dynamic_partition(VIDEOS.name, graph.bad), "nothing asks for it any more"
    assert graph.materialize("frame_dataset").success
    after = graph.latest("frame_dataset")
    assert after.tags[DATA_VERSION_TAG] != before
    assert after.metadata["videos_retracted"].value == {graph.bad: REASON}
    assert after.metadata["videos_used"].value == 4
    assert graph.status("frame_dataset") == "FRESH"


def test_what_is_built_on_the_dataset_is_stale_then(graph):
    key = dg.AssetKey("reward_model")
    dataset = graph.latest("frame_dataset").tags[DATA_VERSION_TAG]
    graph.instance.report_runless_asset_event(
        dg.AssetMaterialization(
            key, tags={DATA_VERSION_TAG: "r1", "dagster/input_data_version/frame_dataset": dataset}
        )
    )
    graph.retract(video_id=graph.bad, reason=REASON)
    assert graph.status("reward_model") == "STALE"


def test_a_warning_stands_at_the_dataset_until_there_is_another(graph):
    key = dg.AssetCheckKey(dg.AssetKey("frame_dataset"), "no_retracted_video")

    def answer() -> Any:
        (record,) = graph.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        return record.event.dagster_event.asset_check_evaluation_data

    assert answer().passed
    graph.retract(video_id=graph.bad, reason=REASON)
    assert not answer().passed
    assert answer().severity == dg.AssetCheckSeverity.WARN
    assert answer().metadata["retracted"].value == {graph.bad: REASON}
    assert graph.materialize("frame_dataset").success
    assert answer().passed


def test_the_job_takes_a_retraction_back_and_says_what_it_cannot_do(graph):
    before = graph.latest("frame_dataset").tags[DATA_VERSION_TAG]
    graph.retract(video_id=graph.bad, reason=REASON)
    graph.materialize("frame_dataset")
    assert graph.retract(video_id=graph.bad, undo=True).success
    assert graph.instance.has_dynamic_partition(VIDEOS.name, graph.bad)
    assert graph.status("frame_dataset") == "STALE"
    graph.materialize("frame_dataset")
    assert graph.latest("frame_dataset").tags[DATA_VERSION_TAG] == before
    failed = graph.retract(video_id="tiles-nothing", reason=REASON)
    assert not failed.success
    failure = next(e for e in failed.all_events if e.is_step_failure).step_failure_data.user_failure_data
    assert "found no video 'tiles-nothing'" in failure.description


def test_files_are_deleted_by_the_job_too(graph):
    frames = graph.world.frames[graph.bad]
    assert graph.retract(video_id=graph.bad, reason=REASON, delete_files=True).success
    assert not frames.has("frames.npy")
    assert graph.latest("retractions").metadata["deleted_files"].value >= 3
    assert graph.materialize("frame_dataset").success


def test_the_graph_hears_of_what_the_command_line_did(graph, capsys):
    with pytest.raises(SystemExit):
        main(["--home", str(graph.store.home), "retract", graph.bad, "--reason", REASON])
    assert graph.status("frame_dataset") == "FRESH", "nobody told it yet"
    report_retractions(graph.instance, graph.instance.report_runless_asset_event, graph.store)
    assert graph.status("frame_dataset") == "STALE"
    reported = graph.latest("retractions")
    report_retractions(graph.instance, graph.instance.report_runless_asset_event, graph.store)
    events = graph.instance.fetch_materializations(RETRACTIONS, limit=10).records
    assert len(events) == 2, "the first, and this one: what did not change is not told"
    assert reported.metadata["retracted_videos"].value == 1


def test_a_headless_run_leaves_a_retracted_video_out_and_cuts_deleted_frames_again(graph):
    def work() -> Any:
        for video, link in graph.world.links.items():
            note = {"circumstances": link.row_hash, "artifact": graph.store.get("video", partition=video).id}
            OutcomeBook(graph.store.home).note(video, {}, "ok", **note)
        return outdated_videos(graph.instance, graph.store, PROFILE, graph.world.runs())

    assert (work().todo, work().left_out) == ([], {})
    RetractionBook(graph.store.home).note(graph.bad, REASON)
    assert (work().todo, work().left_out) == ([], {graph.bad: f"retracted: {REASON}"})
    (graph.world.frames[graph.bad].path / "frames.npy").unlink()
    assert work().todo == []
    RetractionBook(graph.store.home).undo(graph.bad)
    assert work().todo == [graph.bad]


def test_a_materialization_shows_its_lineage_and_writes_its_page(graph):
    shown = graph.latest("frame_dataset").metadata
    text = shown["lineage"].value
    assert "**5 videos, 120 frames**" in text
    assert f"| {graph.bad} | train | 24 | 10 – 22 |" in text
    assert len(text) < 1000, "Dagster hides longer Markdown behind a click"
    page = Path(shown["lineage_page"].path)
    assert page.is_file()
    assert graph.bad in page.read_text()
    assert graph.store.home in page.parents


def test_lineage_answers_without_mlflow_and_without_dagster(graph, capsys):
    dataset = graph.store.get("frame_dataset")
    (made,) = RunBook(graph.store.home).of([dataset.id])[dataset.id]
    assert made.mlflow_run_id == graph.latest("frame_dataset").metadata["mlflow_run_id"].value
    run_id = graph.instance.get_runs(limit=1)[0].run_id
    assert made.dagster_run_id == run_id
    dagster = Path(graph.instance.root_directory)
    graph.instance.dispose()
    shutil.rmtree(dagster, ignore_errors=True)
    (graph.store.home / "mlflow.db").unlink()
    shutil.rmtree(graph.store.home / "mlflow_artifacts", ignore_errors=True)
    with pytest.raises(SystemExit) as left:
        main(["--home", str(graph.store.home), "lineage", "frame_dataset"])
    out = capsys.readouterr().out
    assert left.value.code == 0
    assert f"{dataset.id} was built from 5 videos, 120 frames" in out
    assert f"MLflow {made.mlflow_run_id}, Dagster {run_id}" in out
    dataset.verify()
