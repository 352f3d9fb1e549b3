import sqlite3
from pathlib import Path

import dagster as dg
import pytest
from toy_stage import make_toy

from emurl_core.artifacts import ArtifactStore
from emurl_core.sources.registry import FetchError


def latest(instance: dg.DagsterInstance, asset: str = "toy") -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    return event.asset_materialization


def test_a_materialization_names_the_artifact_and_both_kinds_of_code(materialize_toy, instance, tmp_path):
    assert materialize_toy().success
    artifact = ArtifactStore(tmp_path / "home").get("toy")
    made = latest(instance)
    assert made.tags["dagster/data_version"] == artifact.version
    assert made.tags["dagster/code_version"] == "7"
    assert made.metadata["artifact"].path == str(artifact.path)
    assert made.metadata["test/accuracy"].value == 0.9
    assert "**0.9**" in made.metadata["results"].md_str


def test_its_pictures_are_there_by_address_and_embedded(materialize_toy, instance):
    materialize_toy()
    metadata = latest(instance).metadata
    assert metadata["swatch"].md_str.startswith(
        "![swatch](http://127.0.0.1:5000/get-artifact?path=pictures/swatch.png"
    )
    assert len(metadata["swatch"].md_str) < 1000, "Dagster hides longer Markdown behind a click"
    assert "data:image/png;base64," in metadata["pictures"].md_str


def test_building_the_same_again_reuses_the_version_and_says_so(materialize_toy, instance):
    materialize_toy()
    first = latest(instance)
    materialize_toy()
    second = latest(instance)
    assert first.metadata["reused"].value is False
    assert second.metadata["reused"].value is True
    assert first.tags["dagster/data_version"] == second.tags["dagster/data_version"]


def test_mlflow_and_dagster_point_at_each_other_and_at_the_artifact(materialize_toy, instance, tmp_path):
    result = materialize_toy(steps=5)
    made = latest(instance)
    run_id = made.metadata["mlflow_run_id"].value
    assert run_id in made.metadata["mlflow"].url
    with sqlite3.connect(tmp_path / "home" / "mlflow.db") as db:
        tags = dict(db.execute("select key, value from tags where run_uuid = ?", [run_id]))
        params = dict(db.execute("select key, value from params where run_uuid = ?", [run_id]))
        curve = db.execute(
            "select count(*) from metrics where run_uuid = ? and key = 'loss'", [run_id]
        ).fetchone()
        status, uri = db.execute(
            "select status, artifact_uri from runs where run_uuid = ?", [run_id]
        ).fetchone()
    assert tags["dagster.run_id"] == result.run_id
    assert tags["dagster.asset_key"] == "toy"
    assert tags["dagster.data_version"] == made.tags["dagster/data_version"]
    assert params["steps"] == "5"
    assert curve == (5,)
    assert status == "FINISHED"
    assert (Path(uri.removeprefix("file://")) / "pictures" / "swatch.png").is_file()
    assert run_id not in (ArtifactStore(tmp_path / "home").get("toy").path / "artifact.json").read_text()


def test_a_failed_blocking_check_stops_what_comes_after_but_keeps_the_artifact(
    materialize_toy, instance, tmp_path
):
    result = materialize_toy(quality=0.1)
    assert not result.success
    assert (
        latest(instance).tags["dagster/data_version"] == ArtifactStore(tmp_path / "home").get("toy").version
    )
    assert instance.get_latest_materialization_event(dg.AssetKey("shelf")) is None


def test_an_error_of_the_user_is_said_in_one_sentence_and_not_retried(materialize_toy, instance):
    result = materialize_toy(steps=-1, retry=dg.RetryPolicy(max_retries=2))
    failures = [e for e in result.all_events if e.event_type_value.startswith("STEP_")]
    assert [e.event_type_value for e in failures if e.step_key == "toy"] == ["STEP_START", "STEP_FAILURE"]
    given = next(e for e in failures if e.is_step_failure).step_failure_data.user_failure_data
    assert given.description == "found steps=-1, expected at least 0; raise it"


@pytest.mark.parametrize(("outcome", "attempts"), [("network", 3), ("corrupt", 1)])
def test_only_what_the_network_did_is_tried_again(materialize_toy, outcome, attempts):
    tries = []

    def flaky(config, context):
        tries.append(1)
        if len(tries) < 3:
            raise FetchError(outcome, "no luck")
        return make_toy(config, context)

    result = materialize_toy(core=flaky, retry=dg.RetryPolicy(max_retries=2))
    assert len(tries) == attempts
    assert result.success == (outcome == "network")
