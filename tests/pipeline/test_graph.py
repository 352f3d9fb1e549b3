"""The whole graph on real recordings with real stages: the one long test of the pipeline."""

import sqlite3
from pathlib import Path

import dagster as dg
import pytest

from emurl_core.artifacts import file_sha256
from emurl_core.evaluation.champion_book import ChampionBook
from emurl_core.lineage import ancestors
from emurl_pipeline.definitions import ASSETS, FROM_DATASET, ON_REQUEST, build
from emurl_pipeline.instance import dagster_home, headless_instance
from emurl_pipeline.partitions import VIDEO_METADATA, latest_tags
from emurl_pipeline.upstream import kind_of

pytestmark = pytest.mark.long


def materializations(folder: Path, asset: str) -> list[dg.AssetMaterialization]:
    with headless_instance(dagster_home(folder / "dagster")) as instance:
        records = instance.fetch_materializations(dg.AssetKey(asset), limit=1000).records
    return [r.asset_materialization for r in records if r.asset_materialization]


def test_a_video_without_a_game_stops_nobody_else(finished):
    outcome = finished.outcome
    assert outcome.failed_stages == {}
    assert outcome.videos == 5
    (reason,) = outcome.failed_videos.values()
    assert "no game screen found" in reason
    assert finished.store.get("evaluation").metrics


def test_every_materialization_links_mlflow_dagster_and_the_artifact(finished):
    with sqlite3.connect(finished.folder / "home" / "mlflow.db") as db:
        tags: dict[str, dict[str, str]] = {}
        for run, key, value in db.execute("select run_uuid, key, value from tags"):
            tags.setdefault(run, {})[key] = value
        experiments = dict(
            db.execute("select run_uuid, e.name from runs r join experiments e using (experiment_id)")
        )
        inputs = {run for (run,) in db.execute("select destination_id from inputs")}
    for asset in ASSETS:
        found = materializations(finished.folder, asset)
        assert found, asset
        for made in found:
            run = tags[made.metadata["mlflow_run_id"].value]
            version = made.tags["dagster/data_version"]
            assert run["dagster.asset_key"] == asset
            assert run["dagster.data_version"] == version
            assert run["dagster.partition"] == (made.partition or "")
            artifact = finished.store.get(kind_of(asset), version, made.partition)
            assert made.metadata["artifact"].path == str(artifact.path)
            assert experiments[made.metadata["mlflow_run_id"].value] == kind_of(asset)
            if asset in FROM_DATASET[1:]:
                assert made.metadata["mlflow_run_id"].value in inputs, f"{asset} has no dataset input"


def test_the_dataset_is_the_data_version_that_the_models_were_trained_on(finished):
    (made,) = materializations(finished.folder, "frame_dataset")[-1:]
    for kind in ("tokenizer", "dynamics", "reward_model", "ood_detector", "policy", "evaluation"):
        (dataset,) = ancestors(finished.store.get(kind), "frame_dataset").values()
        assert dataset["version"] == made.tags["dagster/data_version"]
        assert dataset["facts"]["manifest_sha256"]


def test_lineage_goes_from_the_evaluation_down_to_the_bytes_of_each_video(finished):
    videos = ancestors(finished.store.get("evaluation"), "video").values()
    good = {file_sha256(path) for place, path in finished.videos.items() if place != "bad"}
    assert {v["facts"]["sha256"] for v in videos} == good


def test_an_evaluation_says_what_it_means_for_the_title_and_registers_the_policy(finished):
    (made,) = materializations(finished.folder, "evaluation")[-1:]
    policy = finished.store.inputs_of(finished.store.get("evaluation"))["policy"]
    champion = ChampionBook(finished.store.home).champion(policy.facts["rom_sha1"])
    assert made.metadata["champion"].value == (champion.policy if champion else "nobody yet")
    assert made.metadata["champion_verdict"].value
    with headless_instance(dagster_home(finished.folder / "dagster")) as instance:
        key = dg.AssetCheckKey(dg.AssetKey("evaluation"), "champion")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        answer = record.event.dagster_event.asset_check_evaluation_data
    assert answer.passed is (champion is not None and champion.policy == policy.id)
    assert answer.severity == dg.AssetCheckSeverity.WARN
    assert answer.metadata["message"].value == made.metadata["champion_verdict"].value
    with sqlite3.connect(finished.folder / "home" / "mlflow.db") as db:
        tags = dict(db.execute("select key, value from model_version_tags where name = 'emurl-policy'"))
        (source,) = db.execute("select source from model_versions where name = 'emurl-policy'").fetchone()
    assert tags["emurl.artifact"] == policy.id
    names = {p.name for p in Path(source.removeprefix("file://")).iterdir()}
    assert {"weights.safetensors", "artifact.json", "lineage.json"} <= names
    run = made.metadata["mlflow_run_id"].value
    assert made.tags["emurl/mlflow_run_id"] == run, "and the run names Dagster's: tags both ways"


