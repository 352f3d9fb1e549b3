"""What follows the job `everything`, tick by tick; that the UI and its daemon do so is in `test_ui_fresh_home`."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from tiny_profile import tiny_profile

from emurl_core.sources.retractions import RetractionBook
from emurl_pipeline.definitions import build
from emurl_pipeline.everything import EVERYTHING
from emurl_pipeline.resources import DataHome


class Home:
    """A fresh home with three files to list, and the sensor, ticked by hand."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        (folder / "videos").mkdir()
        for i in range(3):
            (folder / "videos" / f"run {i}.mp4").touch()
        self.data = DataHome(home=str(folder / "home"))
        self.repository = build(tiny_profile(folder / "videos"), folder / "home").get_repository_def()

    def list_speedruns(self) -> str:
        result = self.repository.get_job(EVERYTHING).execute_in_process(instance=self.instance)
        assert result.success
        return result.run_id

    def tick(self) -> list[dg.RunRequest] | str:
        sensor = self.repository.get_sensor_def("build_everything")
        with dg.build_sensor_context(
            self.instance, repository_def=self.repository, resources={"data": self.data}
        ) as context:
            # A daemon's context knows its instance by reference, and takes the partitions from there.
            context.caching_dynamic_partitions_loader = self.instance
            found = sensor.evaluate_tick(context)
        return list(found.run_requests or []) or str(found.skip_message)

    def begin(self, request: dg.RunRequest) -> dg.DagsterRun:
        """Make the run as the daemon would."""
        job: Any = self.repository.get_job(request.job_name)
        return self.instance.create_run_for_job(job, tags=request.tags, status=DagsterRunStatus.STARTED)

    def end(self, run: dg.DagsterRun, well: bool) -> None:
        event = dg.DagsterEventType.RUN_SUCCESS if well else dg.DagsterEventType.RUN_FAILURE
        self.instance.report_dagster_event(dg.DagsterEvent(event.value, run.job_name), run.run_id)


@pytest.fixture
def home(tmp_path: Path, instance: dg.DagsterInstance, empty_mlflow: Path) -> Home:
    (tmp_path / "home").mkdir()
    shutil.copy(empty_mlflow, tmp_path / "home" / "mlflow.db")
    return Home(tmp_path, instance)


def test_each_video_then_once_the_models_and_a_second_launch_begins_anew(home):
    assert "has listed" in home.tick()
    first = home.list_speedruns()

    asked = home.tick()
    assert {r.job_name for r in asked} == {"collect"}
    assert {r.partition_key for r in asked} == set(home.instance.get_dynamic_partitions("videos"))
    assert len({r.run_key for r in asked}) == 3

    runs = [home.begin(request) for request in asked]
    assert "waiting for 3" in home.tick()
    home.end(runs[0], well=True)
    home.end(runs[1], well=False)
    assert "waiting for 1" in home.tick()
    home.end(runs[2], well=True)

    # One video failed: the models are built of the others.
    (training,) = home.tick()
    assert training.job_name == "train"
    trained = home.begin(training)
    assert first in home.tick()
    home.end(trained, well=False)
    assert "was asked for" in home.tick()

    second = home.list_speedruns()
    assert all(r.job_name == "collect" and r.run_key.startswith(second) for r in home.tick())


def test_where_no_video_needs_work_the_models_are_next(home):
    home.list_speedruns()
    for video in home.instance.get_dynamic_partitions("videos"):
        RetractionBook(home.data.store().home).note(video, "not ours")
    assert [r.job_name for r in home.tick()] == ["train"]
