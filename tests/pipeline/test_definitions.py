import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from emurl_core.profiles import load_profile
from emurl_core.validation import BEFORE_POLICY, BEFORE_TRAINING
from emurl_pipeline.definitions import ASSETS, ON_REQUEST, STEPS, build
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
        "frames": {"videos"},
        "frame_dataset": {"frames", "speedrun_runs"},
        "tokenizer": {"frame_dataset"},
        "dynamics": {"frame_dataset", "tokenizer"},
        "reward_model": {"frame_dataset"},
        "reward_comparison": {"frame_dataset", "tokenizer"},
        "reward_truth": {"reward_model"},
        "ood_detector": {"frame_dataset", "tokenizer", "dynamics"},
        "policy": {"tokenizer", "dynamics", "reward_model", "ood_detector"},
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


def test_a_reward_model_that_reads_tokens_waits_for_the_tokenizer():
    profile = load_profile("demo")
    tokens = profile.model_copy(update={"reward": profile.reward.model_copy(update={"variant": "sequence"})})
    parents = build(tokens).resolve_asset_graph().get(dg.AssetKey("reward_model")).parent_keys
    assert {p.to_user_string() for p in parents} == {"frame_dataset", "tokenizer"}


def test_only_videos_have_partitions(graph):
    partitioned = {k.to_user_string() for k in graph.get_all_asset_keys() if graph.get(k).is_partitioned}
    assert partitioned == {"video_metadata", "videos", "frames"}


@pytest.mark.parametrize("name", [*ASSETS, *ON_REQUEST])
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


def test_the_workspace_file_names_this_module():
    assert "module_name: emurl_pipeline.definitions" in (ROOT / "workspace.yaml").read_text()


def test_an_unknown_profile_says_which_there_are():
    with pytest.raises(ValueError, match="demo, full"):
        build("no_such_profile")


def test_everything_that_runs_has_a_place_in_the_estimate_of_the_time_left():
    assert set(REFERENCE_SECONDS) == set(STEPS)
