"""Where a stage's work is done: in this process, or in a job of the library that Dagster follows through Pipes.

The setting is `execution.launcher` of the profile, in the Launchpad the resource `execution`. A job reports plain JSON lines
(`emurl_core.jobs.events`); `JobEvents` makes Pipes messages of them, so the library needs to know nothing of Dagster. Curves
go to MLflow as they come, warnings to Dagster's log, and a failure is raised here as if it had happened here.
"""

import importlib
import importlib.util
import json
import os
import shlex
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any, NoReturn

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from emurl_core.artifacts import Artifact
from emurl_core.jobs.configuration import ExecutionConfig
from emurl_core.jobs.job import OWNER_VARIABLE, Stage
from emurl_core.jobs.request import Request
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext

_LOOK_EVERY_S = 0.2
_ASK_RAY_EVERY_S = 1.0
Event = Mapping[str, Any]


class JobFailedError(ValueError):
    """A job failed and said what to do."""


def has_job(stage: str) -> bool:
    """Whether a stage can be a process of its own."""
    return importlib.util.find_spec(f"emurl_core.jobs.{stage}") is not None


def run_stage(
    dagster: dg.AssetExecutionContext,
    execution: ExecutionConfig,
    core: Callable[..., Artifact],
    arguments: Mapping[str, Any],
    context: StageContext,
) -> Artifact:
    """Call `core` with these arguments, here or in the job of the asset's name. The same arguments give the same artifact.

    Raises:
        ValueError: as `core` does.
        RuntimeError: the job was killed, or failed in a way that nobody foresaw.
    """
    if execution.launcher == "inline":
        return core(**arguments, context=context)
    published: list[str] = []

    def hear(event: Event) -> None:
        if event["event"] == "curve":
            context.sink.log(event["metrics"], event["step"])
        elif event["event"] == "result":
            published.append(event["artifact"])

    run_job(dagster, execution, dagster.asset_key.to_user_string(), arguments, context, hear)
    return context.store.by_id(published[-1])


def run_job(
    dagster: dg.AssetExecutionContext | dg.OpExecutionContext,
    execution: ExecutionConfig,
    name: str,
    arguments: Mapping[str, Any],
    context: StageContext,
    hear: Callable[[Event], None],
) -> None:
    """Run `emurl_core.jobs.<name>` where the setting says, until it ends. `hear` gets each event as it comes.

    Raises: as `run_stage`.
    """
    folder = context.store.home / "work" / "jobs" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    file, events = folder / "job.json", folder / "events.jsonl"
    events.touch()
    on_ray = execution.launcher == "ray"
    Request(context.store.home, arguments, context.runtime, events, on_ray).write(file)
    stage: Stage = importlib.import_module(f"emurl_core.jobs.{name}").STAGE
    reader = JobEvents(events, hear)
    words = ["-m", f"emurl_core.jobs.{name}", "--config", str(file)]
    try:
        if on_ray:
            _on_ray(dagster, execution, stage, words, reader)
        else:
            _here(dagster, execution, stage, words, reader, context.runtime)
    except (DagsterPipesExecutionError, RuntimeError) as error:
        reader.explain(name, error)
    finally:
        rmtree(folder, ignore_errors=True)


def processes(execution: ExecutionConfig, runtime: RuntimeConfig) -> int:
    """How many processes train together on this machine."""
    if execution.launcher != "torchrun":
        return 1
    if execution.processes or runtime.device == "cpu":
        return max(1, execution.processes)
    import torch

    return max(1, torch.cuda.device_count())


