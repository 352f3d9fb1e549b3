"""A failed run is told to a file and to a program, as data and never through a shell."""

import json
import sys
from pathlib import Path

import dagster as dg
import pytest

from emurl_core.automation import AutomationConfig
from emurl_pipeline.failures import sensor, tell

NASTY = '$(touch owned); `touch owned`\n"quoted" & more'
COMMAND = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"


def failed(instance: dg.DagsterInstance, config: AutomationConfig) -> None:
    """Run a job that fails, and let the sensor see it."""

    @dg.op
    def step() -> None:
        raise dg.Failure(NASTY)

    @dg.job
    def sad() -> None:
        step()

    result = sad.execute_in_process(instance=instance, raise_on_error=False)
    (event,) = [e for e in result.all_events if e.is_run_failure]
    context = dg.build_run_status_sensor_context(
        sensor_name="tell_of_failures",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    )
    sensor(config)(context.for_run_failure())


def test_a_failure_goes_to_the_file_and_to_the_program_word_by_word(instance, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = AutomationConfig(
        failure_log=str(tmp_path / "logs" / "failures.jsonl"),
        failure_command=(sys.executable, "-c", COMMAND, str(tmp_path / "told.json")),
    )
    failed(instance, config)
    failed(instance, config)
    lines = [json.loads(line) for line in Path(config.failure_log).read_text().splitlines()]
    assert [line["job"] for line in lines] == ["sad", "sad"]
    assert lines[0]["steps"] == {"step": NASTY}
    assert json.loads((tmp_path / "told.json").read_text()) == lines[1]
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "command", [("/no/such/program",), (sys.executable, "-c", "import time; time.sleep(60)")]
)
def test_a_program_that_does_not_work_is_a_warning(command, caplog):
    tell({"run_id": "1"}, AutomationConfig(failure_command=command, failure_command_timeout_s=1.0))
    assert "automation.failure_command" in caplog.text


def test_the_sensor_runs_only_where_there_is_something_to_tell():
    assert sensor(AutomationConfig()).default_status == dg.DefaultSensorStatus.STOPPED
    assert sensor(AutomationConfig(failure_log="x")).default_status == dg.DefaultSensorStatus.RUNNING
