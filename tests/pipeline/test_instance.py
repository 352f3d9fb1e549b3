from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from emurl_pipeline.instance import HEADLESS_TAG, dagster_home, headless_instance
from emurl_pipeline.run_launcher import WatchedRunLauncher

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")


def test_a_missing_home_is_made_with_the_settings_of_the_repository(tmp_path):
    home = dagster_home(tmp_path / "new")
    assert (home / "dagster.yaml").read_bytes() == (ROOT / "dagster_home" / "dagster.yaml").read_bytes()
    with headless_instance(home) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
        assert instance.run_retries_enabled


def test_settings_of_ones_own_stay(tmp_path):
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    assert (dagster_home(tmp_path) / "dagster.yaml").read_text() == "telemetry: {enabled: true}\n"


def test_the_settings_in_the_repository_are_valid(tmp_path):
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster_home" / "dagster.yaml").read_text())
    with headless_instance(dagster_home(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_a_killed_run_is_closed_and_its_slots_are_freed(tmp_path):
    home = dagster_home(tmp_path)
    with headless_instance(home) as instance:
        run = instance.create_run_for_job(
            dg.GraphDefinition(name="g").to_job(),
            tags={HEADLESS_TAG: "true"},
            status=DagsterRunStatus.STARTED,
        )
        storage = instance.event_log_storage
        storage.set_concurrency_slots("gpu", 1)
        assert storage.claim_concurrency_slot("gpu", run.run_id, "policy").is_claimed
    with headless_instance(home) as instance:
        assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.FAILURE
        assert instance.event_log_storage.claim_concurrency_slot("gpu", "next", "policy").is_claimed


def test_a_second_headless_run_on_one_home_is_refused(tmp_path):
    home = dagster_home(tmp_path)
    with (
        headless_instance(home),
        pytest.raises(ValueError, match="another headless run"),
        headless_instance(home),
    ):
        pass
