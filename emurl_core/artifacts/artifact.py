"""One published artifact: what it says of itself and how its files are read and checked."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file


class ArtifactError(ValueError):
    """An artifact is missing, damaged or does not fit. Says what was found, what was expected and what to do."""


@dataclass(frozen=True)
class Input:
    """One artifact that another is built from, and the part it plays."""

    role: str
    artifact: "Artifact"


@dataclass(frozen=True)
class Artifact:
    """A published artifact. Its folder is never edited."""

    kind: str
    version: str
    partition: str | None
    path: Path
    record: Mapping[str, Any]

    @property
    def id(self) -> str:
        """`kind[/partition]@version`, unique in a store."""
        return artifact_id(self.kind, self.partition, self.version)

    @property
    def config(self) -> Mapping[str, Any]:
        return self.record["config"]

    @property
    def facts(self) -> Mapping[str, Any]:
        """Short truths worth keeping in lineage: counts, hashes, durations."""
        return self.record["facts"]

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.record["metrics"]

    @property
    def lineage(self) -> Mapping[str, Any]:
        """`{"nodes": {id: {...}}, "edges": [[from id, to id, role], ...]}`, this artifact's own node included."""
        return read_json(self.path / "lineage.json")

    @property
    def pictures(self) -> dict[str, Path]:
        """PNG and GIF files under `pictures/`, by name without suffix."""
        folder = self.path / "pictures"
        return {p.stem: p for p in sorted(folder.glob("*")) if p.suffix in (".png", ".gif")}

    def has(self, name: str) -> bool:
        """Whether a file of it is there: those of a retracted video may have been deleted."""
        return (self.path / name).is_file()

    def verify(self) -> None:
        """Raise ArtifactError unless every file is there with the bytes it was published with."""
        for name, expected in self.record["files"].items():
            file = self.path / name
            found = file_sha256(file) if file.is_file() else "no such file"
            if found != expected["sha256"]:
                raise ArtifactError(
                    f"{self.id}: file {name} is damaged: found SHA-256 {found}, expected {expected['sha256']}; "
                    f"delete {self.path} and build it again"
                )

    def tensors(self, name: str = "weights") -> dict[str, torch.Tensor]:
        """The tensors of `<name>.safetensors` on the CPU, after checking the file's hash."""
        file = f"{name}.safetensors"
        expected = self.record["files"].get(file)
        found = file_sha256(self.path / file) if (self.path / file).is_file() else "no such file"
        if expected is None or found != expected["sha256"]:
            raise ArtifactError(
                f"{self.id}: {file}: found {found}, expected "
                f"{'no such file' if expected is None else 'SHA-256 ' + expected['sha256']}; delete {self.path} and build it again"
            )
        try:
            return load_file(self.path / file)
        except SafetensorError as error:
            raise ArtifactError(
                f"{self.id}: {file} is damaged: found what is no safetensors file ({error}); delete {self.path} and build it again"
            ) from error

    def expect(self, kind: str) -> "Artifact":
        """This artifact, or ArtifactError when it is of another kind."""
        if self.kind != kind:
            raise ArtifactError(
                f"found the artifact {self.id}, expected one of kind {kind!r}; pass another one"
            )
        return self


def artifact_id(kind: str, partition: str | None, version: str) -> str:
    """`kind[/partition]@version`."""
    return f"{kind}{f'/{partition}' if partition else ''}@{version}"


def version_of(
    config: BaseModel | Mapping[str, Any], code_version: str, inputs: Sequence[Input] = (), content: str = ""
) -> str:
    """16 hex digits that name what determines an artifact: config, code, inputs, and content hashes where it has any."""
    identity = {
        "config": plain(config),
        "code_version": code_version,
        "inputs": sorted([i.role, i.artifact.id] for i in inputs),
        "content": content,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def plain(config: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    return config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config)


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"cannot read {path} ({error}); the artifact is damaged: delete its folder and build it again"
        ) from error
