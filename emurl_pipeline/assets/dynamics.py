"""Group `dynamics`: what the next frame will be."""

from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.dynamics import DynamicsConfig, train_dynamics
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check, passes_gate
from emurl_pipeline.materialization import Work, stage_asset

GATE = "dynamics_gate"


def assets(profile: Profile) -> list[Any]:
    """`dynamics`."""

    @stage_asset(
        profile.dynamics,
        core=train_dynamics,
        group="dynamics",
        deps=["frame_dataset", "tokenizer"],
        kinds={"pytorch"},
        pool="gpu",
        checks=[
            Check(
                GATE,
                "Held-out frames are foreseen in fewer bits than by tables, and better than by copying.",
                passes_gate,
                blocking=not profile.policy.accept_failed_gates,
            )
        ],
    )
    def dynamics(work: Work, config: DynamicsConfig) -> Artifact:
        """A next-token transformer over the tokens of consecutive frames; its blocks start the policy."""
        dataset, tokenizer = work.upstream("frame_dataset"), work.upstream("tokenizer")
        return work.run(train_dynamics, dataset=dataset, tokenizer=tokenizer, config=config)

    return [dynamics]
