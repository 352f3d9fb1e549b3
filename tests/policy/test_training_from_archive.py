"""Training with starts from the archive: the same when interrupted, published with proof, and power-on whenever it is asked for."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from policy_inputs import GAME, PolicyInputs
from test_training import CONFIG, train_at

from emurl_core import cli
from emurl_core.artifacts import Artifact
from emurl_core.game import open_game
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.stage import StageContext
from emurl_core.starts import StartLibrary, verify

ARCHIVE = CONFIG.model_copy(
    update={
        "start": "archive",
        "iterations": 6,
        "episode_steps": 12,
        "archive_saves": 3,
        "archive_states": 10,
    }
)


@pytest.fixture
def homes(inputs: PolicyInputs, shared: StageContext, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of the home with the models."""
    copies = tmp_path / "whole", tmp_path / "killed"
    for copy in copies:
        shutil.copytree(shared.store.home, copy, ignore=shutil.ignore_patterns("policy", "evaluation"))
    return copies


@pytest.fixture(scope="module")
def policy(shared: StageContext, inputs: PolicyInputs) -> Artifact:
    return train_policy(*inputs.models, ARCHIVE, GAME, shared)


def train_slowly(home: str) -> None:
    """For a process that is killed on the way."""
    from emurl_core.policy import rollout

    collect = rollout.Collector.collect
    rollout.Collector.collect = lambda self, network: (time.sleep(0.3), collect(self, network))[1]  # type: ignore[method-assign, assignment]
    train_at(Path(home), ARCHIVE)


def test_a_training_killed_in_the_middle_goes_on_to_the_very_same_policy_and_start_states(
    homes: tuple[Path, Path],
) -> None:
    whole, killed = homes
    expected, whole_steps = train_at(whole, ARCHIVE)
    here = Path(__file__).parent
    code = "import sys; sys.path[:0] = sys.argv[1:3]; import test_training_from_archive as t; t.train_slowly(sys.argv[3])"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(here), str(here.parent), str(killed)], stderr=subprocess.DEVNULL
    )
    while not list(killed.glob("work/policy/*/iteration-0000003.safetensors")):
        assert child.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    resumed, steps = train_at(killed, ARCHIVE)
    assert steps.points[0][0] > 48 * 2, "it must go on from where it was killed"
    for name, tensor in expected.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    starts = {k: v for k, v in whole_steps.points[-1][1].items() if "starts" in k or "cells" in k}
    assert starts["policy/starts_held"] > 3
    assert starts.items() <= steps.points[-1][1].items()
    libraries = [{p.name: p.read_bytes() for p in (a.path / "starts").iterdir()} for a in (expected, resumed)]
    assert libraries[0] == libraries[1]


def test_the_states_are_published_with_the_policy_and_hold(policy: Artifact) -> None:
    opened = open_game(GAME)
    library = StartLibrary(policy.path / "starts")
    assert 3 < len(library) <= 10
    assert policy.facts["start_states"] == len(library)
    assert "starts" in policy.pictures
    policy.verify()
    assert sum(name.startswith("starts/") for name in policy.record["files"]) == len(library)
    for state in library:
        assert state.policy == policy.version
        assert state.rom_sha1 == opened.sha1
        assert 0 < state.environment_steps <= 6 * 48
    assert [r.problem for r in verify(library, opened.rom) if not r.holds] == []


def test_power_on_is_always_possible_and_knows_no_archive(
    shared: StageContext, inputs: PolicyInputs, policy: Artifact
) -> None:
    from_power_on = train_policy(
        *inputs.models, ARCHIVE.model_copy(update={"start": "power-on"}), GAME, shared
    )
    assert not (from_power_on.path / "starts").exists()
    assert from_power_on.facts["start_states"] == 0
    assert not torch.equal(from_power_on.tensors()["actor.weight"], policy.tensors()["actor.weight"])


def test_an_archive_that_could_not_be_published_is_refused_before_training() -> None:
    with pytest.raises(ValueError, match="archive_states"):
        PolicyConfig(archive_states=100_000)


def test_emurl_starts_lists_proves_and_draws(
    policy: Artifact,
    shared: StageContext,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("EMURL_HOME", str(shared.store.home))
    count = policy.facts["start_states"]

    def emurl(*arguments: str) -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as left:
            cli.main(["starts", *arguments, "--policy", policy.version])
        return int(left.value.code or 0), capsys.readouterr().out.splitlines()

    code, lines = emurl()
    assert (code, len(lines)) == (0, count + 1)
    assert all(i in "\n".join(lines) for i in StartLibrary(policy.path / "starts").ids)
    code, lines = emurl("verify")
    assert (code, lines[-1]) == (0, f"{count} of {count} start states hold")
    code, _ = emurl("pictures", "--out", str(tmp_path / "drawn"))
    assert (code, len(list((tmp_path / "drawn").glob("*.png")))) == (0, count)
