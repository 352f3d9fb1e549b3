"""MLflow, as thin as it can be: one run for each materialization, linked both ways, never in the way of an artifact.

MLflow is a view for people. Whatever fails here is a warning: the artifact, its config, metrics and lineage are in the
store without it. The store is one sqlite file, `<home>/mlflow.db`; or any server whose address is given.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from emurl_core.artifacts import Artifact
from emurl_core.configuration import StageConfig, home_folder

UI_VARIABLE = "EMURL_MLFLOW_URL"
DEFAULT_UI = "http://127.0.0.1:5000"
_BATCH = 500
_FLUSH_S = 5.0
_FAILURES = 3
"""After so many in a row, the store is left alone: a dead server must not slow a training down."""


class MlflowTracking(dg.ConfigurableResource):
    """Where runs are tracked."""

    tracking_uri: str = Field(default="", description="Empty is the sqlite store <home>/mlflow.db.")
    enabled: bool = Field(default=True, description="False tracks nothing.")

    @contextmanager
    def run(
        self, stage: str, home: Path, config: StageConfig, tags: Mapping[str, str], name: str
    ) -> Iterator["TrackedRun"]:
        """One MLflow run for the block. An exception in the block ends it as failed, then goes on."""
        run = (
            TrackedRun(self._client_maker(home), stage, name, config, tags)
            if self.enabled
            else TrackedRun(None)
        )
        try:
            yield run
        except BaseException:
            run.end("FAILED")
            raise
        run.end("FINISHED")

    def _client_maker(self, home: Path) -> Callable[[], tuple[Any, Callable[[str], str]]]:
        def make() -> tuple[Any, Callable[[str], str]]:
            client = open_store(self.tracking_uri or store_uri(home), home)
            return client, lambda experiment: ensure_experiment(
                client, experiment, home, bool(self.tracking_uri)
            )

        return make


class TrackedRun:
    """An MLflow run that swallows its own failures; also the sink of the stage's training curves."""

    def __init__(
        self,
        make_client: Callable[[], tuple[Any, Callable[[str], str]]] | None,
        stage: str = "",
        name: str = "",
        config: StageConfig | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.run_id: str | None = None
        self.url: str | None = None
        self._client: Any = None
        self._points: list[Any] = []
        self._failures = 0
        self._flushed = time.monotonic()
        if make_client is not None:
            self._safely(lambda: self._start(make_client, stage, name, config, dict(tags or {})))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep a point of the training curves; points are sent in batches."""
        if self._client is None:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._points += [Metric(key, float(value), now, step) for key, value in metrics.items()]
        if len(self._points) >= _BATCH or time.monotonic() - self._flushed > _FLUSH_S:
            self._flush()

    def log_artifact(self, artifact: Artifact) -> None:
        """The finished artifact: metrics, pictures, record, lineage, the dataset it was trained on, its version."""
        if self._client is None:
            return
        self.log(artifact.metrics, 0)
        self._flush()
        self._safely(lambda: self._client.set_tag(self.run_id, "dagster.data_version", artifact.version))
        self._safely(lambda: self._client.set_tag(self.run_id, "emurl.artifact", artifact.id))
        self._safely(lambda: self._log_dataset(artifact))
        for file in ("artifact.json", "lineage.json"):
            self._safely(lambda file=file: self._client.log_artifact(self.run_id, str(artifact.path / file)))
        for path in artifact.pictures.values():
            self._safely(lambda path=path: self._client.log_artifact(self.run_id, str(path), "pictures"))

    def picture_address(self, picture: Path) -> str | None:
        """Where MLflow's UI serves a picture of the artifact; None when nothing is tracked."""
        if self.run_id is None:
            return None
        return f"{ui_address()}/get-artifact?path=pictures/{picture.name}&run_uuid={self.run_id}"

    def end(self, status: str) -> None:
        """Send what is left and close the run."""
        if self._client is not None:
            self._flush()
            self._safely(lambda: self._client.set_terminated(self.run_id, status))

    def _start(
        self,
        make_client: Callable[[], tuple[Any, Callable[[str], str]]],
        stage: str,
        name: str,
        config: StageConfig | None,
        tags: dict[str, str],
    ) -> None:
        client, experiment = make_client()
        from mlflow.entities import Param

        run = client.create_run(experiment(stage), tags=tags, run_name=name)
        self.run_id = run.info.run_id
        self.url = f"{ui_address()}/#/experiments/{run.info.experiment_id}/runs/{self.run_id}"
        self._client = client
        plain = config.model_dump(mode="json") if config else {}
        client.log_batch(self.run_id, params=[Param(k, str(v)) for k, v in plain.items()])

    def _log_dataset(self, artifact: Artifact) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(node["kind"], node["version"], "emurl", id, profile=_profile(node)),
                [InputTag("mlflow.data.context", "training")],
            )
            for id, node in artifact.lineage["nodes"].items()
            if node["kind"] == "frame_dataset" and id != artifact.id
        ]
        if inputs:
            self._client.log_inputs(self.run_id, inputs)

    def _flush(self) -> None:
        points, self._points = self._points, []
        self._flushed = time.monotonic()
        for start in range(0, len(points), _BATCH):
            self._safely(
                lambda start=start: self._client.log_batch(self.run_id, points[start : start + _BATCH])
            )

    def _safely(self, act: Callable[[], Any]) -> None:
        if self._failures >= _FAILURES:
            return
        try:
            act()
            self._failures = 0
        except Exception as error:
            self._failures += 1
            rest = "; nothing more is sent from this stage" if self._failures == _FAILURES else ""
            logging.getLogger("emurl").warning("MLflow did not take it, going on without: %s%s", error, rest)


def ui_address() -> str:
    """Where MLflow's UI is: `$EMURL_MLFLOW_URL`, else where `emurl ui` puts it."""
    return (os.environ.get(UI_VARIABLE) or DEFAULT_UI).rstrip("/")


def store_uri(home: Path) -> str:
    """Absolute address of the sqlite store in a data folder."""
    return f"sqlite:///{home.resolve() / 'mlflow.db'}"


def open_store(uri: str, home: Path | None = None) -> Any:
    """A client of the store. The first use makes the schema, one process at a time: two at once would crash."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # MLflow's own patience with a dead server is minutes for each call.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow import MlflowClient

    with _locked(home or home_folder()):
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
        return client.create_experiment(name, artifact_location=location)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _profile(node: Mapping[str, Any]) -> str:
    import json

    return json.dumps({k: v for k, v in node["facts"].items() if not isinstance(v, list | dict)})
