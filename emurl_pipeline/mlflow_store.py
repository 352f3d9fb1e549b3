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
from emurl_core.sources.outcomes import safe_address

UI_VARIABLE = "EMURL_MLFLOW_URL"
SERVER_VARIABLE = "MLFLOW_TRACKING_URI"
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
    """Where MLflow's UI is: `$EMURL_MLFLOW_URL`, else the server that is tracked on, else where `emurl ui` puts it."""
    server = os.environ.get(SERVER_VARIABLE, "")
    shown = safe_address(server) if is_server(server) else DEFAULT_UI
    return (os.environ.get(UI_VARIABLE) or shown).rstrip("/")


def store_uri(home: Path) -> str:
    """Absolute address of the sqlite store in a data folder."""
    return f"sqlite:///{home.resolve() / 'mlflow.db'}"


def tracking_uri(home: Path) -> str:
    """Where runs are tracked unless a run's config says otherwise: `$MLFLOW_TRACKING_URI`, else the store in the data folder."""
    return os.environ.get(SERVER_VARIABLE) or store_uri(home)


def open_store(uri: str, home: Path | None = None) -> Any:
    """A client of the store. The first use makes the schema, one process at a time: two at once would crash."""
    for name, value in _MANNERS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    if is_server(uri):
        # Its schema is its own, and one that hangs must not hold up the steps beside this one.
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client
    with locked(home or home_folder()):
        _require_readable(uri)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def ensure_experiment(client: Any, name: str, home: Path) -> str:
    """Id of the experiment, made when it is not there. A server chooses its own place for artifacts."""
    from mlflow.exceptions import MlflowException

    location = None
    if not is_server(client.tracking_uri):
        location = (home.resolve() / "mlflow_artifacts" / name).as_uri()
    with locked(home):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        try:
            return client.create_experiment(name, artifact_location=location, tags=_MODEL_TRAINING)
        except MlflowException:
            # Another machine of the same server may have been faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
            return found.experiment_id


def is_server(uri: str) -> bool:
    """Whether MLflow is asked over a network, not in a file."""
    return uri.startswith(("http://", "https://"))


def _require_readable(uri: str) -> None:
    # MLflow tries a file that cannot be opened again for most of an hour.
    if uri.startswith("sqlite:///"):
        with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=30)) as database:
            database.execute("PRAGMA schema_version").fetchone()


@contextmanager
def locked(home: Path, what: str = "mlflow") -> Iterator[None]:
    """One process at a time, among those of this data folder. Locks of one name don't nest."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / f".{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
