"""`emurl ui` as a process of its own, and a browser to look at it."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emurl_pipeline.ui import free_port

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 500
RUN_UI = (
    "import sys; from emurl_pipeline.commands import ui; sys.exit(ui(int(sys.argv[1]), int(sys.argv[2])))"
)


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    dagster: str
    mlflow: str
    screenshots: Path


@contextmanager
def serve_ui(folder: Path, mlflow_port: int, screenshots: Path, **environment: str) -> Iterator[Served]:
    """The UI on `folder/home` and `folder/dagster`, until the end of the block.

    Args:
        environment: further variables of its process.
    """
    if CHROMIUM is None:
        pytest.skip(
            "looking at the UI needs a browser: found no `chromium` on the path; install Debian's package"
        )
    screenshots.mkdir(parents=True, exist_ok=True)
    port = free_port(3300)
    homes = {"EMURL_HOME": str(folder / "home"), "DAGSTER_HOME": str(folder / "dagster")}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_UI, str(port), str(mlflow_port)],
        env=os.environ | homes | environment,
        start_new_session=True,
        cwd=folder,
    )
    try:
        served = Served(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{mlflow_port}", screenshots)
        _wait_for(served.dagster + "/server_info", process)
        _wait_for(served.mlflow + "/health", process)
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@contextmanager
def open_browser() -> Iterator[Any]:
    """An empty page of a real browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1100})
        page.set_default_timeout(90_000)
        yield page
        browser.close()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, "the UI ended by itself"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"{address} did not answer in {START_S} s")
