"""A graph that waits in the middle of its work until it is told to go on, for a daemon that is killed meanwhile.

The folder `$WAITING` holds what the test and the steps tell each other.
"""

import os
import time
from collections.abc import Iterator
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


both = dg.define_asset_job("both", [quick, toy], executor_def=dg.in_process_executor)
# Each step in a process of its own, as in the real graph.
both_apart = dg.define_asset_job("both_apart", [quick, toy], executor_def=dg.multiprocess_executor)


@dg.sensor(jobs=[both, both_apart], default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=1)
def wanted() -> Iterator[dg.RunRequest]:
    """A run for each file `<number>.wanted`, which says of which job."""
    for path in sorted(FOLDER.glob("*.wanted")):
        number = path.name.partition(".")[0]
        config = {"quick": {"config": {"name": number}}, "toy": {"config": {"steps": int(number)}}}
        yield dg.RunRequest(run_key=number, job_name=path.read_text(), run_config={"ops": config})


defs = dg.Definitions(
    assets=[quick, toy],
    sensors=[wanted],
    jobs=[both, both_apart],
    resources={
        "data": DataHome(home=str(FOLDER / "home")),
        "mlflow": MlflowTracking(enabled=False),
        "runtime": settings_resource(RuntimeConfig()),
    },
)
