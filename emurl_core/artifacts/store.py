"""The store: every artifact below one folder, found by kind, partition and version. What is being written is a `draft`."""

import errno
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from safetensors import SafetensorError

from emurl_core.artifacts.artifact import (
    Artifact,
    ArtifactError,
    Input,
    artifact_id,
    file_sha256,
    plain,
    read_json,
)
from emurl_core.artifacts.draft import Draft, write_json
from emurl_core.configuration import home_folder

FORMAT = 1
_SETTLED_S = 10.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")


class ArtifactStore:
    """All artifacts below one folder.

    Args:
        home: the data folder; default `$EMURL_HOME`, else `data/`.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        self.home = Path(home).expanduser().resolve() if home else home_folder()
        self.root = self.home / "artifacts"

    def find(self, kind: str, version: str | None = None, partition: str | None = None) -> Artifact | None:
        """The artifact, or None. Without a version: the current one. A version may be shortened to a unique prefix."""
        folder = self._folder(kind, partition)
        if version is None:
            pointer = folder / "CURRENT"
            if not pointer.is_file():
                return None
            version = pointer.read_text().strip()
        elif not (folder / version).is_dir():
            matches = [p.name for p in folder.glob(f"{_checked(version)}*") if p.is_dir()]
            if len(matches) > 1:
                raise ArtifactError(
                    f"{kind} version {version!r} is ambiguous: {', '.join(sorted(matches))}; give more of it"
                )
            version = matches[0] if matches else version
        path = folder / _checked(version)
        return self._open(path, kind, partition) if path.is_dir() else None

    def get(self, kind: str, version: str | None = None, partition: str | None = None) -> Artifact:
        """Like `find`, but a missing artifact is an ArtifactError that says which stage makes it."""
        artifact = self.find(kind, version, partition)
        if artifact is None:
            wanted = f"{kind}{f'/{partition}' if partition else ''}{f'@{version}' if version else ''}"
            known = ", ".join(a.version for a in self.versions(kind, partition)) or "none"
            raise ArtifactError(
                f"found no artifact {wanted} under {self.root} (versions there: {known}); build it first: "
                f"run its stage, or materialize the asset {kind!r}"
            )
        return artifact

    def versions(self, kind: str, partition: str | None = None) -> list[Artifact]:
        """Every published version, oldest first."""
        folder = self._folder(kind, partition)
        found = [self._open(p, kind, partition) for p in folder.glob("*") if (p / "artifact.json").is_file()]
        return sorted(found, key=lambda a: a.record["created_utc"])

    def partitions(self, kind: str) -> list[str]:
        """Partitions of a partitioned kind that have at least one version."""
        return sorted(p.name for p in (self.root / _checked(kind)).glob("*") if (p / "CURRENT").is_file())

    def everything(self) -> Iterator[Artifact]:
        """Every artifact of every kind, in no particular order."""
        for record in sorted(self.root.rglob("artifact.json")):
            relative = record.parent.relative_to(self.root).parts
            if record.parent.name.startswith(".") or any(p.startswith(".") for p in relative):
                continue
            yield self._open(record.parent, relative[0], relative[1] if len(relative) == 3 else None)

    def inputs_of(self, artifact: Artifact) -> dict[str, Artifact]:
        """The artifacts that one was built from, by role. Raises ArtifactError when one is gone."""
        return {given["role"]: self.by_id(given["id"]) for given in artifact.record["inputs"]}

    def by_id(self, id: str) -> Artifact:
        """The artifact of that id, `kind[/partition]@version`. Raises ArtifactError when it is not here."""
        place, at, version = id.rpartition("@")
        kind, _, partition = place.partition("/")
        if not at:
            raise ArtifactError(
                f"found the artifact id {id!r}, expected kind[/partition]@version; correct it"
            )
        return self.get(kind, version, partition or None)

    def choose(self, artifact: Artifact) -> None:
        """Make an existing version the current one."""
        folder = self._folder(artifact.kind, artifact.partition)
        staged = folder / f".CURRENT-{uuid.uuid4().hex}"
        staged.write_text(artifact.version + "\n")
        os.replace(staged, folder / "CURRENT")

    def reuse(self, kind: str, version: str, partition: str | None = None) -> Artifact | None:
        """The artifact if this very version was built before (it becomes the current one), else None."""
        artifact = self.find(kind, version, partition)
        if artifact is not None and artifact.version == version:
            self.choose(artifact)
            return artifact
        return None

    def work(self, kind: str, version: str, partition: str | None = None) -> Path:
        """A folder for the resume state of an unfinished build of this version. Made if missing; removed by `draft`."""
        folder = self._work_path(kind, version, partition)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def draft(
        self,
        kind: str,
        version: str,
        *,
        config: BaseModel | Mapping[str, Any],
        code_version: str,
        inputs: Sequence[Input] = (),
        partition: str | None = None,
    ) -> Iterator[Draft]:
        """Write an artifact and publish it by one rename when the block ends well; leave nothing when it does not.

        Read the result with `get(kind, version, partition)`. Publishing a version that another process published
        meanwhile keeps the first one; files that were deleted from it are put back.
        """
        folder = self._folder(kind, partition)
        _checked(version)
        with self.explain_full_disk(kind):
            folder.mkdir(parents=True, exist_ok=True)
            with self._staging() as staging:
                draft = Draft(staging)
                yield draft
                self._publish(
                    draft,
                    folder / version,
                    inputs,
                    {
                        "format": FORMAT,
                        "kind": kind,
                        "version": version,
                        "partition": partition,
                        "created_utc": datetime.now(UTC).isoformat(timespec="microseconds"),
                        "code_version": code_version,
                        "config": plain(config),
                        "facts": draft.facts,
                        "metrics": {k: float(v) for k, v in draft.metrics.items()},
                        "inputs": [{"role": i.role, "id": i.artifact.id} for i in inputs],
                    },
                )
        self.choose(self._open(folder / version, kind, partition))
        shutil.rmtree(self._work_path(kind, version, partition), ignore_errors=True)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """An empty folder that is gone afterwards, and those of killed processes with it."""
        name = f".staging-{uuid.uuid4().hex}"
        staging, lock = self.root / name, self.root / f"{name}.lock"
        self._sweep()
        with lock.open("w") as owner:
            # Held for as long as this process lives: by it others know that the folder is in use.
            fcntl.flock(owner, fcntl.LOCK_EX)
            try:
                staging.mkdir()
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
                lock.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what drafts of killed processes left."""
        for lock in self.root.glob(".staging-*.lock"):
            try:
                # A new one is locked a moment after it is made.
                if time.time() - lock.stat().st_mtime < _SETTLED_S:
                    continue
                with lock.open() as owner:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                    lock.unlink(missing_ok=True)
            except (BlockingIOError, FileNotFoundError):
                continue

    @contextmanager
    def explain_full_disk(self, what: str) -> Iterator[None]:
        """Turn "no space left" into an ArtifactError that says how much there is and what to do."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            if not _says_full(error):
                raise
            free = shutil.disk_usage(_existing_parent(self.root)).free
            raise ArtifactError(
                f"the disk is full: found {free:,} free bytes under {self.home} while writing {what}; nothing was "
                "published. Free some space or set EMURL_HOME to another disk, then run the stage again"
            ) from error

    def _publish(self, draft: Draft, target: Path, inputs: Sequence[Input], record: dict[str, Any]) -> None:
        write_json(draft.path / "lineage.json", _lineage(record, inputs))
        record["files"] = {
            str(p.relative_to(draft.path)): {"bytes": p.stat().st_size, "sha256": file_sha256(p)}
            for p in sorted(draft.path.rglob("*"))
            if p.is_file()
        }
        write_json(draft.path / "artifact.json", record)
        try:
            os.rename(draft.path, target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            _put_back(draft.path, target)

    def _work_path(self, kind: str, version: str, partition: str | None) -> Path:
        return (
            self.home
            / "work"
            / _checked(kind)
            / (_checked(partition) if partition else ".")
            / _checked(version)
        )

    def _folder(self, kind: str, partition: str | None) -> Path:
        return self.root / _checked(kind) / (_checked(partition) if partition else ".")

    def _open(self, path: Path, kind: str, partition: str | None) -> Artifact:
        record = read_json(path / "artifact.json")
        found = (record.get("format"), record.get("kind"), record.get("version"), record.get("partition"))
        expected = (FORMAT, kind, path.name, partition)
        if found != expected:
            raise ArtifactError(
                f"{path} is not the artifact its place says: found (format, kind, version, partition) = {found}, "
                f"expected {expected}; move the folder away and build it again"
            )
        return Artifact(kind, path.name, partition, path, record)


def _lineage(record: Mapping[str, Any], inputs: Sequence[Input]) -> dict[str, Any]:
    own = artifact_id(record["kind"], record["partition"], record["version"])
    keep = ("kind", "version", "partition", "created_utc", "code_version", "config", "facts", "metrics")
    nodes: dict[str, Any] = {own: {k: record[k] for k in keep}}
    edges: list[list[str]] = []
    for given in inputs:
        upstream = given.artifact.lineage
        nodes |= upstream["nodes"]
        edges += [e for e in upstream["edges"] if e not in edges]
        edges.append([given.artifact.id, own, given.role])
    return {"nodes": nodes, "edges": edges}


def _checked(name: str) -> str:
    # Names become folders: anything that could climb out of the store is refused.
    if not _NAME.match(name):
        raise ArtifactError(
            f"found the name {name!r}, expected 1–200 letters, digits, '.', '_' or '-' that start with a letter or digit; rename it"
        )
    return name


def _put_back(draft: Path, target: Path) -> None:
    """Give a published artifact back the very files that were deleted from it, and no others."""
    for name, expected in read_json(target / "artifact.json")["files"].items():
        made, place = draft / name, target / name
        if not place.exists() and made.is_file() and file_sha256(made) == expected["sha256"]:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(made, place)


def _says_full(error: OSError | SafetensorError) -> bool:
    full = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError):
        return error.errno in full
    # It carries the system's number in its words alone.
    return any(f"(os error {number})" in str(error) for number in full)


def _existing_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
