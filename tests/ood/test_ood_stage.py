"""The stage on real frames: what it publishes, what it is tested on, what it refuses."""

import dataclasses

import numpy as np
import pytest
from policy_inputs import GAME, PolicyInputs, make_inputs

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.cli import main
from emurl_core.game import GameConfig, open_game
from emurl_core.ood import OODConfig, build_ood_detector, load_ood_detector
from emurl_core.ood.off_route import PLACES, off_route_frames
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_pipeline.assets.ood import few_false_alarms, finds_places, trusts_speedruns

CONFIG = OODConfig(evaluated_plays=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    return StageContext(
        ArtifactStore(tmp_path_factory.mktemp("ood")), runtime=RuntimeConfig(device="cpu", threads=1)
    )


@pytest.fixture(scope="module")
def inputs(home: StageContext) -> PolicyInputs:
    return make_inputs(home)


def build(
    inputs: PolicyInputs, home: StageContext, config: OODConfig = CONFIG, game: GameConfig = GAME
) -> Artifact:
    return build_ood_detector(inputs.dataset, inputs.tokenizer, inputs.dynamics, config, home, game)


@pytest.fixture(scope="module")
def detector(inputs: PolicyInputs, home: StageContext) -> Artifact:
    return build(inputs, home)


def test_it_publishes_scores_beside_three_baselines_and_a_picture(detector: Artifact) -> None:
    detector.verify()
    # Grove for the even seeds; the pit is for the odd ones.
    for place in ("grove", "off_path"):
        for way in ("", "reconstruction/", "rare_tokens/", "quantisation/"):
            assert 0 <= detector.metrics[f"test/{way}auroc_{place}"] <= 1
    assert "scores" in detector.pictures
    assert detector.metrics["index_us_per_frame"] < detector.metrics["us_per_frame"]
    assert {"frame_dataset", "tokenizer", "dynamics"} <= {
        n["kind"] for n in detector.lineage["nodes"].values()
    }


def test_the_gate_is_what_unseen_speedruns_are_worth(
    detector: Artifact, inputs: PolicyInputs, home: StageContext
) -> None:
    worth = detector.metrics["test/mean_multiplier"]
    assert detector.facts["gate_passed"] is (worth >= CONFIG.gate_trust)
    strict = build(inputs, home, OODConfig(evaluated_plays=0, gate_trust=1.0, trusted_below=0.0))
    assert strict.facts["gate_passed"] is False
    assert not trusts_speedruns(strict)[0]
    assert strict.metrics["test/mean_multiplier"] < worth


def test_checks_read_what_was_measured(detector: Artifact) -> None:
    def measured(**metrics: float) -> Artifact:
        return dataclasses.replace(detector, record={**detector.record, "metrics": metrics})

    assert few_false_alarms(measured(**{"test/flagged_above_99": 0.02}))[0]
    assert not few_false_alarms(measured(**{"test/flagged_above_99": 0.021}))[0]
    good = {"test/auroc_grove": 0.95, "test/auroc_pit": 0.85, "test/auroc_off_path": 0.85}
    assert finds_places(measured(**good))[0]
    assert finds_places(measured())[0], "other games tell of no places"
    passed, seen = finds_places(measured(**good | {"test/auroc_grove": 0.94}))
    assert not passed
    assert seen["missed"] == ["grove"]


def test_another_game_is_judged_on_speedruns_alone(inputs: PolicyInputs, home: StageContext) -> None:
    found = build(inputs, home, game=GameConfig(game="rom"))
    assert "test/flagged_above_99" in found.metrics
    assert not [m for m in found.metrics if "auroc" in m]


def test_the_same_inputs_give_the_same_detector(
    detector: Artifact, inputs: PolicyInputs, home: StageContext
) -> None:
    assert build(inputs, home).id == detector.id
    assert build(inputs, home, OODConfig(evaluated_plays=1, neighbours=2)).version != detector.version


def test_players_who_leave_the_way_are_where_they_are_said_to_be() -> None:
    lost = off_route_frames(open_game(GameConfig()).rom, 2)
    again = off_route_frames(open_game(GameConfig()).rom, 2)
    np.testing.assert_array_equal(lost.frames, again.frames)
    for place in PLACES:
        assert (lost.place == place).sum() > 10, place
    # The grove has tiles of its own: of its frames, only the blank one between two maps shows on the way too.
    grove = {f.tobytes() for f in lost.frames[lost.place == "grove"]}
    both = grove & {f.tobytes() for f in lost.frames[lost.place == ""]}
    assert all(not any(shades) for shades in both)


def test_a_detector_of_another_codebook_is_refused(
    detector: Artifact, inputs: PolicyInputs, home: StageContext
) -> None:
    facts = {**inputs.tokenizer.facts, "codebook_sha256": "0" * 64}
    other = dataclasses.replace(inputs.tokenizer, record={**inputs.tokenizer.record, "facts": facts})
    with pytest.raises(ArtifactError, match="another codebook"):
        load_ood_detector(detector, other)
    with pytest.raises(ArtifactError, match="another codebook"):
        build_ood_detector(inputs.dataset, other, inputs.dynamics, CONFIG, home, GAME)


def test_the_command_builds_what_the_stage_builds(
    detector: Artifact, home: StageContext, capsys: pytest.CaptureFixture[str]
) -> None:
    # The fixture is asked for first: the command finds what it built.
    with pytest.raises(SystemExit) as left:
        main(["--home", str(home.store.home), "ood", "--evaluated-plays", "1", "--runtime.device", "cpu"])
    assert left.value.code == 0
    assert detector.id in capsys.readouterr().out
