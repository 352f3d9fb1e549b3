"""The commands that need the orchestrator: `emurl demo`, `emurl run`, `emurl report`, `emurl champion` and `emurl ui`.

They join the library's command line through the entry-point group `emurl.commands`. What is imported here is imported
by every `emurl` command, so Dagster and MLflow are imported in the functions only.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro

from emurl_core.artifacts import ArtifactStore
from emurl_core.configuration import HOME_VARIABLE, home_folder
from emurl_core.profiles import PROFILE_VARIABLE, load_profile


def demo() -> int:
    """Run the whole graph on the embedded game, on two cores in minutes. Ends with a table and a report; goes on where it was interrupted."""
    os.environ[PROFILE_VARIABLE] = "demo"
    return run()


def run(profile: str | None = None) -> int:
    """Run the whole graph of a profile without a UI: scrape, videos, frames, dataset, models, agent, evaluation, report.

    Args:
        profile: name or .toml file; the one given before the command (or $EMURL_PROFILE) if left out.
    """
    began = time.perf_counter()
    if profile:
        os.environ[PROFILE_VARIABLE] = profile
    _settle_environment()
    chosen = load_profile()
    from emurl_pipeline.definitions import build
    from emurl_pipeline.instance import dagster_home, headless_instance
    from emurl_pipeline.progress import Progress
    from emurl_pipeline.runner import GraphRunner
    from emurl_pipeline.summary import finish

    store = ArtifactStore()
    progress = Progress()
    home = dagster_home()
    progress.say(f"profile {os.environ[PROFILE_VARIABLE]}, data in {store.home}, Dagster in {home}")
    with headless_instance(home) as instance:
        outcome = GraphRunner(build(chosen), instance, store, chosen, progress).run()
    return finish(outcome, store, time.perf_counter() - began)


def report() -> int:
    """Write the HTML report of the data folder again."""
    from emurl_pipeline.report import write_report

    print(write_report(ArtifactStore()))
    return 0


def ui(port: int = 3000, mlflow_port: int = 5000) -> int:
    """Open Dagster's UI and MLflow's on this machine alone, on what `demo` and `run` made. Ctrl-C ends both.

    Args:
        port: of Dagster's UI; the next free one is taken if it is in use.
        mlflow_port: of MLflow's UI; likewise.
    """
    _settle_environment()
    from emurl_pipeline.ui import serve

    return serve(port, mlflow_port)


def champion(chosen: Annotated[str | None, tyro.conf.arg(name="set")] = None, reason: str = "") -> int:
    """Show the champion of each game: the policy that others have to beat. Sets MLflow's aliases accordingly.

    Args:
        chosen: version of a policy, or the start of one, that becomes the champion by hand.
        reason: why, in a sentence; it is kept.
    """
    _settle_environment()
    from emurl_pipeline.champions import crown, show

    store = ArtifactStore()
    if chosen is not None:
        crown(store, chosen, reason)
    return show(store)


def _settle_environment() -> None:
    """Make what child processes inherit absolute and quiet."""
    os.environ[HOME_VARIABLE] = str(home_folder())
    chosen = os.environ.get(PROFILE_VARIABLE) or "demo"
    os.environ[PROFILE_VARIABLE] = str(Path(chosen).resolve()) if chosen.endswith(".toml") else chosen
    for variable in ("DAGSTER_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY"):
        os.environ.setdefault(variable, "true")


COMMANDS: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "run": run,
    "report": report,
    "ui": ui,
    "champion": champion,
}
