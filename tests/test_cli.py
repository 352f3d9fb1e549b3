"""The command line: the stages' own names and defaults, one line for an error, an exit status that tells."""

import json
import subprocess
import sys

import pytest

from emurl_core.artifacts import ArtifactStore
from emurl_core.cli import main

STAGES = (
    "scrape",
    "download",
    "extract",
    "crops",
    "dataset",
    "tokenizer",
    "dynamics",
    "reward",
    "ood",
    "clips",
    "inverse-dynamics",
    "label-actions",
    "label-truth",
    "clone",
    "policy",
    "evaluate",
)


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return left.value.code


def test_help_names_every_stage_and_the_orchestrators_commands(capsys):
    assert run("--help") == 0
    out = capsys.readouterr().out
    for name in (*STAGES, "watch", "validate", "lineage", "retract", "demo", "ui"):
        assert f" {name} " in out


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_explains_its_options(stage, capsys):
    assert run(stage, "--help") == 0
    assert "--" in capsys.readouterr().out


def test_defaults_come_from_the_profile(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text('extends = "demo"\n[scrape]\nmax_videos = 4321\n')
    run("--profile", str(file), "scrape", "--help")
    assert "4321" in capsys.readouterr().out


def test_the_stages_publish_into_the_home_that_was_named(tmp_path, capsys):
    home = tmp_path / "elsewhere"
    assert (
        run(
            "--home",
            str(home),
            "scrape",
            "--source",
            "synthetic",
            "--game",
            "embedded",
            "--synthetic-runs",
            "1",
        )
        == 0
    )
    runs = ArtifactStore(home).get("speedrun_runs")
    assert runs.id in capsys.readouterr().out
    assert run("lineage", "speedrun_runs", "--json") == 0
    assert json.loads(capsys.readouterr().out)["artifact"] == runs.id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tokenizer"], "no artifact frame_dataset"),
        (["lineage", "reward_model"], "build it first"),
        (["--profile", "nothing", "scrape"], "no profile 'nothing'"),
        (["scrape", "--source", "local"], "empty local_folder"),
        (["--home"], "without a value"),
        (["crops", "no_such_file.mp4"], "no_such_file.mp4"),
    ],
)
def test_an_error_is_one_line_and_a_status(arguments, message, capsys):
    assert run(*arguments) == 1
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert err.startswith("emurl: ")
    assert message in err


def test_the_installed_command_answers():
    out = subprocess.run(
        [sys.executable, "-m", "emurl_core.cli", "validate", "--help"], capture_output=True, text=True
    )
    assert out.returncode == 0
    assert "Check that a long run can work" in out.stdout
