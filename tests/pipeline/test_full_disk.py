"""A disk that fills up under the whole graph: data, MLflow and Dagster's own storage on one small real file system."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import torch
from toy_stage import ToyConfig, make_toy

from emurl_core.artifacts import Artifact, ArtifactStore, version_of
from emurl_core.artifacts.store import Draft
from emurl_core.stage import StageContext
from emurl_core.training import checkpoint

MEGABYTE = 1_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """64 megabytes, at the place of the data folder."""
    home = tmp_path / "home"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(home)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk needs root: {mounted.stderr.strip()}")
    yield home
    subprocess.run(["umount", "-l", str(home)], check=True)


@pytest.fixture
def instance(disk: Path) -> Iterator[dg.DagsterInstance]:
    """On the same disk."""
    (disk / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(disk / "dagster")) as instance:
        yield instance


def leave_free(disk: Path, size: int) -> Path:
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    with ballast.open("wb") as file:
        file.write(bytes(max(0, free - size)))
    return ballast


def draw(config: ToyConfig, context: StageContext, fill: Callable[[Draft], object]) -> Artifact:
    """A toy with forty megabytes in it."""
    version = version_of(config, "large")
    if (existing := context.store.reuse("toy", version)) is not None:
        return existing
    with context.store.draft("toy", version, config=config, code_version="7") as draft:
        fill(draft)
        draft.facts["good"] = True
    return context.store.get("toy", version)


def large_file(config: ToyConfig, context: StageContext) -> Artifact:
    """As pictures and tables are written."""
    return draw(config, context, lambda draft: (draft.path / "large").write_bytes(bytes(40 * MEGABYTE)))


def large_weights(config: ToyConfig, context: StageContext) -> Artifact:
    """As models are written."""
    return draw(config, context, lambda draft: draft.save_tensors({"w": torch.zeros(10 * MEGABYTE)}))


def large_resume_state(config: ToyConfig, context: StageContext) -> Artifact:
    """As a training keeps how far it is."""
    model = torch.nn.Linear(10 * MEGABYTE, 1)
    optimizer = torch.optim.SGD(model.parameters())
    checkpoint.save(context.store.work("toy", "state"), model, optimizer, checkpoint.Progress(), None)
    return make_toy(config, context)


@pytest.mark.parametrize("core", [large_file, large_weights, large_resume_state])
def test_a_stage_that_fills_the_disk_says_so_and_is_finished_by_the_next_run(
    disk: Path, instance: dg.DagsterInstance, materialize_toy: Any, core: Any
) -> None:
    ballast = leave_free(disk, 20 * MEGABYTE)
    result = materialize_toy(core=core)
    (failed,) = [e for e in result.all_events if e.is_step_failure]
    assert failed.step_failure_data.user_failure_data is not None
    said = failed.step_failure_data.user_failure_data.description
    assert "the disk is full" in said
    assert "EMURL_HOME" in said
    store = ArtifactStore(disk)
    assert list(store.everything()) == [], "nothing half-published"
    assert not list(store.root.glob(".staging-*")), "what was half-written is gone"
    assert instance.get_latest_materialization_event(dg.AssetKey("toy")) is None
    ballast.unlink()
    assert materialize_toy(core=core).success
    store.get("toy").verify()


def test_not_a_byte_left_even_for_dagster_itself(
    disk: Path, instance: dg.DagsterInstance, materialize_toy: Any
) -> None:
    assert materialize_toy(steps=3).success
    before = {a.id for a in ArtifactStore(disk).everything()}
    ballast = leave_free(disk, 0)
    with pytest.raises(Exception, match=r"full|disk I/O error"):
        materialize_toy(steps=4)
    assert {a.id for a in ArtifactStore(disk).everything()} == before
    assert ArtifactStore(disk).get("toy").config["steps"] == 3, "the last good one stays the current one"
    ballast.unlink()
    assert materialize_toy(steps=4).success
    made = ArtifactStore(disk).get("toy")
    made.verify()
    assert made.config["steps"] == 4
