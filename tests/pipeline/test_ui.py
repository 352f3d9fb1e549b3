"""`emurl ui` in a real browser, on what a headless run made."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from served_ui import Served, open_browser, serve_ui

from emurl_pipeline.ui import free_port, run_together

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def served(finished, mlflow_port, tmp_path_factory) -> Iterator[Served]:
    screenshots = Path(os.environ.get("EMURL_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    with serve_ui(finished.folder, mlflow_port, screenshots) as served:
        yield served


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with open_browser() as page:
        yield page


@pytest.mark.timeout(1500)
def test_the_graph_shows_every_asset_as_materialized(page, served):
    page.goto(served.dagster + "/asset-groups")
    page.get_by_text("evaluation").first.wait_for()
    page.keyboard.press("Alt+e")
    for asset in ("speedrun_runs", "video_metadata", "frame_dataset", "reward_model"):
        page.get_by_text(asset, exact=True).first.wait_for()
    time.sleep(3)
    page.screenshot(path=served.screenshots / "graph.png")
    assert page.get_by_text("Join the Dagster community").count() == 0


@pytest.mark.timeout(1500)
def test_the_reward_model_shows_its_pictures_in_place(page, served):
    page.goto(served.dagster + "/assets/reward_model")
    picture = page.locator("img[alt=progress_curve]").first
    picture.wait_for()
    # Looked up each time: the page replaces its elements when fresh data come in.
    page.wait_for_function(
        "[...document.querySelectorAll('img[alt=progress_curve]')].some(i => i.complete && i.naturalWidth > 100)"
    )
    page.screenshot(path=served.screenshots / "reward_model.png")
    picture.scroll_into_view_if_needed()
    page.screenshot(path=served.screenshots / "reward_model_pictures.png")
    page.get_by_text("reward_gate").or_(page.get_by_text("Latest check results")).first.wait_for()


@pytest.mark.timeout(1500)
def test_its_mlflow_run_is_one_click_away(page, served):
    page.goto(served.dagster + "/assets/reward_model")
    link = page.locator(f"a[href^='{served.mlflow}/#/experiments']").first
    link.wait_for()
    page.goto(link.get_attribute("href"))
    page.get_by_text("kendall_tau_median").first.wait_for()
    time.sleep(2)
    page.screenshot(path=served.screenshots / "mlflow_run.png")


@pytest.mark.timeout(1500)
def test_the_launchpad_shows_the_defaults_of_the_profile(page, served):
    page.goto(served.dagster + "/locations/emurl_pipeline.definitions/jobs/train/playground")
    page.get_by_text("context_frames").first.wait_for()
    page.screenshot(path=served.screenshots / "launchpad.png")


@pytest.mark.timeout(1500)
def test_both_servers_and_all_their_children_listen_on_loopback_alone(served):
    listening = listening_sockets()
    found: dict[int, str] = {}
    for pid in family(served.process.pid):
        for held in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                inode = os.readlink(held).removeprefix("socket:[").rstrip("]")
                if inode in listening:
                    address, port = listening[inode]
                    found[port] = address
    assert {urlsplit(address).port for address in (served.dagster, served.mlflow)} <= set(found)
    # As the kernel writes them, the lowest byte first.
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert set(found.values()) <= loopback, found


def listening_sockets() -> dict[str, tuple[str, int]]:
    """Address and port of every TCP socket of this machine that waits for connections, by its inode."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == "0A":
                found[fields[9]] = (address, int(port, 16))
    return found


def family(root: int) -> set[int]:
    """A process and all that come from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    members = {root}
    while new := {pid for pid, parent in parents.items() if parent in members} - members:
        members |= new
    return members


def test_two_servers_die_together():
    port = free_port(3700)
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    previous = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    try:
        status = run_together(
            [server, [sys.executable, "-c", "import time; time.sleep(3); raise SystemExit(5)"]]
        )
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), previous, strict=True):
            signal.signal(number, handler)
    assert status == 5
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the other server is still there"


def test_a_port_in_use_gives_the_next_one():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        assert free_port(taken) > taken
