"""Group `ood`: has any speedrun shown something like this frame? Where none has, learned progress is not believed."""

from collections.abc import Mapping
from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.game import GameConfig
from emurl_core.ood import OODConfig, build_ood_detector
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check
from emurl_pipeline.materialization import Work, stage_asset

MOST_FALSE_ALARMS = 0.02
LEAST_AUROC = {"grove": 0.95, "pit": 0.85, "off_path": 0.85}
"""Of places that speedruns never show, and of what lies aside of the way on a map they all cross."""


def assets(profile: Profile) -> list[Any]:
    """`ood_detector`."""

    @stage_asset(
        profile.ood,
        core=build_ood_detector,
        group="ood",
        deps=["frame_dataset", "tokenizer", "dynamics"],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game"],
        checks=[
            # A detector that doubts everything would pay the policy next to nothing for hours: it goes no further.
            Check(
                "ood_trusts_speedruns",
                "Gains in unseen speedruns keep most of their worth.",
                trusts_speedruns,
                # A policy that does not ask the detector need not wait for it.
                blocking=not profile.policy.accept_failed_gates and profile.policy.ood,
            ),
            # One that misses places leaves the policy where it would be without a detector: that is worth a warning.
            Check(
                "ood_few_false_alarms",
                "At most 2% of unseen speedruns' frames are flagged.",
                few_false_alarms,
                False,
            ),
            Check(
                "ood_finds_places", "Places that speedruns never show are told apart.", finds_places, False
            ),
        ],
    )
    def ood_detector(work: Work, config: OODConfig) -> Artifact:
        """The codes of the frames that speedruns show, and how far from them unseen speedruns lie."""
        models = {name: work.upstream(name) for name in ("tokenizer", "dynamics")}
        dataset, game = work.upstream("frame_dataset"), work.settings("game", GameConfig)
        return work.run(build_ood_detector, dataset=dataset, **models, config=config, game=game)

    return [ood_detector]


def trusts_speedruns(detector: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """The verdict that the stage itself wrote, and the number behind it."""
    return bool(detector.facts["gate_passed"]), {
        "mean_multiplier": detector.metrics["test/mean_multiplier"],
        "gate": detector.facts["gate"],
    }


def few_false_alarms(detector: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether the 99th percentile holds on speedruns that nothing was built from."""
    flagged = detector.metrics["test/flagged_above_99"]
    return flagged <= MOST_FALSE_ALARMS, {"flagged": flagged, "at_most": MOST_FALSE_ALARMS}


def finds_places(detector: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether each strange place of the embedded game reaches its area under the curve; True where no game tells."""
    found = {place: detector.metrics.get(f"test/auroc_{place}") for place in LEAST_AUROC}
    missed = [p for p, area in found.items() if area is not None and not area >= LEAST_AUROC[p]]
    return not missed, {**{p: a for p, a in found.items() if a is not None}, "missed": missed}
