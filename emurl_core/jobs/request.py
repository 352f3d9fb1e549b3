"""What a job is asked: a function of the library, its arguments as JSON, and where to publish."""

import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.configuration import StageConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext


@dataclass(frozen=True)
class Request:
    """The content of a job's file."""

    home: Path
    """The data folder."""
    arguments: Mapping[str, Any]
    """By the names of the function's parameters, as `encoded` writes them."""
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    events: Path | None = None
    """Where to say what happens."""
    on_ray: bool = False
    """The job runs on a Ray cluster: emulator workers and videos are spread over it."""

    def write(self, path: Path) -> None:
        """Write the file."""
        told = {
            "home": str(self.home),
            "on_ray": self.on_ray,
            "events": None if self.events is None else str(self.events),
            "runtime": self.runtime.model_dump(mode="json"),
            "arguments": encoded(self.arguments),
        }
        path.write_text(json.dumps(told, indent=1))

    @classmethod
    def read(cls, path: Path) -> "Request":
        """Read the file. Raises ValueError when it is missing or no request."""
        try:
            told = json.loads(path.read_text())
            return cls(
                Path(told["home"]),
                told["arguments"],
                RuntimeConfig.model_validate(told.get("runtime", {})),
                Path(told["events"]) if told.get("events") else None,
                bool(told.get("on_ray", False)),
            )
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"found no request of a job in {path} ({type(error).__name__}: {' '.join(str(error).split())}); expected JSON "
                "with home, arguments and perhaps runtime and events: see emurl_core/jobs/__init__.py"
            ) from error


def encoded(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON: artifacts by id, configurations by their settings, anything else as it is."""
    plain: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, Artifact):
            plain[name] = {"artifact": value.id}
        else:
            plain[name] = value.model_dump(mode="json") if isinstance(value, StageConfig) else value
    return plain


def decoded(function: Callable[..., Any], given: Mapping[str, Any], store: ArtifactStore) -> dict[str, Any]:
    """The arguments as the function's parameters want them.

    Raises:
        ValueError: a name is no parameter's, one is missing by type, or a setting is out of range.
        ArtifactError: an artifact is not in the store.
    """
    wanted = {name: kind for name, kind in typing.get_type_hints(function).items() if name != "return"}
    unknown = sorted(set(given) - set(wanted))
    if unknown:
        known = ", ".join(n for n, kind in wanted.items() if kind is not StageContext)
        raise ValueError(
            f"found the arguments {', '.join(unknown)}, expected some of {known}; correct the job's file"
        )
    found: dict[str, Any] = {}
    for name, value in given.items():
        kinds = [k for k in (wanted[name], *typing.get_args(wanted[name])) if isinstance(k, type)]
        config = next((k for k in kinds if issubclass(k, StageConfig)), None)
        if value is None:
            found[name] = None
        elif Artifact in kinds:
            found[name] = store.by_id(_id_of(name, value))
        elif config is not None:
            found[name] = _settings(name, config, value)
        else:
            found[name] = value
    return found


def _id_of(name: str, value: Any) -> str:
    if not isinstance(value, Mapping) or not isinstance(value.get("artifact"), str):
        raise ValueError(
            f'found {value!r} for {name}, expected {{"artifact": "kind@version"}}; correct the job\'s file'
        )
    return value["artifact"]


def _settings(name: str, config: type[StageConfig], value: Any) -> StageConfig:
    try:
        return config.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(
            f"the argument {name} does not fit {config.__name__}: {problems}; correct the job's file"
        ) from error
