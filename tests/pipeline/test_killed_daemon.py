"""A real daemon with a queue, and SIGKILL for the daemon, for a run's worker, and for everything at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEventType, DagsterRun, DagsterRunStatus, RunsFilter
from toy_stage import ToyConfig

from emurl_core.artifacts import ArtifactStore
from emurl_pipeline.run_launcher import began_at

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATIENCE_S = 200.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Place:
    """A Dagster home with the repository's settings, one run at a time, and whoever works there."""

    folder: Path
    instance: dg.DagsterInstance
    environment: dict[str, str]
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.folder / "home")

    def start_daemon(self) -> subprocess.Popen[bytes]:
        with (self.folder / "daemon.log").open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "dagster._daemon", "run", "-m", "waiting_graph"],
                env=self.environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.daemons.append(daemon)
        return daemon

    def want(self, steps: int, job: str = "both") -> None:
        """Have a run queued; which one it is its `steps` tell."""
        staged = self.folder / f"{steps}.new"
        staged.write_text(job)
        staged.rename(self.folder / f"{steps}.wanted")

    def runs(self, steps: int) -> list[DagsterRun]:
        """The run of that number and its re-executions, the oldest first."""
        found = self.instance.get_runs(ascending=True)
        return [r for r in found if r.run_config["ops"]["toy"]["config"]["steps"] == steps]

    def waits_for(self, what: str, condition: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, (
                f"{what}; the daemon said: {(self.folder / 'daemon.log').read_text()[-4000:]}"
            )
            time.sleep(0.1)

    def at_work(self, steps: int) -> None:
        """Wait until the step that waits is there."""
        self.waits_for(f"no step {steps} began", (self.folder / f"{steps}.began").exists)

    def go(self, steps: int) -> None:
        (self.folder / f"{steps}.go").touch()

    def succeeds(self, steps: int) -> None:
        self.waits_for(
            f"run {steps} did not finish: {[r.status.value for r in self.runs(steps)]}",
            lambda: self.runs(steps)[-1].status == DagsterRunStatus.SUCCESS,
        )

    def worker(self, steps: int) -> int:
        """The process of the run, which is not that of its step."""
        for entry in self.instance.all_logs(
            self.runs(steps)[0].run_id, of_type=DagsterEventType.ENGINE_EVENT
        ):
            if "Started process for run" in entry.message:
                return int(entry.message.partition("pid: ")[2].rstrip(")."))
        raise AssertionError("the run has no process")

    def finished_whole(self, steps: int) -> None:
        """One artifact, whole, of the version that a run without misfortune makes; what was done before was not done again."""
        (made,) = [a for a in self.store.versions("toy") if a.config["steps"] == steps]
        made.verify()
        records = self.instance.fetch_materializations(dg.AssetKey("toy"), limit=100).records
        versions = [
            r.asset_materialization.tags["dagster/data_version"] for r in records if r.asset_materialization
        ]
        assert made.version in versions
        assert made.config == ToyConfig(steps=steps).model_dump(mode="json")
        assert (self.folder / f"{steps}.quick").read_text() == "done\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("waiting")
    (folder / "dagster").mkdir()
    settings = (ROOT / "dagster_home" / "dagster.yaml").read_text()
    for ours, quick in (
        ("poll_interval_seconds: 30", "poll_interval_seconds: 1"),
        ("free_slots_after_run_end_seconds: 30", "free_slots_after_run_end_seconds: 1"),
        ("max_concurrent_runs: 4", "max_concurrent_runs: 1"),
    ):
        assert ours in settings
        settings = settings.replace(ours, quick)
    (folder / "dagster" / "dagster.yaml").write_text(settings)
    environment = os.environ | {
        "DAGSTER_HOME": str(folder / "dagster"),
        "WAITING": str(folder),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT), *filter(None, sys.path)]),
    }
    with dg.DagsterInstance.from_config(str(folder / "dagster")) as instance:
        place = Place(folder, instance, environment)
        try:
            yield place
        finally:
            for n in range(10):
                place.go(n)
            for daemon in place.daemons:
                kill_all(daemon)


def kill_all(daemon: subprocess.Popen[bytes]) -> None:
    """The daemon, its code server, run workers and steps."""
    try:
        os.killpg(daemon.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    daemon.wait(30)


def test_a_run_goes_on_while_the_daemon_is_dead_and_a_queued_one_is_not_forgotten(place: Place) -> None:
    daemon = place.start_daemon()
    place.want(1)
    place.want(2)
    place.waits_for("no run began", lambda: list(place.folder.glob("*.began")))
    place.waits_for("nothing is queued", lambda: len(place.instance.get_runs()) == 2)
    (begun,) = (int(p.stem) for p in place.folder.glob("*.began"))
    queued = 3 - begun
    daemon.kill()
    daemon.wait(30)
    place.go(begun)
    place.succeeds(begun)
    assert [r.status for r in place.runs(queued)] == [DagsterRunStatus.QUEUED]
    place.go(queued)
    place.start_daemon()
    place.succeeds(queued)
    for n in (begun, queued):
        assert len(place.runs(n)) == 1, "nothing was executed twice"
        place.finished_whole(n)


def test_a_run_whose_worker_was_killed_is_executed_again_from_where_it_failed(place: Place) -> None:
    place.want(3, "both_apart")
    place.at_work(3)
    os.kill(place.worker(3), signal.SIGKILL)
    place.waits_for("nothing was executed again", lambda: len(place.runs(3)) == 2)
    assert place.runs(3)[0].status == DagsterRunStatus.FAILURE
    # The step itself outlived its run: the new one has to wait for it, not to race it.
    assert began_at(int((place.folder / "3.began").read_text().split()[0])) is not None
    place.go(3)
    place.succeeds(3)
    place.finished_whole(3)


def test_after_everything_was_killed_at_once_a_new_daemon_notices_and_finishes(place: Place) -> None:
    place.want(4)
    place.at_work(4)
    for daemon in place.daemons:
        kill_all(daemon)
    step = int((place.folder / "4.began").read_text().split()[0])
    assert began_at(step) is None, "the step is dead too"
    assert place.runs(4)[0].status == DagsterRunStatus.STARTED, "nobody was left to say that it failed"
    assert place.store.find("toy", partition=None) is not None
    assert not [a for a in place.store.versions("toy") if a.config["steps"] == 4]
    place.go(4)
    place.start_daemon()
    place.waits_for("nothing was executed again", lambda: len(place.runs(4)) == 2)
    place.succeeds(4)
    place.finished_whole(4)
    assert (
        place.instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.QUEUED]))
        == []
    )
