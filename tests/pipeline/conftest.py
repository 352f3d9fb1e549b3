"""Real Dagster and MLflow around a toy stage; and, once a session, the whole graph on small recordings."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from recordings import record_folder, record_without_game
from tiny_profile import tiny_profile
from toy_stage import ToyConfig, make_toy

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_pipeline.definitions import build
from emurl_pipeline.instance import dagster_home, headless_instance
from emurl_pipeline.materialization import Check, Work, stage_asset
from emurl_pipeline.mlflow_store import UI_VARIABLE, open_store, store_uri
from emurl_pipeline.progress import Progress
from emurl_pipeline.resources import DataHome, settings_resource
from emurl_pipeline.runner import GraphRunner, Outcome
from emurl_pipeline.tracking import MlflowTracking
from emurl_pipeline.ui import free_port

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"

MakeToy = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _own_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets ends with it."""
    monkeypatch.setenv("DAGSTER_HOME", "")


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its schema: making that takes seconds."""
    home = tmp_path_factory.mktemp("mlflow")
    open_store(store_uri(home), home)
    return home / "mlflow.db"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A real instance on disk."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


@pytest.fixture
def materialize_toy(instance: dg.DagsterInstance, materialize_toy_on: MakeToy) -> MakeToy:
    """Materialize the toy and an asset behind it."""
    return partial(materialize_toy_on, instance)


@pytest.fixture
def materialize_toy_on(tmp_path: Path, empty_mlflow: Path) -> MakeToy:
    """The same on an instance of one's own."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    shutil.copy(empty_mlflow, home / "mlflow.db")

    def materialize(
        instance: dg.DagsterInstance,
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
                "data": DataHome(home=str(home)),
                "mlflow": mlflow or MlflowTracking(),
                "runtime": settings_resource(RuntimeConfig()),
            },
            run_config={"ops": {"toy": {"config": config}}},
            raise_on_error=False,
        )

    return materialize


@dataclass(frozen=True)
class Finished:
    """The whole graph, run once in this session. Tests may add to it, not take away."""

    folder: Path
    profile: Profile
    outcome: Outcome
    videos: dict[str, Path]
    mlflow_ui: str

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.folder / "home")

    def run(self, profile: Profile | None = None) -> Outcome:
        """Run the graph on the same homes again."""
        return run_graph(self.folder, profile or self.profile, self.mlflow_ui)


def run_graph(folder: Path, profile: Profile, mlflow_ui: str) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        # Every run, not the first one only: the pages that the browser tests open show the newest materialization.
        patch.setenv(UI_VARIABLE, mlflow_ui)
        home = dagster_home(folder / "dagster")
        definitions = build(profile, folder / "home")
        with headless_instance(home) as instance:
            store = ArtifactStore(folder / "home")
            return GraphRunner(definitions, instance, store, profile, Progress()).run()


@pytest.fixture(scope="session")
def mlflow_port() -> int:
    """Where MLflow's UI will be, known before the addresses of pictures are written."""
    return free_port(5300)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path, mlflow_port: int) -> Finished:
    """Four recordings and a video without a game, through every stage at its smallest."""
    folder = tmp_path_factory.mktemp("graph")
    (folder / "home").mkdir()
    shutil.copy(empty_mlflow, folder / "home" / "mlflow.db")
    profile = tiny_profile(folder / "videos")
    videos = record_folder(folder / "videos", profile)
    videos["bad"] = folder / "videos" / "no game.mp4"
    record_without_game(videos["bad"])
    mlflow_ui = f"http://127.0.0.1:{mlflow_port}"
    return Finished(folder, profile, run_graph(folder, profile, mlflow_ui), videos, mlflow_ui)
