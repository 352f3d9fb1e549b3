"""A stage small enough to be built in a moment, in the shape of the real ones; and real Dagster and MLflow around it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from emurl_core.artifacts import Artifact, version_of
from emurl_core.configuration import StageConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_pipeline.materialization import Check, Work, stage_asset
from emurl_pipeline.resources import DataHome, settings_resource
from emurl_pipeline.tracking import MlflowTracking

CODE_VERSION = "7"


class ToyConfig(StageConfig):
    """How the toy is made."""

    steps: int = 3
    """Points of its training curve."""
    quality: float = 0.9
    """What its check looks at."""


def make_toy(config: ToyConfig, context: StageContext) -> Artifact:
    """A picture, a metric beside its baseline, a curve."""
    if config.steps < 0:
        raise ValueError(f"found steps={config.steps}, expected at least 0; raise it")
    version = version_of(config, CODE_VERSION)
    if (existing := context.store.reuse("toy", version)) is not None:
        return existing
    for step in range(config.steps):
        context.sink.log({"loss": 1 / (step + 1)}, step)
    with context.store.draft("toy", version, config=config, code_version=CODE_VERSION) as draft:
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(draft.pictures() / "swatch.png")
        draft.metrics |= {"test/accuracy": config.quality, "test/majority": 0.4}
        draft.facts["good"] = config.quality > 0.5
    return context.store.get("toy", version)


MakeToy = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A real instance on disk."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


@pytest.fixture
def materialize_toy(instance: dg.DagsterInstance, tmp_path: Path) -> MakeToy:
    """Materialize the toy and an asset behind it."""

    def materialize(
        core: Callable[..., Artifact] = make_toy,
        mlflow: MlflowTracking | None = None,
        retry: dg.RetryPolicy | None = None,
        **config: object,
    ) -> dg.ExecuteInProcessResult:
        @stage_asset(
            ToyConfig(),
            core=make_toy,
            group="toys",
            deps=[],
            kinds={"toy"},
            retry=retry,
            checks=[Check("good", "The toy is good.", lambda a: (a.facts["good"], {}))],
        )
        def toy(work: Work, config: ToyConfig) -> Artifact:
            """A toy."""
            return core(config, work.context)

        @dg.asset(deps=[toy])
        def shelf() -> dg.MaterializeResult:
            return dg.MaterializeResult()

        return dg.materialize(
            [toy, shelf],
            instance=instance,
            resources={
                "data": DataHome(home=str(tmp_path / "home")),
                "mlflow": mlflow or MlflowTracking(),
                "runtime": settings_resource(RuntimeConfig()),
            },
            run_config={"ops": {"toy": {"config": config}}},
            raise_on_error=False,
        )

    return materialize
