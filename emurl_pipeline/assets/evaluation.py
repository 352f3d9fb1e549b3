"""Group `evaluation`: how far the agent gets, beside a random one. The only stage that reads the game's memory."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.evaluation import EvaluationConfig, RewardTruthConfig, evaluate, measure_reward_truth
from emurl_core.evaluation.champion import Verdict, consider
from emurl_core.game import GameConfig
from emurl_core.game.registry import GAMES
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check, WiderCheck
from emurl_pipeline.materialization import Work, stage_asset
from emurl_pipeline.partitions import DATA_VERSION_TAG

_LOOKED_BACK = 50

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
            WiderCheck(
                name=CHAMPION,
                description="The evaluated policy is the champion of its game.",
                ask_within=lambda work, _: work.answers[CHAMPION],
                blocking=False,
            ),
            WiderCheck(
                name="no_regression",
                description="True progress is not below the previous policy's for certain (95%).",
                ask_within=no_regression,
                blocking=False,
            ),
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


def no_regression(work: Work, evaluation: Artifact) -> tuple[bool, Mapping[str, Any]]:
    """Whether the policy gets no less far than the previous one that was evaluated. Without one there is nothing to lose."""
    previous = _previous(work, evaluation)
    if previous is None:
        return True, {"previous": "none of another policy"}
    from emurl_core.evaluation.comparison import difference

    try:
        found = difference(evaluation, previous)
    except ArtifactError as error:
        return True, {"previous": previous.id, "not_compared": str(error)}
    seen = {"difference": found.mean, "low": found.low, "high": found.high, "previous": previous.id}
    return found.high >= 0, seen


def _previous(work: Work, evaluation: Artifact) -> Artifact | None:
    """The latest evaluation of another policy."""
    records = work.dagster.instance.fetch_materializations(
        dg.AssetKey("evaluation"), limit=_LOOKED_BACK
    ).records
    for record in records:
        made = record.asset_materialization
        version = (made.tags or {}).get(DATA_VERSION_TAG) if made else None
        found = work.store.find("evaluation", version) if version else None
        if found is not None and _policy(found) != _policy(evaluation):
            return found
    return None


def _policy(evaluation: Artifact) -> list[str]:
    return [given["id"] for given in evaluation.record["inputs"] if given["role"] == "policy"]
