"""Two processes that materialize the same asset at the same moment: one builds, the other waits and takes what is there."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from emurl_core.artifacts import ArtifactStore
from emurl_pipeline.instance import dagster_home

HERE = Path(__file__).parent
PATIENCE_S = 200.0
MATERIALIZE = """
import sys
import dagster as dg
from waiting_graph import defs
steps = int(sys.argv[1])
with dg.DagsterInstance.get() as instance:
    done = defs.resolve_job_def("both").execute_in_process(
        instance=instance, run_config={"ops": {"quick": {"config": {"name": "x"}}, "toy": {"config": {"steps": steps}}}}
    )
    print("reused", done.asset_materializations_for_node("toy")[-1].metadata["reused"].value)
"""


@pytest.mark.timeout(600)
def test_one_builds_and_the_other_waits_and_both_succeed(tmp_path: Path) -> None:
    home = dagster_home(tmp_path / "dagster")
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "WAITING": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MATERIALIZE, "3"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    with dg.DagsterInstance.from_config(str(home)) as instance:

        def waiting() -> int:
            said = [e.user_message for r in instance.get_runs() for e in instance.all_logs(r.run_id)]
            return sum("another run is making toy" in line for line in said)

        until = time.monotonic() + PATIENCE_S
        while not waiting():
            assert time.monotonic() < until, "nobody waits"
            assert [p.poll() for p in both] == [None, None], [p.communicate() for p in both]
            time.sleep(0.2)
        assert len((tmp_path / "3.began").read_text().split()) == 1, "only one is at work"
        (tmp_path / "3.go").touch()
        said = [p.communicate(timeout=PATIENCE_S) for p in both]
        assert [p.returncode for p in both] == [0, 0], said
        assert sorted(out.strip().splitlines()[-1] for out, _ in said) == ["reused False", "reused True"]
        records = instance.fetch_materializations(dg.AssetKey("toy"), limit=10).records
    (made,) = ArtifactStore(tmp_path / "home").versions("toy")
    made.verify()
    versions = {
        r.asset_materialization.tags["dagster/data_version"] for r in records if r.asset_materialization
    }
    assert (len(records), versions) == (2, {made.version})