def test_running_it_again_builds_nothing_new_and_tries_only_the_bad_video_again(finished):
    before = {a.id for a in finished.store.everything()}
    attempts = len(materializations(finished.folder, "frames"))
    outcome = finished.run()
    assert {a.id for a in finished.store.everything()} == before
    assert outcome.reused_videos == 4
    assert len(materializations(finished.folder, "frames")) == attempts
    latest = materializations(finished.folder, "policy")[0]
    assert latest.metadata["reused"].value is True


def test_a_changed_video_is_the_only_one_that_is_fetched_again(finished):
    path = finished.videos["train 0"]
    rows = _row_events(finished.folder)
    path.touch()
    outcome = finished.run()
    assert outcome.reused_videos == 3
    changed = {v: n for v, n in _row_events(finished.folder).items() if n != rows.get(v)}
    assert len(changed) == 1


def test_a_bad_reward_model_trains_no_policy(finished):
    # One step at no learning rate: a random net, held against the gate of the demo.
    bad = {"gate_kendall_tau": 0.5, "seed": 5, "steps": 1, "learning_rate": 1e-12}
    untrained = finished.profile.reward.model_copy(update=bad)
    policies = len(materializations(finished.folder, "policy"))
    outcome = finished.run(finished.profile.model_copy(update={"reward": untrained}))
    assert "reward_model" in outcome.failed_stages
    assert "reward_gate" in outcome.failed_stages["reward_model"]
    assert len(materializations(finished.folder, "policy")) == policies
    kept = finished.store.get("reward_model")
    assert kept.facts["gate_passed"] is False, "it is kept, to be looked at"
    assert kept.metrics["test/kendall_tau_median"] < 0.5, (
        "bad by what it does, not by a gate that nothing passes"
    )
    assert f"found {kept.metrics['test/kendall_tau_median']:.4g}" in outcome.failed_stages["reward_model"]


@pytest.mark.parametrize(
    ("stage", "bad"),
    [("tokenizer", {"gate_codes_used": 1.0, "seed": 5}), ("dynamics", {"gate_over_copy": 0.9, "seed": 5})],
)
def test_a_model_below_its_gate_stops_what_would_be_built_on_it(finished, stage, bad):
    before = finished.store.get(stage)
    policies = len(materializations(finished.folder, "policy"))
    worse = getattr(finished.profile, stage).model_copy(update=bad)
    outcome = finished.run(finished.profile.model_copy(update={stage: worse}))
    kept = finished.store.get(stage)
    finished.store.choose(before)
    assert f"{stage}_gate" in outcome.failed_stages[stage]
    assert len(materializations(finished.folder, "policy")) == policies
    assert kept.facts["gate_passed"] is False, "it is kept, to be looked at"
    assert kept.facts["gate_missed"]


def test_reward_models_are_judged_when_that_is_asked_for(finished):
    assert not any(materializations(finished.folder, name) for name in ON_REQUEST)
    current = finished.store.get("reward_model").id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        with headless_instance(dagster_home(finished.folder / "dagster")) as instance:
            job = build(finished.profile, finished.folder / "home").resolve_implicit_global_asset_job_def()
            keys = [dg.AssetKey(name) for name in ON_REQUEST]
            assert job.execute_in_process(instance=instance, asset_selection=keys).success
    table = materializations(finished.folder, "reward_comparison")[0].metadata["comparison_table"].value
    assert all(
        f"| {name} |" in table for name in ("resnet", "tokenizer", "global", "sequence", "pixel ridge")
    )
    assert "pooled/empty_gain_share" in materializations(finished.folder, "reward_truth")[0].metadata
    assert finished.store.get("reward_model").id == current, "a comparison moves nothing"


def _row_events(folder: Path) -> dict[str, str]:
    with headless_instance(dagster_home(folder / "dagster")) as instance:
        found = latest_tags(instance, VIDEO_METADATA, instance.get_dynamic_partitions("videos"))
    return {video: tags["dagster/data_version"] for video, tags in found.items()}


@pytest.fixture(autouse=True)
def _slow(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.timeout(900))
