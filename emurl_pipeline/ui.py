"""Two servers on this machine alone, that live and die together: Dagster's UI and MLflow's."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from emurl_core.configuration import home_folder
from emurl_pipeline.instance import dagster_home
from emurl_pipeline.mlflow_store import UI_VARIABLE, is_server, open_store, tracking_uri, ui_address

HOST = "127.0.0.1"
EVERYTHING_PAGE = "/locations/emurl_pipeline.definitions/jobs/everything"
"""Where the whole graph is launched: see `emurl_pipeline.everything`."""
_GRACE_S = 20.0


def serve(port: int, mlflow_port: int) -> int:
    """Run both servers until one ends or a signal comes; the exit status of the one that ended by itself."""
    port, mlflow_port = free_port(port), free_port(mlflow_port)
    home = home_folder()
    os.environ["DAGSTER_HOME"] = str(dagster_home())
    commands = [
        [
            sys.executable,
            "-m",
            "dagster",
            "dev",
            "-m",
            "emurl_pipeline.definitions",
            "-h",
            HOST,
            "-p",
            str(port),
            # The daemon tells of each look of each sensor: the addresses below would not stay in sight for a minute.
            "--log-level",
            "warning",
        ]
    ]
    uri = tracking_uri(home)
    # A server of somebody else's runs already.
    if not is_server(uri):
        os.environ[UI_VARIABLE] = f"http://{HOST}:{mlflow_port}"
        commands.append(_mlflow_server(uri, home, mlflow_port))
    dagster = f"http://{HOST}:{port}"
    print(f"Dagster  {dagster}/asset-groups   (answers in 10–30 s; Ctrl-C ends both)", flush=True)
    print(f"         nothing in it yet? click Materialize on {dagster}{EVERYTHING_PAGE}", flush=True)
    print(f"MLflow   {ui_address()}", flush=True)
    return run_together(commands)


def _mlflow_server(uri: str, home: Path, port: int) -> list[str]:
    # MLflow's own background jobs are for traces and scoring, of which there are none here.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    open_store(uri, home)
    return [
        *[sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"],
        *["--default-artifact-root", (home / "mlflow_artifacts").as_uri()],
        *["--host", HOST, "--port", str(port)],
    ]


def run_together(commands: Sequence[Sequence[str]]) -> int:
    """Start all; when one ends, or SIGINT or SIGTERM comes, end the others too, with all their children."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopping.append(received))
    servers: list[subprocess.Popen[bytes]] = []
    try:
        # Sessions of their own: Ctrl-C reaches this process alone, which then ends them in an orderly way.
        servers += [
            subprocess.Popen(c, start_new_session=True, preexec_fn=_default_signals) for c in commands
        ]
        while not stopping and all(s.poll() is None for s in servers):
            time.sleep(0.2)
        ended = next((s.returncode for s in servers if s.returncode is not None), 0)
    finally:
        for server in servers:
            _signal(server, signal.SIGINT)
        deadline = time.monotonic() + _GRACE_S
        for server in servers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(max(0.1, deadline - time.monotonic()))
            _signal(server, signal.SIGKILL)
    return ended


def free_port(wanted: int) -> int:
    """The wanted port, or the next one that nothing listens on."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port
    raise ValueError(
        f"found no free port from {wanted} to {wanted + 49}, expected one; give another with --port"
    )


def _signal(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number)


def _default_signals() -> None:
    # A process started from a shell's background ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