class JobEvents(dg.PipesMessageReader):
    """Follows a job's events and hands them on: as Pipes messages to Dagster, and as they are to `hear`."""

    def __init__(self, path: Path, hear: Callable[[Event], None]) -> None:
        self._path, self._hear = path, hear
        self._opened: set[int] = set()
        self._failures: list[Event] = []

    @contextmanager
    def read_messages(self, handler: Any) -> Iterator[dict[str, Any]]:
        """Follow the file while the block runs. What a job writes to is in its request; it is told nothing more."""
        ended = threading.Event()
        follower = threading.Thread(
            target=self._follow, args=(handler, ended), name="job events", daemon=True
        )
        follower.start()
        try:
            yield {"path": str(self._path)}
        finally:
            ended.set()
            follower.join()
            if self._opened:
                handler.handle_message(_message("closed", {}))

    @property
    def expected_writer_count(self) -> int:
        """All ranks write to one file."""
        return 1

    def no_messages_debug_text(self) -> str:
        """Where to look when nothing came."""
        return f"Followed the events of the job in {self._path}."

    def explain(self, name: str, error: Exception) -> NoReturn:
        """Raise what a job that ended badly died of."""
        for failure in self._failures:
            if failure["foreseen"]:
                raise JobFailedError(failure["message"]) from error
        silent = sorted(self._opened - {f["rank"] for f in self._failures})
        if silent and len(self._opened) > 1:
            who = ", ".join(f"rank {rank}" for rank in silent)
            said = f"found {who} of {len(self._opened)} ended without a word"
        elif self._failures:
            raise RuntimeError(f"the job {name} failed:\n{self._failures[0]['message']}") from error
        else:
            said = f"found that it ended without a word ({error})"
        raise RuntimeError(
            f"the job {name}: {said}, expected an artifact or a reason; it was killed, or memory ran out: its own output tells "
            "more. Run it again: a training goes on from its last resume state"
        ) from error

    def _follow(self, handler: Any, ended: threading.Event) -> None:
        with self._path.open() as file:
            rest = ""
            while True:
                last = ended.is_set()
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    self._take(json.loads(line), handler)
                if last:
                    return
                ended.wait(_LOOK_EVERY_S)

    def _take(self, event: Event, handler: Any) -> None:
        kind = event["event"]
        if kind == "opened":
            if not self._opened:
                handler.handle_message(_message("opened", {"extras": {}}))
            self._opened.add(event["rank"])
        elif kind == "warning":
            handler.handle_message(_message("log", {"message": event["message"], "level": "WARNING"}))
        elif kind == "failed":
            self._failures.append(event)
        elif kind == "result":
            handler.handle_message(_message("report_custom_message", {"payload": dict(event)}))
        self._hear(event)


def _message(method: str, params: dict[str, Any]) -> Any:
    from dagster_pipes import PIPES_PROTOCOL_VERSION, PIPES_PROTOCOL_VERSION_FIELD

    return {PIPES_PROTOCOL_VERSION_FIELD: PIPES_PROTOCOL_VERSION, "method": method, "params": params}


def _here(
    dagster: Any,
    execution: ExecutionConfig,
    stage: Stage,
    words: list[str],
    reader: JobEvents,
    runtime: RuntimeConfig,
) -> None:
    count = processes(execution, runtime) if stage.trains else 1
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [sys.executable, *(torchrun if count > 1 else []), *words]
    client = dg.PipesSubprocessClient(message_reader=reader)
    client.run(context=dagster, command=command, env={OWNER_VARIABLE: str(os.getpid())})


def _on_ray(
    dagster: Any, execution: ExecutionConfig, stage: Stage, words: list[str], reader: JobEvents
) -> None:
    try:
        from dagster_ray import PipesRayJobClient
    except ImportError as error:
        raise JobFailedError(
            f'found no package {error.name!r}, expected it for execution.launcher = "ray"; install it with '
            "`pip install 'emurl[ray]'`, here and on the cluster, or choose another launcher"
        ) from error
    # Relative paths in settings mean this folder, on a cluster too: it shares the disk.
    command = shlex.join([execution.ray_python or sys.executable, *words])
    client = PipesRayJobClient(
        address=execution.ray_address, message_reader=reader, poll_interval=_ASK_RAY_EVERY_S
    )
    try:
        # Made when first asked for: it connects.
        _ = client.client
    except (OSError, RuntimeError) as error:
        raise JobFailedError(
            f"found no Ray cluster that takes jobs at execution.ray_address = {execution.ray_address!r} "
            f"({str(error).strip().splitlines()[0]}), expected the address of its dashboard; start one with `ray start --head`, "
            "or correct the address. A cluster with tokens wants RAY_AUTH_MODE=token and its token here too"
        ) from error
    client.run(
        context=dagster,
        submit_job_params={
            "entrypoint": f"cd {shlex.quote(os.getcwd())} && exec {command}",
            "entrypoint_num_cpus": execution.ray_cpus,
            "entrypoint_num_gpus": execution.ray_gpus if stage.gpu else 0.0,
        },
    )
