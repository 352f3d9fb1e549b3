"""A graph that waits in the middle of its work until it is told to go on, for a daemon that is killed meanwhile.

The folder `$WAITING` holds what the test and the steps tell each other.
"""

import os
import time
from pathlib import Path

import dagster as dg
from toy_stage import ToyConfig, make_toy

from emurl_core.artifacts import Artifact
from emurl_core.runtime import RuntimeConfig
from emurl_pipeline.materialization import Work, stage_asset
from emurl_pipeline.resources import DataHome, settings_resource
from emurl_pipeline.tracking import MlflowTracking

FOLDER = Path(os.environ.get("WAITING", "."))


class QuickConfig(dg.Config):
    """Which run it is for."""

    name: str = ""


@dg.asset
def quick(config: QuickConfig) -> dg.MaterializeResult:
    """Done in a moment, and not to be done again when only what follows was killed."""
    with (FOLDER / f"{config.name}.quick").open("a") as file:
        file.write("done\n")
    return dg.MaterializeResult()


@stage_asset(ToyConfig(), core=make_toy, group="toys", deps=["quick"], kinds={"toy"})
def toy(work: Work, config: ToyConfig) -> Artifact:
    """Says that it is at work, and waits for its turn to go on. How many steps it has tells one from another."""
    with (FOLDER / f"{config.steps}.began").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (FOLDER / f"{config.steps}.go").exists():
        time.sleep(0.05)
    return make_toy(config, work.context)


defs = dg.Definitions(
    assets=[quick, toy],
    jobs=[dg.define_asset_job("both", [quick, toy])],
    resources={
        "data": DataHome(home=str(FOLDER / "home")),
        "mlflow": MlflowTracking(enabled=False),
        "runtime": settings_resource(RuntimeConfig()),
    },
)
