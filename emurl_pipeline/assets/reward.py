"""Group `reward`: how far into a speedrun a frame is. Its gate decides whether a policy may be trained on it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from emurl_core.artifacts import Artifact
from emurl_core.evaluation import RewardComparisonConfig, compare_rewards
from emurl_core.game import GameConfig
from emurl_core.profiles import Profile
from emurl_core.reward import RewardConfig, train_reward
from emurl_pipeline.checks import Check, gate_metadata
from emurl_pipeline.materialization import Work, stage_asset

GATE = "reward_gate"


def assets(profile: Profile) -> list[Any]:
    """`reward_model`, and `reward_comparison`, which nothing is built on: `emurl run`, `emurl demo` and the job `train` leave it out.

    "Materialize all" in the UI includes it.
    """

    @stage_asset(
        profile.reward,
        core=train_reward,
        group="reward",
        # Whichever variant the profile names: a run may choose one that reads tokens, and must then wait for its own.
        deps=["frame_dataset", "tokenizer"],
        kinds={"pytorch"},
        pool="gpu",
        checks=[
            Check(
                GATE,
                "Held-out runs are ranked in time well enough to train a policy on.",
                gate,
                blocking=not profile.policy.accept_failed_gates,
            )
        ],
    )
    def reward_model(work: Work, config: RewardConfig) -> Artifact:
        """A ranking of frames within speedruns, calibrated to the share of a run that is done."""
        tokenizer = work.upstream("tokenizer") if config.reads_tokens else None
        dataset = work.upstream("frame_dataset")
        return work.run(train_reward, dataset=dataset, config=config, tokenizer=tokenizer)

    @stage_asset(
        profile.reward_comparison,
        core=compare_rewards,
        group="reward",
        deps=["frame_dataset", "tokenizer"],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game", "reward"],
    )
    def reward_comparison(work: Work, config: RewardComparisonConfig) -> Artifact:
        """The four reward models side by side, with the profile's settings: one table, on held-out runs and against the truth."""
        dataset, tokenizer = work.upstream("frame_dataset"), work.upstream("tokenizer")
        reward, game = work.settings("reward", RewardConfig), work.settings("game", GameConfig)
        comparison = work.run(
            compare_rewards, dataset=dataset, tokenizer=tokenizer, config=config, reward=reward, game=game
        )
        work.metadata["comparison_table"] = dg.MetadataValue.md(comparison.facts["table_markdown"])
        return comparison

    return [reward_model, reward_comparison]


def gate(model: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """The verdict that the stage itself wrote, what it fell short of, and the numbers behind it."""
    seen = {k: float(v) for k, v in model.metrics.items() if k.startswith("test/")}
    return bool(model.facts["gate_passed"]), gate_metadata(model) | seen
