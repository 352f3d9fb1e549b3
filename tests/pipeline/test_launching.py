"""The same stage in the graph's own process, in a job, and over two torchrun ranks: one artifact, one curve, clear failures."""

import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from tile_speedruns import tile_dataset
from tiny_models import TINY_TOKENIZER, quiet_context

from emurl_core.artifacts import ArtifactStore
from emurl_core.game import GameConfig
from emurl_core.jobs.configuration import ExecutionConfig
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_pipeline.definitions import build

pytestmark = pytest.mark.long

QUICK = TINY_TOKENIZER.model_copy(
    update={"steps": 20, "unquantised_steps": 5, "validate_every": 10, "emulator_share": 0.0, "gate_codes_used": 0.0, "gate_over_kmeans": -1.0}
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A home with a dataset, for copying."""
    home = tmp_path_factory.mktemp("launching") / "home"
    tile_dataset(quiet_context(home), home.parent)
    shutil.copy(empty_mlflow, home / "mlflow.db")
    return home


def train(home: Path, instance: dg.DagsterInstance, **chosen: Any) -> dg.ExecuteInProcessResult:
    """Materialize the tokenizer with this profile."""
    profile = Profile(runtime=RuntimeConfig(device="cpu", threads=1), **{"tokenizer": QUICK, **chosen})
    job = build(profile, home).resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey("tokenizer")]
    return job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)


def curve(home: Path, name: str) -> list[tuple[int, float]]:
    """What the newest MLflow run of the tokenizer holds of a curve."""
    with sqlite3.connect(home / "mlflow.db") as db:
        (run,) = db.execute("select run_uuid from runs order by start_time desc limit 1").fetchone()
        return db.execute(
            "select step, value from metrics where run_uuid = ? and key = ? order by step", [run, name]
        ).fetchall()


def why(result: dg.ExecuteInProcessResult) -> str:
    (failed,) = [e for e in result.all_events if e.is_step_failure]
    data = failed.step_failure_data
    return data.user_failure_data.description if data.user_failure_data else data.error.to_string()


def test_every_launcher_gives_the_same_artifact_and_the_same_curve(
    prepared: Path, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = {}
    for launcher in ("inline", "subprocess", "torchrun"):
        home = tmp_path / launcher
        shutil.copytree(prepared, home)
        result = train(home, instance, execution=ExecutionConfig(launcher=launcher, processes=2))
        assert result.success, why(result)
        (made,) = result.asset_materializations_for_node("tokenizer")
        artifact = ArtifactStore(home).get("tokenizer")
        assert made.tags["dagster/data_version"] == artifact.version
        assert made.metadata["reused"].value is False
        assert not (home / "work" / "jobs").exists() or not list((home / "work" / "jobs").iterdir())
        found[launcher] = artifact.version, curve(home, "tokenizer/loss"), artifact.tensors()
    version, losses, weights = found["inline"]
    assert len(losses) == QUICK.steps
    for launcher, tolerance in (("subprocess", 1e-7), ("torchrun", 1e-4)):
        other_version, other_losses, other_weights = found[launcher]
        assert other_version == version
        assert [s for s, _ in other_losses] == [s for s, _ in losses]
        assert [v for _, v in other_losses] == pytest.approx([v for _, v in losses], rel=tolerance)
        for name, tensor in weights.items():
            assert (tensor.float() - other_weights[name].float()).abs().max() <= tolerance, (launcher, name)


def test_what_a_job_says_to_do_is_the_reason_of_the_failure(
    prepared: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    shutil.copytree(prepared, tmp_path / "home")
    result = train(
        tmp_path / "home",
        instance,
        execution=ExecutionConfig(launcher="subprocess"),
        game=GameConfig(game="rom", rom=str(tmp_path / "no.gb")),
        tokenizer=QUICK.model_copy(update={"emulator_share": 0.5}),
    )
    assert not result.success
    assert "no.gb" in why(result)
    assert "Traceback" not in why(result)


@pytest.mark.parametrize("launcher", ["subprocess", "torchrun"])
def test_a_killed_job_is_told_as_such_and_publishes_nothing(
    launcher: Any, prepared: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    home = tmp_path / "home"
    shutil.copytree(prepared, home)
    kill = threading.Thread(target=_kill_once_it_trains, args=(home,))
    kill.start()
    long = QUICK.model_copy(update={"steps": 100_000})
    execution = ExecutionConfig(launcher=launcher, processes=2)
    result = train(home, instance, execution=execution, tokenizer=long)
    kill.join()
    assert not result.success
    assert "the job tokenizer: found " in why(result)
    assert "ended without a word" in why(result)
    assert ("rank " in why(result)) == (launcher == "torchrun")
    assert ArtifactStore(home).find("tokenizer") is None


def _kill_once_it_trains(home: Path) -> None:
    """Kill the rank that opened last. In any case after two minutes: else a job would go on for ever."""
    until, trains, opened = time.monotonic() + 120, False, list[int]()
    while not trains and time.monotonic() < until:
        time.sleep(0.1)
        for file in (home / "work" / "jobs").glob("*/events.jsonl"):
            events = [json.loads(line) for line in file.read_text().splitlines()]
            trains = any(e["event"] == "curve" for e in events)
            opened = [e["pid"] for e in events if e["event"] == "opened"]
    os.kill(opened[-1], signal.SIGKILL)
