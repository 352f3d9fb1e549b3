"""MLflow away, or there and silent: a warning, in bounded time, and the artifact all the same."""

import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from emurl_core.artifacts import ArtifactStore
from emurl_pipeline.tracking import MlflowTracking

BOUND_S = 60.0


@contextmanager
def silent_server() -> Iterator[tuple[int, list[socket.socket]]]:
    """Takes every connection and never says a word."""
    taken: list[socket.socket] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)

        def take() -> None:
            while True:
                try:
                    taken.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield listening.getsockname()[1], taken
    for connection in taken:
        connection.close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def materialized(result: dg.ExecuteInProcessResult, home: Path) -> bool:
    """Whether the toy is in Dagster and in the store, without a link to MLflow."""
    made = result.asset_materializations_for_node("toy")[-1]
    assert "mlflow_run_id" not in made.metadata
    return result.success and ArtifactStore(home).get("toy").version == made.tags["dagster/data_version"]


def test_nobody_at_the_address_costs_a_warning(materialize_toy, tmp_path, caplog):
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "emurl"):
        result = materialize_toy(mlflow=MlflowTracking(tracking_uri=f"http://127.0.0.1:{closed_port()}"))
    assert materialized(result, tmp_path / "home")
    assert time.monotonic() - began < BOUND_S
    assert "MLflow did not take it" in caplog.text


def test_a_server_that_hangs_costs_a_warning_and_not_for_ever(materialize_toy, tmp_path, caplog):
    began = time.monotonic()
    with silent_server() as (port, taken), caplog.at_level(logging.WARNING, "emurl"):
        result = materialize_toy(mlflow=MlflowTracking(tracking_uri=f"http://127.0.0.1:{port}"))
    assert taken, "it was really asked"
    assert materialized(result, tmp_path / "home")
    assert time.monotonic() - began < BOUND_S
    assert "MLflow did not take it" in caplog.text


def test_the_environment_names_the_server_and_its_password_stays_there(
    materialize_toy, tmp_path, caplog, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://runner:geheim-4711@127.0.0.1:{closed_port()}")
    with caplog.at_level(logging.DEBUG):
        result = materialize_toy()
    assert materialized(result, tmp_path / "home")
    assert "MLflow did not take it" in caplog.text
    assert "geheim-4711" not in caplog.text
    with sqlite3.connect(tmp_path / "home" / "mlflow.db") as database:
        assert database.execute("select count(*) from runs").fetchone() == (0,), "not beside it"


def test_a_password_in_the_run_config_is_refused_before_dagster_keeps_more_of_it(materialize_toy):
    result = materialize_toy(mlflow=MlflowTracking(tracking_uri="https://runner:geheim-4711@mlflow.example"))
    (event,) = [e for e in result.all_events if e.is_step_failure]
    description = event.step_failure_data.user_failure_data.description
    assert "MLFLOW_TRACKING_PASSWORD" in description
    assert "geheim-4711" not in description


@pytest.fixture(autouse=True)
def _default_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.delenv(name, raising=False)
