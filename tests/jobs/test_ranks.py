"""Trainings over two real torchrun ranks: the same curve as one process, and what happens when things go wrong."""

import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from killing import train_and_kill
from starting import ONE_THREAD, Started
from tile_speedruns import tile_dataset
from tiny_models import TINY_DYNAMICS, TINY_REWARDS, TINY_TOKENIZER, quiet_context

from emurl_core import ranks
from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.dynamics import train_dynamics
from emurl_core.jobs.events import Events
from emurl_core.jobs.policy import STAGE as POLICY
from emurl_core.jobs.request import Request
from emurl_core.reward import train_reward
from emurl_core.stage import StageContext
from emurl_core.tokenizer import train_tokenizer
from emurl_core.training import TrainingError
from emurl_core.training.loop import fit

pytestmark = pytest.mark.long

Shared = tuple[Path, Artifact, Artifact]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A home with a dataset and a tokenizer, for copying."""
    home = tmp_path_factory.mktemp("ranks") / "home"
    context = quiet_context(home)
    dataset = tile_dataset(context, home.parent)
    config = TINY_TOKENIZER.model_copy(update={"steps": 10, "unquantised_steps": 1})
    return home, dataset, train_tokenizer(dataset, config, context)


@pytest.fixture
def homes(shared: Shared, tmp_path: Path) -> tuple[Path, Path]:
    """Two equal ones."""
    one, two = tmp_path / "one", tmp_path / "two"
    shutil.copytree(shared[0], one)
    shutil.copytree(shared[0], two)
    return one, two


class Curves:
    """The curves of a training in this process."""

    def __init__(self, home: Path) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.context = StageContext(ArtifactStore(home), self, ONE_THREAD)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.points.append((step, dict(metrics)))

    def curve(self, name: str) -> dict[int, float]:
        return {step: found[name] for step, found in self.points if name in found}


def assert_same_curve(alone: Curves, together: Started, name: str, tolerance: float, points: int) -> None:
    expected, found = alone.curve(name), together.curve(name)
    assert list(expected) == list(found)
    assert len(expected) >= points
    assert [found[s] for s in expected] == pytest.approx(
        list(expected.values()), rel=tolerance, abs=tolerance, nan_ok=True
    )


def test_two_ranks_train_a_tokenizer_along_the_curve_of_one_process(
    shared: Shared, homes: tuple[Path, Path]
) -> None:
    config = TINY_TOKENIZER.model_copy(update={"revive_after": 5})
    arguments = {"dataset": shared[1], "config": config}
    alone = Curves(homes[0])
    train_tokenizer(shared[1], config, alone.context)
    together = Started("tokenizer", homes[1], arguments, ranks=2).finish()
    assert together.status == 0, together.err[-2000:]
    assert {e["rank"] for e in together.events if e["event"] == "opened"} == {0, 1}
    for name in ("loss", "gradient_norm", "validation_wrong_shades"):
        assert_same_curve(alone, together, f"tokenizer/{name}", 1e-4, 5)
    one, two = (ArtifactStore(home).get("tokenizer").tensors() for home in homes)
    for name, tensor in one.items():
        assert torch.allclose(tensor, two[name], atol=1e-4), name
    assert list((homes[1] / "work" / "tokenizer").glob("*")) == []

    again = Started("tokenizer", homes[1], arguments, ranks=2).finish()
    assert again.status == 0, "ranks that find all published must leave"
    assert again.curve("tokenizer/loss") == {}


def test_batch_statistics_and_weights_are_those_of_the_whole_batch(
    shared: Shared, homes: tuple[Path, Path]
) -> None:
    # Without random draws in training. Few steps: a net this small with batches this small is chaotic.
    config = TINY_REWARDS["global"].model_copy(
        update={"max_shift_px": 0, "shade_noise": 0.0, "steps": 6, "learning_rate": 3e-4, "validate_every": 0}
    )
    alone = Curves(homes[0])
    train_reward(shared[1], config, alone.context)
    arguments = {"dataset": shared[1], "config": config}
    together = Started("reward_model", homes[1], arguments, ranks=2).finish()
    assert together.status == 0, together.err[-2000:]
    assert_same_curve(alone, together, "reward/loss", 1e-4, 6)
    one, two = (ArtifactStore(home).get("reward_model").tensors() for home in homes)
    for name in (n for n in one if "running" in n):
        assert torch.allclose(one[name], two[name], rtol=1e-3, atol=1e-4), name


def test_two_ranks_go_on_from_where_one_process_was_killed(shared: Shared, homes: tuple[Path, Path]) -> None:
    _, dataset, tokenizer = shared
    expected = train_dynamics(dataset, tokenizer, TINY_DYNAMICS, quiet_context(homes[0]))
    work = homes[1] / "work" / "dynamics" / expected.version
    train_and_kill("train_dynamics_slowly", homes[1], work, steps=60)
    arguments = {"dataset": dataset, "tokenizer": tokenizer, "config": TINY_DYNAMICS}
    resumed = Started("dynamics", homes[1], arguments, ranks=2).finish()
    assert resumed.status == 0, resumed.err[-2000:]
    assert min(resumed.curve("dynamics/loss")) >= 60
    found = ArtifactStore(homes[1]).get("dynamics")
    assert found.version == expected.version
    for name, tensor in expected.tensors().items():
        one, two = tensor, found.tensors()[name]
        if name.endswith("attention_in.bias"):
            # A bias of all keys changes no attention: its gradient is rounding, of which Adam makes whole steps.
            one, two = (torch.cat([b.chunk(3)[0], b.chunk(3)[2]]) for b in (one, two))
        assert torch.allclose(one, two, atol=1e-4), name


def test_a_rank_that_dies_ends_the_job_and_nothing_is_published(
    shared: Shared, homes: tuple[Path, Path]
) -> None:
    _, dataset, tokenizer = shared
    long = TINY_DYNAMICS.model_copy(update={"steps": 100_000})
    job = Started("dynamics", homes[0], {"dataset": dataset, "tokenizer": tokenizer, "config": long}, ranks=2)
    while not job.curve("dynamics/loss"):
        assert job.process.poll() is None
        time.sleep(0.1)
    pids = {e["rank"]: e["pid"] for e in job.events if e["event"] == "opened"}
    os.kill(pids[1], signal.SIGKILL)
    job.finish()
    assert job.status != 0
    assert "SIGKILL" in job.err
    assert not Path(f"/proc/{pids[0]}").exists()
    assert ArtifactStore(homes[0]).find("dynamics") is None
    assert list((homes[0] / "artifacts").glob(".staging*")) == []


def test_a_batch_that_cannot_be_shared_out_evenly_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "size", lambda: 3)
    with pytest.raises(TrainingError, match=r"batch_size=8 for 3 processes, expected a multiple"):
        fit(torch.nn.Linear(1, 1), lambda s: {}, TINY_DYNAMICS, quiet_context(tmp_path), tmp_path, name="x")  # type: ignore[arg-type]


def test_a_stage_without_the_shared_loop_refuses_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"found 2 processes for train_policy, expected one"):
        POLICY.run(Request(tmp_path, {}), Events(None))
