"""Group `policy`: the agent, trained by PPO on the learnt reward."""

from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.profiles import Profile
from emurl_pipeline.materialization import Work, stage_asset


def assets(profile: Profile) -> list[Any]:
    """`policy`."""

    @stage_asset(
        profile.policy,
        core=train_policy,
        group="policy",
        deps=[
            "tokenizer",
            "dynamics",
            "reward_model",
            "ood_detector",
            *(["warm_start"] if profile.policy.warm_start else []),
        ],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game"],
    )
    def policy(work: Work, config: PolicyConfig) -> Artifact:
        """An agent that sees frames only, trained in the emulator on differences of predicted progress."""
        tokenizer, dynamics = work.upstream("tokenizer"), work.upstream("dynamics")
        reward_model, game = work.upstream("reward_model"), work.settings("game", GameConfig)
        ood = work.upstream("ood_detector") if config.ood else None
        start = work.upstream("warm_start") if config.warm_start else None
        return train_policy(
            tokenizer, dynamics, reward_model, config, game, work.context, ood=ood, warm_start=start
        )

    return [policy]
