"""A fresh home in a real browser: the whole graph is started by clicks, and its pictures and its MLflow run are opened."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from recordings import record_folder
from served_ui import Served, open_browser, serve_ui
from tiny_profile import tiny_profile, write_profile

from emurl_pipeline.ui import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

WAIT_S = 2400
"""Far above what it takes on an idle machine: three minutes."""
STATUSES = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Videos and a profile; neither data nor anything of Dagster's or MLflow's."""
    profile = tiny_profile(tmp_path / "videos")
    record_folder(tmp_path / "videos", profile)
    # One that can't be had must not stop the others.
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    write_profile(tmp_path / "tiny.toml", profile)
    screenshots = Path(os.environ.get("EMURL_SCREENSHOTS") or tmp_path / "screenshots")
    environment = {"EMURL_PROFILE": str(tmp_path / "tiny.toml"), "OMP_NUM_THREADS": "1"}
    with serve_ui(tmp_path, free_port(5400), screenshots, **environment) as served:
        yield served


@pytest.fixture
def page(served: Served) -> Iterator[Any]:
    with open_browser() as page:
        yield page


def test_a_fresh_home_is_filled_by_two_clicks_and_shows_what_it_made(page, served, tmp_path):
    # The graph opens at once. The first asset says what to do, beside "Materialize all", which has no video to offer yet.
    page.goto(served.dagster + "/asset-groups")
    page.get_by_text("evaluation").first.wait_for()
    page.keyboard.press("Alt+e")
    page.get_by_text("speedrun_runs", exact=True).first.click()
    link = page.get_by_role("link", name="job everything")
    link.wait_for()
    page.screenshot(path=served.screenshots / "fresh_graph.png")
    link.click()
    page.get_by_text("Begin here on a fresh home").first.wait_for()
    page.screenshot(path=served.screenshots / "fresh_job.png")
    page.get_by_role("button", name="Materialize").click()

    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        runs = _wait_until_trained(instance)
    trained = next(run for run in runs if run.job_name == "train")
    assert trained.status == dg.DagsterRunStatus.SUCCESS
    videos = [run.status.value for run in runs if run.job_name == "collect"]
    assert sorted(videos) == ["FAILURE", *["SUCCESS"] * 4]

    page.goto(served.dagster + "/asset-groups")
    page.get_by_text("evaluation").first.wait_for()
    # The page remembers which groups are open; the key that opens all of them would close them again.
    page.get_by_text("reward_model", exact=True).first.wait_for()
    time.sleep(5)
    page.screenshot(path=served.screenshots / "filled_graph.png")

    page.goto(served.dagster + "/assets/reward_model")
    page.locator("img[alt=progress_curve]").first.wait_for()
    # Looked up each time: the page replaces its elements when fresh data come in.
    page.wait_for_function(
        "[...document.querySelectorAll('img[alt=progress_curve]')].some(i => i.complete && i.naturalWidth > 0)"
    )
    page.locator("img[alt=progress_curve]").first.scroll_into_view_if_needed()
    page.screenshot(path=served.screenshots / "filled_reward_model.png")

    run = page.locator(f"a[href^='{served.mlflow}/#/experiments']").first
    run.wait_for()
    page.goto(run.get_attribute("href"))
    page.get_by_text("kendall_tau_median").first.wait_for()
    page.screenshot(path=served.screenshots / "filled_mlflow_run.png")


def _wait_until_trained(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """All runs, when the one of the job `train` is over."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        runs = list(instance.get_runs())
        if any(run.job_name == "train" and run.status in STATUSES for run in runs):
            return runs
        assert not any(run.job_name == "everything" and run.is_failure for run in runs)
        time.sleep(2)
    raise AssertionError(
        f"not in {WAIT_S} s: {[(run.job_name, run.status.value) for run in instance.get_runs()]}"
    )
