import os
import signal
import subprocess
import sys
import time

import pytest

from emurl_pipeline.commands import COMMANDS, _settle_environment

INTERRUPTED = """
import sys, time
from pathlib import Path
import dagster as dg
from toy_stage import ToyConfig, make_toy
from emurl_pipeline import runner
from emurl_pipeline.instance import dagster_home, headless_instance
from emurl_pipeline.progress import Progress

@dg.asset
def speedrun_runs() -> dg.MaterializeResult:
    print("at work", flush=True)
    time.sleep(300)
    return dg.MaterializeResult()

with headless_instance(dagster_home(sys.argv[1])) as instance:
    try:
        runner.GraphRunner(dg.Definitions([speedrun_runs]), instance, None, None, Progress()).run()
    except KeyboardInterrupt:
        print("interrupted, runs:", *(r.status.value for r in instance.get_runs()), flush=True)
"""


def test_the_commands_cost_the_command_line_no_orchestrator():
    script = "import sys, emurl_pipeline.commands; print(sorted({'dagster', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(COMMANDS) == {"demo", "run", "report", "ui", "champion"}


def test_what_child_processes_inherit_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMURL_HOME", "my data")
    monkeypatch.setenv("EMURL_PROFILE", "mine.toml")
    for variable in ("DAGSTER_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(variable, "true")
    _settle_environment()
    assert os.environ["EMURL_HOME"] == str(tmp_path / "my data")
    assert os.environ["EMURL_PROFILE"] == str(tmp_path / "mine.toml")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_closes_the_run_in_dagster(tmp_path, number):
    folder = str(tmp_path / "dagster")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, folder], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    while "at work" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(number)
    said, _ = process.communicate(timeout=300)
    assert said.strip().splitlines()[-1] == "interrupted, runs: FAILURE"
