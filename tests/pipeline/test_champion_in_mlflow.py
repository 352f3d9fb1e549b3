"""The model registry follows the book of champions, and never the other way round."""

import json
import logging
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from judged_policies import GAME, Contest
from safetensors.torch import load_file

from emurl_core.artifacts import Artifact
from emurl_core.cli import main
from emurl_core.evaluation.champion import set_by_hand
from emurl_pipeline.champions import show
from emurl_pipeline.mlflow_registry import ALIAS, MODEL, follow_book
from emurl_pipeline.mlflow_store import open_store, store_uri
from emurl_pipeline.tracking import TrackedRun


@pytest.fixture
def contest(tmp_path: Path, empty_mlflow: Path) -> Contest:
    contest = Contest(tmp_path / "home")
    contest.store.home.mkdir(exist_ok=True)
    shutil.copy(empty_mlflow, contest.store.home / "mlflow.db")
    return contest


def client(contest: Contest) -> Any:
    return open_store(store_uri(contest.store.home), contest.store.home)


def holder(contest: Contest, alias: str = ALIAS) -> str:
    return client(contest).get_model_version_by_alias(MODEL, alias).tags["emurl.artifact"]


def versions(contest: Contest) -> list[str]:
    found = client(contest).search_model_versions(f"name = '{MODEL}'")
    return sorted(version.tags["emurl.artifact"] for version in found)


def evaluate(contest: Contest, policy: Artifact) -> None:
    """What the asset does: judge, write down, tell MLflow."""
    contest.judge(policy)
    follow_book(client(contest), contest.store, contest.evaluate(policy))


def test_each_evaluated_policy_is_a_version_and_the_alias_names_the_champion(
    contest: Contest, tmp_path: Path
):
    for name, far in (("a", 0.4), ("b", 0.6), ("c", 0.5)):
        evaluate(contest, contest.policy(name, far))
    evaluate(contest, contest.store.get("policy", "b"))
    assert versions(contest) == ["policy@a", "policy@b", "policy@c"], (
        "a version each, evaluated once or twice"
    )
    assert holder(contest) == "policy@b"
    assert holder(contest, f"champion-embedded-{GAME['rom_sha1'][:8]}") == "policy@b"
    version = client(contest).get_model_version_by_alias(MODEL, ALIAS)
    assert version.tags["emurl.evaluation"] == "evaluation@b-s"
    assert float(version.tags["emurl.true_progress"]) == pytest.approx(0.6, abs=0.05)
    run = client(contest).get_run(version.run_id)
    assert run.data.tags["emurl.artifact"] == "policy@b"


def test_what_is_registered_can_be_fetched_by_the_alias_and_holds_no_pickle(contest: Contest, tmp_path: Path):
    import mlflow

    evaluate(contest, contest.policy("a", 0.4))
    mlflow.set_tracking_uri(store_uri(contest.store.home))
    try:
        got = Path(
            mlflow.artifacts.download_artifacts(f"models:/{MODEL}@{ALIAS}", dst_path=str(tmp_path / "got"))
        )
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    names = {p.name for p in got.rglob("*") if p.is_file()}
    assert names >= {"weights.safetensors", "artifact.json", "lineage.json"}
    assert {Path(n).suffix for n in names} == {".safetensors", ".json"}
    assert float(load_file(next(got.rglob("weights.safetensors")))["w"]) == pytest.approx(0.4)
    assert json.loads(next(got.rglob("artifact.json")).read_text())["version"] == "a"


def test_the_run_that_trained_a_policy_is_the_source_of_its_version(contest: Contest):
    policy = contest.policy("a", 0.4)
    training = TrackedRun()
    training.begin(store_uri(contest.store.home), contest.store.home, "policy", "policy", _Settings(), {})
    training.log_artifact(policy)
    training.end("FINISHED")
    evaluate(contest, policy)
    assert client(contest).get_model_version_by_alias(MODEL, ALIAS).run_id == training.run_id


def test_a_deleted_mlflow_gets_its_alias_back_from_the_book(contest: Contest, empty_mlflow: Path, capsys):
    evaluate(contest, contest.policy("a", 0.6))
    evaluate(contest, contest.policy("b", 0.4))
    shutil.rmtree(contest.store.home / "mlflow_artifacts")
    shutil.copy(empty_mlflow, contest.store.home / "mlflow.db")
    assert show(contest.store) == 0
    assert "policy@a" in capsys.readouterr().out
    assert holder(contest) == "policy@a"
    evaluate(contest, contest.policy("c", 0.5))
    assert versions(contest) == ["policy@a", "policy@c"]
    assert holder(contest) == "policy@a"


def test_who_is_set_by_hand_has_the_alias_too(contest: Contest, capsys):
    evaluate(contest, contest.policy("aa11", 0.6))
    contest.policy("bb22", 0.3)
    assert command("champion", "--set", "bb") == 1
    assert "--reason" in capsys.readouterr().err
    assert contest.champion == "policy@aa11"
    assert command("champion", "--set", "bb", "--reason", "it plays more nicely") == 0
    told = capsys.readouterr().out
    for part in ("policy@bb22", "by hand", "it plays more nicely", "policy@aa11"):
        assert part in told
    assert holder(contest) == "policy@bb22"
    assert contest.champion == "policy@bb22"


def command(*arguments: str) -> int:
    """`emurl`, and the status it leaves with."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_the_last_game_evaluated_has_the_plain_alias_and_each_game_its_own(contest: Contest):
    evaluate(contest, contest.policy("here", 0.4))
    other = {"game": "rom", "rom_sha1": "cd" * 20}
    evaluate(contest, contest.policy("there", 0.4, game=other))
    assert holder(contest) == "policy@there"
    assert holder(contest, f"champion-embedded-{GAME['rom_sha1'][:8]}") == "policy@here"
    evaluate(contest, contest.store.get("policy", "here"))
    assert holder(contest) == "policy@here"


def test_an_mlflow_that_does_not_answer_costs_the_alias_and_not_the_title(
    contest: Contest, monkeypatch, caplog
):
    set_by_hand(contest.policy("a", 0.4), contest.store, "to begin with")
    # The discard port: nobody listens there.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nobody:geheim77@127.0.0.1:9")
    with caplog.at_level(logging.WARNING, "emurl"):
        assert show(contest.store) == 0
    assert "aliases could not be set" in caplog.text
    assert "geheim77" not in caplog.text
    assert contest.champion == "policy@a"


def test_two_processes_that_evaluate_at_once_make_one_version_each(contest: Contest):
    policies = [contest.policy(f"p{i}", 0.4 + 0.2 * i) for i in range(2)]
    for policy in policies:
        contest.evaluate(policy)
    # Forked: each would take half a minute to import what this one has.
    workers = multiprocessing.get_context("fork")
    processes = [
        workers.Process(target=_follow, args=(contest.store.home, p.version)) for p in (*policies, *policies)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert [p.exitcode for p in processes] == [0] * 4
    assert versions(contest) == ["policy@p0", "policy@p1"]


def _follow(home: Path, version: str) -> None:
    from emurl_core.artifacts import ArtifactStore

    store = ArtifactStore(home)
    follow_book(open_store(store_uri(home), home), store, store.get("evaluation", f"{version}-s"))


class _Settings:
    def model_dump(self, mode: str) -> dict[str, Any]:
        return {}
