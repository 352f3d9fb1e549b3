"""Dagster's instance for headless runs: the same one the UI shows, one headless run at a time, the dead ones closed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

HEADLESS_TAG = "emurl/headless"
_UNFINISHED = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
_SETTINGS = Path(__file__).parent / "dagster.yaml"
"""What a new home begins with; `dagster_home/dagster.yaml` in the repository is a link to it."""


def dagster_home(folder: Path | str | None = None) -> Path:
    """Absolute folder of Dagster's storage, made if missing: the given one, `$DAGSTER_HOME`, else `dagster_home/`."""
    home = Path(folder or os.environ.get("DAGSTER_HOME") or "dagster_home").expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_bytes(_SETTINGS.read_bytes())
    return home


@contextmanager
def headless_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of that folder, held by this process alone among headless runs.

    Raises:
        ValueError: another headless run is going on there.
    """
    with (home / ".emurl-headless.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"found another headless run at work on {home}, expected none; wait for it or set DAGSTER_HOME to "
                "another folder"
            ) from error
        os.environ["DAGSTER_HOME"] = str(home)
        with dg.DagsterInstance.get() as instance:
            close_dead_runs(instance)
            yield instance


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of killed headless processes as failed and free what they held. Only the lock's holder may call it."""
    dead = instance.get_runs(RunsFilter(tags={HEADLESS_TAG: "true"}, statuses=_UNFINISHED))
    for run in dead:
        instance.report_run_failed(run, "The process of this headless run was killed.")
    storage = instance.event_log_storage
    for run_id in set(storage.get_concurrency_run_ids()):
        holder = instance.get_run_by_id(run_id)
        if holder is None or (holder.is_finished and holder.tags.get(HEADLESS_TAG)):
            # A slot that nobody frees would make the next run of its pool wait for ever.
            storage.free_concurrency_slots_for_run(run_id)
    return [run.run_id for run in dead]
