"""Which tracked runs made an artifact: a line for each materialization, beside the artifacts.

    <home>/runs/<kind>.jsonl      {"artifact": id, "mlflow_run_id": ..., "dagster_run_id": ..., "reused": ..., "at_utc": ...}

An artifact never changes after it was published and is the same whoever builds it, so the ids of runs can't be in it. They are
names only: where the databases they name are lost, the artifacts' own `lineage.json` still answers everything else.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from emurl_core.artifacts.artifact import Artifact

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackedRun:
    """One materialization of an artifact.

    Attributes:
        reused: the artifact was there already; an earlier run built it.
        at_utc: when it ended, ISO 8601.
    """

    artifact: str
    mlflow_run_id: str | None = None
    dagster_run_id: str | None = None
    reused: bool = False
    at_utc: str = ""


class RunBook:
    """The runs below a data folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "runs"

    def note(
        self,
        artifact: Artifact,
        *,
        mlflow_run_id: str | None = None,
        dagster_run_id: str | None = None,
        reused: bool = False,
    ) -> None:
        """Add a line. That it can't be written is a warning: the artifact is published."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps(asdict(TrackedRun(artifact.id, mlflow_run_id, dagster_run_id, reused, now)))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f"{artifact.kind}.jsonl").open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, os.SEEK_END)
                if end:
                    file.seek(end - 1)
                # What a killed process wrote half of must not take this line along.
                torn = bool(end) and file.read(1) != b"\n"
                file.write((b"\n" if torn else b"") + line.encode() + b"\n")
        except OSError as error:
            _log.warning("the run of %s is not in %s: %s", artifact.id, self.folder, error)

    def of(self, artifact_ids: Iterable[str]) -> dict[str, list[TrackedRun]]:
        """The runs of these artifacts, oldest first; only of those that have any."""
        wanted = set(artifact_ids)
        kinds = {id.partition("@")[0].partition("/")[0] for id in wanted}
        found: dict[str, list[TrackedRun]] = {}
        for kind in sorted(kinds):
            for run in _read(self.folder / f"{kind}.jsonl"):
                if run.artifact in wanted:
                    found.setdefault(run.artifact, []).append(run)
        return found


def _read(path: Path) -> list[TrackedRun]:
    known = {field.name for field in fields(TrackedRun)}
    runs = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            runs.append(TrackedRun(**{k: v for k, v in json.loads(line).items() if k in known}))
        except (ValueError, TypeError, AttributeError):
            continue
    return runs
