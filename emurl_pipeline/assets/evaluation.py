"""Group `evaluation`: how far the agent gets, beside a random one. The only stage that reads the game's memory."""

from collections.abc import Mapping
from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.evaluation import EvaluationConfig, RewardTruthConfig, evaluate, measure_reward_truth
from emurl_core.game import GameConfig
from emurl_core.game.registry import GAMES
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check
from emurl_pipeline.materialization import Work, stage_asset


def assets(profile: Profile) -> list[Any]:
    """`evaluation`, and for games with milestones `reward_truth`, which nothing is built on.

    `emurl run`, `emurl demo` and the job `train` leave `reward_truth` out; "Materialize all" in the UI includes it.
    """

    @stage_asset(
        profile.evaluation,
        core=evaluate,
        group="evaluation",
        deps=["policy"],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game"],
        checks=[Check("measured", "The evaluation has numbers, all of them finite.", measured)],
    )
    def evaluation(work: Work, config: EvaluationConfig) -> Artifact:
        """The agent from power-on against a random one: milestones reached, steps taken, a film of it playing."""
        policy, game = work.upstream("policy"), work.settings("game", GameConfig)
        return work.run(evaluate, policy=policy, config=config, game=game)

    @stage_asset(
        profile.reward_truth,
        core=measure_reward_truth,
        group="evaluation",
        deps=["reward_model"],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game"],
    )
    def reward_truth(work: Work, config: RewardTruthConfig) -> Artifact:
        """Learned against true progress on scripted, lost and random play, and the states that would tempt a policy most."""
        reward = work.upstream("reward_model")
        tokenizer = work.store.inputs_of(reward).get("tokenizer")
        game = work.settings("game", GameConfig)
        return work.run(
            measure_reward_truth, reward_model=reward, config=config, game=game, tokenizer=tokenizer
        )

    # Without milestones there is no truth to hold anything against: it could only fail.
    return [evaluation, reward_truth] if GAMES[profile.game.game].milestones else [evaluation]


def measured(evaluation: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether there are metrics, and none is NaN or infinite."""
    broken = sorted(k for k, v in evaluation.metrics.items() if not abs(v) < float("inf"))
    return bool(evaluation.metrics) and not broken, {"metrics": len(evaluation.metrics), "not_finite": broken}
