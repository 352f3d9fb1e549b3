import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from emurl_pipeline.definitions import ASSETS, build

ROOT = Path(__file__).parent.parent.parent
LOADING = """
import json, time
times = [time.process_time()]
for module in ("dagster", "torch", "emurl_core.profiles", "emurl_pipeline.definitions"):
    __import__(module)
    times.append(time.process_time())
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
        "policy": {"tokenizer", "dynamics", "reward_model"},
        "evaluation": {"policy"},
    }


def test_only_videos_have_partitions(graph):
    partitioned = {k.to_user_string() for k in graph.get_all_asset_keys() if graph.get(k).is_partitioned}
    assert partitioned == {"video_metadata", "videos", "frames"}


@pytest.mark.parametrize("name", ASSETS)
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
    assert checks["splits_disjoint"].blocking


def test_the_workspace_file_names_this_module():
    assert "module_name: emurl_pipeline.definitions" in (ROOT / "workspace.yaml").read_text()


def test_an_unknown_profile_says_which_there_are():
    with pytest.raises(ValueError, match="demo, full"):
        build("no_such_profile")
