"""What a run says that a blocking check stopped, and which places the check of the detector asks for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.profiles import load_profile
from emurl_pipeline.assets.ood import finds_places
from emurl_pipeline.assets.reward import gate
from emurl_pipeline.checks import Check, passes_gate
from emurl_pipeline.progress import Progress
from emurl_pipeline.runner import GraphRunner

MISSED = "test/kendall_tau_median >= 0.6: found 0.0417"


def model(folder: Path, facts: Mapping[str, Any], metrics: Mapping[str, float]) -> Artifact:
    store = ArtifactStore(folder / "home")
    with store.draft("toy", "v", config={}, code_version="1") as draft:
        draft.facts |= facts
        draft.metrics |= metrics
    return store.get("toy")


def stopped_by(
    check: Check, found: Artifact, instance: dg.DagsterInstance, folder: Path, failing: bool = False
) -> str:
    """The reason that a headless run gives when the first stage's check says no, or the stage itself fails after it."""

    @dg.asset(check_specs=[check.spec("speedrun_runs")])
    def speedrun_runs() -> Any:
        yield dg.MaterializeResult(check_results=[check.answer(found)])
        if failing:
            raise RuntimeError("the disk is gone")

    runner = GraphRunner(
        dg.Definitions(assets=[speedrun_runs]),
        instance,
        ArtifactStore(folder / "home"),
        load_profile("demo"),
        Progress(),
    )
    return runner.run().failed_stages["speedrun_runs"]


@pytest.mark.parametrize("ask", [passes_gate, gate])
def test_a_gate_that_stops_a_run_says_what_it_found_and_how_to_go_on(
    ask: Callable[[Artifact], tuple[bool, Mapping[str, Any]]],
    instance: dg.DagsterInstance,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    facts = {"gate": "test/kendall_tau_median >= 0.6", "gate_passed": False, "gate_missed": [MISSED]}
    reason = stopped_by(Check("a_gate", "Is it good?", ask), model(tmp_path, facts, {}), instance, tmp_path)
    assert reason.startswith(f"a_gate: {MISSED}; ")
    assert "policy.accept_failed_gates in the profile" in reason
    assert reason in capsys.readouterr().out


def test_a_check_with_numbers_alone_says_them(instance: dg.DagsterInstance, tmp_path: Path):
    check = Check("worth", "Gains keep their worth.", lambda a: (False, {"mean_multiplier": 0.3217}))
    reason = stopped_by(check, model(tmp_path, {}, {}), instance, tmp_path)
    assert reason == "worth: Gains keep their worth. Found mean_multiplier 0.3217"


def test_what_else_a_stage_fails_of_is_not_put_down_to_a_check(instance: dg.DagsterInstance, tmp_path: Path):
    check = Check("worth", "Gains keep their worth.", lambda a: (False, {"mean_multiplier": 0.3217}), False)
    assert "disk is gone" in stopped_by(check, model(tmp_path, {}, {}), instance, tmp_path, failing=True)


@pytest.mark.parametrize("place", ["grove", "pit", "off_path"])
@pytest.mark.parametrize("area", [0.84, float("nan")])
def test_every_place_that_the_detector_misses_shows(tmp_path: Path, place: str, area: float):
    good = {f"test/auroc_{p}": 0.96 for p in ("grove", "pit", "off_path")}
    assert finds_places(model(tmp_path, {}, good))[0]
    measured = Artifact.__new__(Artifact)
    object.__setattr__(measured, "record", {"metrics": good | {f"test/auroc_{place}": area}})
    passed, seen = finds_places(measured)
    assert not passed
    assert seen["missed"] == [place]
