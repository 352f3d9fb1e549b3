"""What is told of a run that failed: a line of JSON in a file, or on the standard input of a program of the user's own."""

import json
import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from emurl_core.automation import AutomationConfig

_log = logging.getLogger("emurl")


def sensor(config: AutomationConfig) -> dg.SensorDefinition:
    """`tell_of_failures`; it runs where the profile names a file or a program."""
    wanted = bool(config.failure_log or config.failure_command)

    @dg.run_failure_sensor(
        name="tell_of_failures",
        minimum_interval_seconds=config.poll_s,
        default_status=dg.DefaultSensorStatus.RUNNING if wanted else dg.DefaultSensorStatus.STOPPED,
        description="Tells of each failed run: see automation.failure_log and automation.failure_command.",
    )
    def tell_of_failures(context: dg.RunFailureSensorContext) -> None:
        tell(describe(context), config)

    return tell_of_failures


def describe(context: dg.RunFailureSensorContext) -> dict[str, Any]:
    """The failure as plain data."""
    run = context.dagster_run
    steps = {}
    for event in context.get_step_failure_events():
        failure = event.step_failure_data
        given = failure.user_failure_data
        error = failure.error
        while error is not None and error.cause is not None:
            error = error.cause
        said = given.description if given is not None and given.description else error and error.message
        steps[event.step_key or ""] = (said or "failed without a message").strip()
    return {
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": run.run_id,
        "job": run.job_name,
        "video": run.tags.get("dagster/partition"),
        "message": context.failure_event.message,
        "steps": steps,
    }


def tell(failure: Mapping[str, Any], config: AutomationConfig) -> None:
    """Write it down, and start the program. What goes wrong with that is a warning: it must not hide the failure itself."""
    line = json.dumps(failure)
    if config.failure_log:
        try:
            path = Path(config.failure_log).expanduser()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(line + "\n")
        except OSError as error:
            _log.warning("found no way to write automation.failure_log: %s; name another file", error)
    if config.failure_command:
        _start(config.failure_command, line, config.failure_command_timeout_s)


def _start(command: Sequence[str], line: str, timeout_s: float) -> None:
    # A list of arguments, and what strangers wrote (titles, addresses, a server's words) on standard input only.
    try:
        done = subprocess.run(
            [os.path.expanduser(command[0]), *command[1:]],
            input=line.encode(),
            timeout=timeout_s,
            capture_output=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("automation.failure_command did not do its work: %s", error)
        return
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        _log.warning("automation.failure_command ended with status %d: %s", done.returncode, said)
