"""A job by itself: what it is asked, what it says, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starting import ONE_THREAD, Started
from tile_speedruns import tile_dataset
from tiny_models import TINY_TOKENIZER, quiet_context

from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.game import GameConfig
from emurl_core.jobs.job import OWNER_VARIABLE
from emurl_core.jobs.policy import STAGE as POLICY
from emurl_core.jobs.request import Request, decoded
from emurl_core.jobs.tokenizer import STAGE as TOKENIZER
from emurl_core.tokenizer import TokenizerConfig

LONG = TINY_TOKENIZER.model_copy(update={"steps": 100_000})


def wait_for(found: object, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while not found():  # type: ignore[operator]
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)


def test_arguments_come_back_as_the_function_wants_them(tmp_path: Path) -> None:
    context = quiet_context(tmp_path / "home")
    dataset = tile_dataset(context, tmp_path)
    asked = {"dataset": dataset, "config": TINY_TOKENIZER, "game": None}
    Request(tmp_path / "home", asked, ONE_THREAD, tmp_path / "events").write(tmp_path / "job.json")
    request = Request.read(tmp_path / "job.json")
    assert (request.home, request.runtime, request.events) == (
        tmp_path / "home",
        ONE_THREAD,
        tmp_path / "events",
    )
    found = decoded(TOKENIZER.function, request.arguments, context.store)
    assert found["dataset"].id == dataset.id
    assert found["config"] == TINY_TOKENIZER
    assert found["game"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"datset": {"artifact": "x@y"}},
            r"found the arguments datset, expected some of dataset, config, game",
        ),
        ({"dataset": {"artifact": "frame_dataset@0"}}, r"found no artifact frame_dataset@0"),
        ({"dataset": {"artifact": "frame_dataset"}}, r"expected kind\[/partition\]@version"),
        ({"dataset": "frame_dataset@0"}, r'expected \{"artifact": "kind@version"\}'),
        ({"config": {"steps": 0}}, r"does not fit TokenizerConfig: steps: Input should be greater"),
    ],
)
def test_wrong_arguments_are_told(given: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        decoded(TOKENIZER.function, given, ArtifactStore(tmp_path))


def test_optional_inputs_are_artifacts_too(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="found no artifact ood_detector@0"):
        decoded(POLICY.function, {"ood": {"artifact": "ood_detector@0"}}, ArtifactStore(tmp_path))
    assert (
        decoded(POLICY.function, {"game": {"game": "embedded"}}, ArtifactStore(tmp_path))["game"]
        == GameConfig()
    )


def test_a_file_that_is_no_request_is_told(tmp_path: Path) -> None:
    for text in (
        "",
        "[]",
        '{"home": "/tmp"}',
        '{"home": "/tmp", "arguments": {}, "runtime": {"device": 3, "x": 1}}',
    ):
        (tmp_path / "job.json").write_text(text)
        with pytest.raises(ValueError, match=r"found no request of a job in .* expected JSON"):
            Request.read(tmp_path / "job.json")


def test_a_failure_that_was_foreseen_is_one_sentence(tmp_path: Path) -> None:
    context = quiet_context(tmp_path / "home")
    dataset = tile_dataset(context, tmp_path)
    rom = TokenizerConfig(emulator_share=0.5)
    game = GameConfig(game="rom", rom=str(tmp_path / "no.gb"))
    job = Started("tokenizer", context.store.home, {"dataset": dataset, "config": rom, "game": game}).finish()
    assert job.status == 1
    failed = job.events[-1]
    assert (failed["event"], failed["foreseen"]) == ("failed", True)
    assert "no.gb" in failed["message"]
    assert "Traceback" not in job.err


def test_a_job_ends_when_who_started_it_is_gone(tmp_path: Path) -> None:
    context = quiet_context(tmp_path / "home")
    dataset = tile_dataset(context, tmp_path)
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    arguments = {"dataset": dataset, "config": LONG}
    job = Started("tokenizer", context.store.home, arguments, **{OWNER_VARIABLE: str(owner.pid)})
    try:
        wait_for(lambda: job.curve("tokenizer/loss"), job.process)
        owner.kill()
        owner.wait()
        assert job.process.wait(timeout=20) != 0
    finally:
        owner.kill()
        job.process.kill()
    assert context.store.find("tokenizer") is None


def test_an_interrupted_job_leaves_quietly(tmp_path: Path) -> None:
    context = quiet_context(tmp_path / "home")
    job = Started(
        "tokenizer", context.store.home, {"dataset": tile_dataset(context, tmp_path), "config": LONG}
    )
    wait_for(lambda: job.curve("tokenizer/loss"), job.process)
    os.kill(job.process.pid, signal.SIGINT)
    job.finish()
    assert job.status == 130
    assert "interrupted; start it again to go on" in job.err
    assert "Traceback" not in job.err
    assert json.loads(job.events_path.read_text().splitlines()[-1])["event"] == "curve"
