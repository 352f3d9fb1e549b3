import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from emurl_core.game import GameConfig
from emurl_core.profiles import load_profile
from emurl_core.validation import BEFORE_POLICY, BEFORE_TRAINING
from emurl_pipeline.assets import validation
from emurl_pipeline.definitions import ACTIONS, ASSETS, ON_REQUEST, STEPS, build, from_dataset
from emurl_pipeline.progress import REFERENCE_SECONDS

ROOT = Path(__file__).parent.parent.parent
LOADING = """
import json, time
times = [time.process_time()]
for module in ("dagster", "torch", "emurl_core.profiles", "emurl_pipeline.definitions"):
    __import__(module)
    times.append(time.process_time())
from emurl_core.profiles import load_profile
from emurl_pipeline.definitions import defs
import dagster as dg
dg.Definitions.validate_loadable(defs)
times.append(time.process_time())
import sys
print(json.dumps({"library_s": times[3] - times[2], "own_s": times[5] - times[3], "mlflow": "mlflow" in sys.modules}))
"""


@pytest.fixture(scope="module")
def graph() -> Any:
    return build("demo").resolve_asset_graph()


def test_definitions_validate_and_add_little_to_what_dagster_and_torch_take():
    done = subprocess.run(
        [sys.executable, "-c", LOADING], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found = json.loads(done.stdout)
    assert found["own_s"] < 2.0, found
    assert not found["mlflow"], "MLflow takes seconds to import and is needed in steps only"


def test_the_graph_is_the_one_of_the_design(graph):
    edges = {
        k.to_user_string(): {p.to_user_string() for p in graph.get(k).parent_keys}
        for k in graph.get_all_asset_keys()
    }
    assert edges == {
        "speedrun_runs": set(),
        "video_metadata": {"speedrun_runs"},
        "videos": {"video_metadata"},
        "video_crop": set(),
        "frames": {"videos", "video_crop"},
        "retractions": set(),
        "frame_dataset": {"frames", "speedrun_runs", "retractions"},
        "tokenizer": {"frame_dataset"},
        "dynamics": {"frame_dataset", "tokenizer"},
        "reward_model": {"frame_dataset", "tokenizer"},
        "reward_comparison": {"frame_dataset", "tokenizer"},
        "reward_truth": {"reward_model"},
        "ood_detector": {"frame_dataset", "tokenizer", "dynamics"},
        "clips": {"frame_dataset"},
        "inverse_dynamics": {"clips"},
        "action_labels": {"clips", "inverse_dynamics"},
        "label_truth": {"clips", "action_labels"},
        "warm_start": {"clips", "action_labels", "tokenizer", "dynamics"},
        "policy": {"tokenizer", "dynamics", "reward_model", "ood_detector", "warm_start"},
        "evaluation": {"policy"},
    }


def test_what_is_judged_on_request_is_built_on_by_nothing_and_run_by_no_job(graph):
    for name in ON_REQUEST:
        assert not graph.get(dg.AssetKey(name)).child_keys
        assert name not in ASSETS
    jobs = build("demo").resolve_all_job_defs()
    planned = {n.name for job in jobs if not job.name.startswith("__") for n in job.nodes}
    assert planned.isdisjoint(ON_REQUEST)
    assert "reward_model" in planned


def test_actions_are_read_off_videos_only_where_the_policy_begins_with_them():
    demo = load_profile("demo")
    without = demo.model_copy(update={"policy": demo.policy.model_copy(update={"warm_start": False})})
    assert set(ACTIONS) <= set(from_dataset(demo))
    assert set(ACTIONS).isdisjoint(from_dataset(without))
    own = without.model_copy(update={"scrape": demo.scrape.model_copy(update={"source": "local"})})
    graph = build(own).resolve_asset_graph()
    parents = {p.to_user_string() for p in graph.get(dg.AssetKey("policy")).parent_keys}
    assert "warm_start" not in parents
    assert not graph.has(dg.AssetKey("label_truth")), "nobody knows what was pressed in real speedruns"


@pytest.mark.parametrize("variant", ["resnet", "sequence"])
def test_a_reward_model_waits_for_the_tokenizer_as_a_run_may_choose_another_variant(variant):
    profile = load_profile("demo")
    tokens = profile.model_copy(update={"reward": profile.reward.model_copy(update={"variant": variant})})
    parents = build(tokens).resolve_asset_graph().get(dg.AssetKey("reward_model")).parent_keys
    assert {p.to_user_string() for p in parents} == {"frame_dataset", "tokenizer"}


def test_only_videos_have_partitions(graph):
    partitioned = {k.to_user_string() for k in graph.get_all_asset_keys() if graph.get(k).is_partitioned}
    assert partitioned == {"video_metadata", "video_crop", "videos", "frames"}


@pytest.mark.parametrize("name", [*ASSETS, *ACTIONS, *ON_REQUEST])
def test_every_asset_says_what_it_is(graph, name):
    asset = graph.get(dg.AssetKey(name))
    assert asset.description
    assert asset.group_name != "default"
    assert asset.kinds
    assert asset.owners
    assert asset.code_version


def test_the_gate_blocks(graph):
    checks = {k.name: graph.get_check_spec(k) for k in graph.asset_check_keys}
    assert checks["reward_gate"].blocking
    assert checks["tokenizer_gate"].blocking
    assert checks["dynamics_gate"].blocking
    assert checks["splits_disjoint"].blocking
    assert checks["ood_trusts_speedruns"].blocking
    assert not checks["ood_few_false_alarms"].blocking
    assert not checks["ood_finds_places"].blocking


def test_what_validate_asks_stands_before_the_trainings_and_the_policy(graph):
    asked = {k.name: (k.asset_key.to_user_string(), graph.get_check_spec(k)) for k in graph.asset_check_keys}
    for names, asset in ((BEFORE_TRAINING, "frame_dataset"), (BEFORE_POLICY, "reward_model")):
        for name in names:
            where, spec = asked[name.replace(" ", "_")]
            assert where == asset
            assert spec.blocking


def test_a_profile_may_let_failed_checks_pass():
    lenient = load_profile("demo")
    lenient = lenient.model_copy(
        update={"validation": lenient.validation.model_copy(update={"block": False})}
    )
    graph = build(lenient).resolve_asset_graph()
    checks = {k.name: graph.get_check_spec(k) for k in graph.asset_check_keys}
    assert not checks["throughput"].blocking
    assert not checks["reward"].blocking


@pytest.mark.parametrize(
    ("policy", "blocking"),
    [
        ({}, {"tokenizer_gate", "dynamics_gate", "reward_gate", "ood_trusts_speedruns"}),
        ({"ood": False}, {"tokenizer_gate", "dynamics_gate", "reward_gate"}),
        ({"accept_failed_gates": True}, set()),
    ],
)
def test_what_the_policy_accepts_stops_nothing_before_it(policy, blocking):
    profile = load_profile("demo")
    chosen = profile.model_copy(update={"policy": profile.policy.model_copy(update=policy)})
    graph = build(chosen).resolve_asset_graph()
    gates = {"tokenizer_gate", "dynamics_gate", "reward_gate", "ood_trusts_speedruns"}
    assert {
        k.name for k in graph.asset_check_keys if k.name in gates and graph.get_check_spec(k).blocking
    } == blocking
    splits = next(k for k in graph.asset_check_keys if k.name == "splits_disjoint")
    assert graph.get_check_spec(splits).blocking, "no gate of a model"


@pytest.mark.parametrize(("game", "has_truth"), [("embedded", True), ("pokemon_red", True), ("rom", False)])
def test_only_games_with_milestones_are_held_against_the_truth(game, has_truth):
    chosen = load_profile("demo").model_copy(update={"game": GameConfig(game=game)})
    names = {k.to_user_string() for k in build(chosen).resolve_asset_graph().get_all_asset_keys()}
    assert ("reward_truth" in names) is has_truth
    assert "reward_comparison" in names


def test_checks_before_long_runs_wait_for_the_gpu_and_say_whose_numbers_they_ask():
    for asked in validation.checks(load_profile("demo")):
        assert asked.op.pool == "gpu"
        assert all("those of the profile" in spec.description for spec in asked.check_specs)


def test_automation_starts_as_the_profile_says_and_covers_what_a_headless_run_builds():
    demo = load_profile("demo")
    for enabled in (False, True):
        chosen = demo.model_copy(
            update={"automation": demo.automation.model_copy(update={"enabled": enabled})}
        )
        repository = build(chosen).get_repository_def()
        assert (repository.get_schedule_def("rescrape").default_status.value == "RUNNING") is enabled
        for name in ("build_what_changed", "watch_crops", "retry_videos"):
            assert (repository.get_sensor_def(name).default_status.value == "RUNNING") is enabled
    graph = build(demo).resolve_asset_graph()
    automated = {
        k.to_user_string()
        for k in graph.get_all_asset_keys()
        if graph.get(k).automation_condition is not None
    }
    assert automated == {"videos", "frames", *from_dataset(demo)}
    sensors = [s.name for s in build(demo).get_repository_def().sensor_defs]
    assert "default_automation_condition_sensor" not in sensors


def test_the_table_of_speedruns_may_not_grow_old(graph):
    assert graph.get(dg.AssetKey("speedrun_runs")).freshness_policy is not None


def test_the_workspace_file_names_this_module():
    assert "module_name: emurl_pipeline.definitions" in (ROOT / "workspace.yaml").read_text()


def test_an_unknown_profile_says_which_there_are():
    with pytest.raises(ValueError, match="demo, full"):
        build("no_such_profile")


def test_everything_that_runs_has_a_place_in_the_estimate_of_the_time_left():
    assert set(REFERENCE_SECONDS) == set(STEPS)
