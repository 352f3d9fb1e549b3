"""Group `policy`: the agent, trained by PPO on the learnt reward."""

from collections.abc import Mapping
from typing import Any

from emurl_core.artifacts import Artifact
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.policy.sentinels import Sentinel, sentinels_of
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check
from emurl_pipeline.materialization import Work, stage_asset


def kept_quiet(sentinel: Sentinel) -> Check:
    """The check that a training was watched by `sentinel`, and not stopped by it."""

    def ask(policy: Artifact) -> tuple[bool, Mapping[str, Any]]:
        stop = policy.facts["stopped"]
        fired = stop is not None and stop["sentinel"] == sentinel.name
        # What it was trained under, not the present settings.
        config = PolicyConfig.model_validate(policy.config)
        then = next(s for s in sentinels_of(config) if s.name == sentinel.name)
        seen: dict[str, Any] = {"figure": then.figure, "limit": then.limit}
        last = policy.metrics.get(f"train/last/{then.figure}")
        seen |= {} if last is None else {"last": float(last)}
        if fired:
            seen["stopped"] = stop["reason"]
        if not config.watched:
            seen["not_watched"] = (
                f"found sentinels={config.sentinels}, patience={config.patience} and iterations={config.iterations}, under which "
                "none can fire; switch policy.sentinels on, and set policy.patience below the iterations"
            )
        return config.watched and not fired, seen

    return Check(
        f"sentinel_{sentinel.name}",
        f"Watched, and not stopped because {sentinel.meaning}.",
        ask,
        blocking=False,
    )


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
        checks=[kept_quiet(s) for s in sentinels_of(profile.policy)],
    )
    def policy(work: Work, config: PolicyConfig) -> Artifact:
        """An agent that sees frames only, trained in the emulator on differences of predicted progress."""
        models = {name: work.upstream(name) for name in ("tokenizer", "dynamics", "reward_model")}
        game = work.settings("game", GameConfig)
        ood = work.upstream("ood_detector") if config.ood else None
        start = work.upstream("warm_start") if config.warm_start else None
        return work.run(train_policy, **models, config=config, game=game, ood=ood, warm_start=start)

    return [policy]
