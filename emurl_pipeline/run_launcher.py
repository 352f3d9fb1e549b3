"""Runs of the UI whose process is gone are noticed, whatever killed it.

Dagster's own launcher leaves that to the code server that started the process; if that was killed too, as when a machine loses
its power, a run stays "started" for ever and keeps its place in the queue and its pools. Named in `dagster.yaml`.
"""

import json
import os
from pathlib import Path

from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

_SETTLED_S = 5.0


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher, which also knows whether a run's process lives."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask the system for the run's process, where that was started on this machine."""
        where = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
        here = "socket" in where or where.get("host") in ("localhost", "127.0.0.1")
        process = self._process(run.run_id) if here else None
        if process is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "nothing is known of its process")
        pid, reported = process
        began = began_at(pid)
        # One that began later has inherited the number only.
        if began is None or began > reported + _SETTLED_S:
            return CheckRunHealthResult(WorkerStatus.FAILED, f"its process {pid} is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _process(self, run_id: str) -> tuple[int, float] | None:
        """Number of the run's process, and when it reported itself."""
        for entry in self._instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event is not None and event.step_key is None and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value)), entry.timestamp
        return None


def began_at(pid: int) -> float | None:
    """When a process of this machine began, in seconds of the clock; None when it is not there or dead."""
    try:
        # What stands in brackets is its name, in which anything may be.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    if fields[0] in ("Z", "X"):
        return None
    booted = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
