"""What every test shares: a store in a temporary home, and threads that leave the other core alone."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from emurl_core.artifacts import ArtifactStore
from emurl_core.stage import StageContext

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the data of the person who runs it."""
    monkeypatch.setenv("EMURL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EMURL_PROFILE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(ArtifactStore(tmp_path / "home"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk needs root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take a minute come first, or one process is left alone with the last of them."""
    items.sort(key=lambda item: "long" not in item.keywords)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In continuous integration only a GPU may be missing: every other skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    unexpected = [r for r in reporter.stats.get("skipped", []) if "gpu" not in r.keywords]
    if unexpected and session.exitstatus == pytest.ExitCode.OK:
        names = ", ".join(r.nodeid for r in unexpected)
        reporter.write_line(
            f"\nskipped in continuous integration: {names}; install what they need in .ci/run", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
