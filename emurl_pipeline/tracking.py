"""MLflow, as thin as it can be: one run for each materialization, linked both ways, never in the way of an artifact.

MLflow is a view for people. Whatever fails here is a warning: the artifact, its config, metrics and lineage are in the
store without it. The store is one sqlite file, `<home>/mlflow.db`; or any server whose address is given.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.configuration import StageConfig
from emurl_core.sources.outcomes import safe_address, safe_text
from emurl_pipeline.mlflow_registry import follow_book
from emurl_pipeline.mlflow_store import ensure_experiment, open_store, tracking_uri, ui_address

_BATCH = 500
_FLUSH_S = 5.0
_FAILURES = 3
"""After so many in a row, the store is left alone: a dead server must not slow a training down."""


class MlflowTracking(dg.ConfigurableResource):
    """Where runs are tracked."""

    tracking_uri: str = Field(
        default="",
        description="Empty is $MLFLOW_TRACKING_URI, else the sqlite store <home>/mlflow.db. A server's user and password belong into "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, not in here.",
    )
    enabled: bool = Field(default=True, description="False tracks nothing.")

    @contextmanager
    def run(
        self, stage: str, home: Path, config: StageConfig, tags: Mapping[str, str], name: str
    ) -> Iterator["TrackedRun"]:
        """One MLflow run for the block. An exception in the block ends it as failed, then goes on."""
        _refuse_password(self.tracking_uri)
        run = TrackedRun()
        if self.enabled:
            run.begin(self.tracking_uri, home, stage, name, config, tags)
        try:
            yield run
        except BaseException:
            run.end("FAILED")
            raise
        run.end("FINISHED")


class TrackedRun:
    """An MLflow run that swallows its own failures; also the sink of the stage's training curves."""

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.url: str | None = None
        self._client: Any = None
        self._points: list[Any] = []
        self._failures = 0
        self._flushed = time.monotonic()

    def begin(
        self, uri: str, home: Path, stage: str, name: str, config: StageConfig, tags: Mapping[str, str]
    ) -> None:
        """Make the run in the experiment of its stage; without a `uri` in the store of the data folder."""
        self._safely(self._begin, uri, home, stage, name, config, dict(tags))

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
        self._safely(self._client.set_tag, self.run_id, "dagster.data_version", artifact.version)
        self._safely(self._client.set_tag, self.run_id, "emurl.artifact", artifact.id)
        self._safely(self._log_dataset, artifact)
        for file in ("artifact.json", "lineage.json"):
            self._safely(self._client.log_artifact, self.run_id, str(artifact.path / file))
        for path in artifact.pictures.values():
            self._safely(self._client.log_artifact, self.run_id, str(path), "pictures")

    def register(self, evaluation: Artifact, store: ArtifactStore) -> None:
        """The evaluated policy in the model registry, and the alias where the book of champions says."""
        if self._client is not None:
            self._safely(follow_book, self._client, store, evaluation)

    def picture_address(self, picture: Path) -> str | None:
        """Where MLflow's UI serves a picture of the artifact; None when nothing is tracked."""
        if self.run_id is None:
            return None
        return f"{ui_address()}/get-artifact?path=pictures/{picture.name}&run_uuid={self.run_id}"

    def end(self, status: str) -> None:
        """Send what is left and close the run."""
        if self._client is not None:
            self._flush()
            self._safely(self._client.set_terminated, self.run_id, status)

    def _begin(
        self, uri: str, home: Path, stage: str, name: str, config: StageConfig, tags: dict[str, str]
    ) -> None:
        client = open_store(uri or tracking_uri(home), home)
        experiment = ensure_experiment(client, stage, home)
        from mlflow.entities import Param

        run = client.create_run(experiment, tags=tags, run_name=name)
        self.run_id = run.info.run_id
        self.url = f"{ui_address()}/#/experiments/{experiment}/runs/{self.run_id}"
        self._client = client
        settings = config.model_dump(mode="json")
        client.log_batch(self.run_id, params=[Param(k, str(v)) for k, v in settings.items()])

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
            self._safely(self._client.log_batch, self.run_id, points[start : start + _BATCH])

    def _safely(self, act: Callable[..., Any], *arguments: Any) -> None:
        if self._failures >= _FAILURES:
            return
        try:
            act(*arguments)
            self._failures = 0
        except Exception as error:
            self._failures += 1
            rest = "; nothing more is sent from this stage" if self._failures == _FAILURES else ""
            logging.getLogger("emurl").warning(
                "MLflow did not take it, going on without: %s%s", safe_text(str(error)), rest
            )


def _refuse_password(uri: str) -> None:
    if "@" in urlsplit(uri).netloc:
        # Dagster keeps the run config and shows it to everybody.
        raise dg.Failure(
            f"found a user or password in tracking_uri ({safe_address(uri)}), expected none: run config is kept and shown; set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment",
            allow_retries=False,
        )


def _profile(node: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in node["facts"].items() if not isinstance(v, list | dict)})
