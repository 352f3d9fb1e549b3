"""Group `evaluation`: how far the agent gets, beside a random one. The only stage that reads the game's memory."""

from collections.abc import Mapping
from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.evaluation import EvaluationConfig, RewardTruthConfig, evaluate, measure_reward_truth
from emurl_core.evaluation.champion import Verdict, consider
from emurl_core.game import GameConfig
from emurl_core.game.registry import GAMES
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check
from emurl_pipeline.materialization import Work, stage_asset

CHAMPION = "champion"


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
        checks=[
            Check("measured", "The evaluation has numbers, all of them finite.", measured),
            Check(CHAMPION, "The evaluated policy is the champion of its game.", None, blocking=False),
        ],
    )
    def evaluation(work: Work, config: EvaluationConfig) -> Artifact:
        """The agent from power-on beside others: milestones, steps, loops, where it went, a film; earlier policies if named."""
        game = work.settings("game", GameConfig)

        def evaluate_again(policy: Artifact) -> Artifact:
            return work.run(evaluate, policy=policy, config=config, game=game)

        made = evaluate_again(work.upstream("policy"))
        verdict = consider(made, work.store, evaluate_again)
        work.metadata |= told(verdict)
        work.answers[CHAMPION] = (verdict.reigns, {"message": verdict.reason} | told(verdict))
        work.tracked.register(made, work.store)
        return made

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


def told(verdict: Verdict) -> dict[str, Any]:
    """What an evaluation meant for the title, as metadata."""
    shown: dict[str, Any] = {
        "champion": verdict.champion or "nobody yet",
        "champion_moved": verdict.moved,
        "champion_verdict": verdict.reason,
    }
    if verdict.margin is not None:
        shown |= {
            f"champion/gain{end}": v for end, v in zip(("", "_low", "_high"), verdict.margin, strict=True)
        }
    return shown
