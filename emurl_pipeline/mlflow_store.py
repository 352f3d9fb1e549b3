"""Where MLflow keeps its runs, and its first use made safe. What is written there is in `emurl_pipeline.tracking`."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emurl_core.configuration import home_folder

UI_VARIABLE = "EMURL_MLFLOW_URL"
DEFAULT_UI = "http://127.0.0.1:5000"
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""Without it MLflow takes the experiment for one about language models and shows it so."""
_MANNERS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # Its own patience with a dead server is minutes for each call.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def ui_address() -> str:
    """Where MLflow's UI is: `$EMURL_MLFLOW_URL`, else where `emurl ui` puts it."""
    return (os.environ.get(UI_VARIABLE) or DEFAULT_UI).rstrip("/")


def store_uri(home: Path) -> str:
    """Absolute address of the sqlite store in a data folder."""
    return f"sqlite:///{home.resolve() / 'mlflow.db'}"


def open_store(uri: str, home: Path | None = None) -> Any:
    """A client of the store. The first use makes the schema, one process at a time: two at once would crash."""
    for name, value in _MANNERS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    with _locked(home or home_folder()):
        _require_readable(uri)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def ensure_experiment(client: Any, name: str, home: Path, remote: bool) -> str:
    """Id of the experiment, made when it is not there. A server chooses its own place for artifacts."""
    with _locked(home):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        location = None if remote else (home.resolve() / "mlflow_artifacts" / name).as_uri()
        return client.create_experiment(name, artifact_location=location, tags=_MODEL_TRAINING)


def _require_readable(uri: str) -> None:
    # MLflow tries a file that cannot be opened again for most of an hour.
    if uri.startswith("sqlite:///"):
        with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=30)) as database:
            database.execute("PRAGMA schema_version").fetchone()


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
