"""Group `reward`: how far into a speedrun a frame is. Its gate decides whether a policy may be trained on it."""

from collections.abc import Mapping
from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.profiles import Profile
from emurl_core.reward import RewardConfig, train_reward
from emurl_pipeline.checks import Check
from emurl_pipeline.materialization import Work, stage_asset

GATE = "reward_gate"


def assets(profile: Profile) -> list[Any]:
    """`reward_model`."""

    @stage_asset(
        profile.reward,
        core=train_reward,
        group="reward",
        deps=["frame_dataset"],
        kinds={"pytorch"},
        pool="gpu",
        checks=[Check(GATE, "Held-out runs are ranked in time well enough to train a policy on.", gate)],
    )
    def reward_model(work: Work, config: RewardConfig) -> Artifact:
        """A Bradley–Terry ranking of frames within speedruns, calibrated to the share of a run that is done."""
        return train_reward(work.upstream("frame_dataset"), config, work.context)

    return [reward_model]


def gate(model: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """The verdict that the stage itself wrote, and the numbers behind it."""
    seen = {k: float(v) for k, v in model.metrics.items() if k.startswith("test/")}
    return bool(model.facts["gate_passed"]), seen
