"""A real daemon, a schedule that comes round each minute, and a speedrun that is added while it runs."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from toy_graph import CHAIN, record

HERE = Path(__file__).parent
DAGSTER_YAML = """
telemetry:
  enabled: false
sensors:
  use_threads: true
  num_workers: 4
schedules:
  use_threads: true
  num_workers: 4
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 2
    dequeue_interval_seconds: 1
"""
WAIT_S = 420
"""Far above what it takes on an idle machine: about two minutes."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[Path, dg.DagsterInstance]]:
    home = tmp_path / "dagster"
    home.mkdir()
    (tmp_path / "home").mkdir()
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    for i in range(3):
        record(tmp_path / "videos" / f"run {i} 1000.mp4", 40 * i)
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "TOY_FOLDER": str(tmp_path),
        "TOY_CRON": "* * * * *",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "toy_graph"]
    log = (tmp_path / "daemon.log").open("wb")
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
    )
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield tmp_path, instance
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_running_daemon_builds_what_a_new_speedrun_changes_and_nothing_else(daemon):
    folder, instance = daemon
    _wait_until(folder, lambda: _made(instance)["evaluation"] == 1)
    before = _made(instance)
    assert before["videos"] == before["frames"] == 3
    record(folder / "videos" / "run 3 1000.mp4", 200)
    _wait_until(folder, lambda: _made(instance)["evaluation"] == 2)
    after = _made(instance)
    new = {name: after[name] - before[name] for name in ("videos", "frames", "frame_dataset", *CHAIN)}
    assert new == dict.fromkeys(new, 1)
    # Two more rounds of the schedule, that find nothing new.
    _wait_until(folder, lambda: _made(instance)["speedrun_runs"] >= after["speedrun_runs"] + 2)
    time.sleep(10)
    at_rest = _made(instance)
    assert {n: at_rest[n] for n in new} == {n: after[n] for n in new}
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert not runs


def _made(instance: dg.DagsterInstance) -> Counter[str]:
    """Materializations so far, by asset, as the event log has them."""
    names = ("speedrun_runs", "videos", "frames", "frame_dataset", *CHAIN)
    return Counter(
        {n: len(instance.fetch_materializations(dg.AssetKey(n), limit=1000).records) for n in names}
    )


def _wait_until(folder: Path, true: object) -> None:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if true():  # type: ignore[operator]
            return
        time.sleep(1)
    raise AssertionError(f"not in {WAIT_S} s: {(folder / 'daemon.log').read_text()[-3000:]}")
