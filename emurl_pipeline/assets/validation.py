"""Checks before what takes long: the same that `emurl validate` asks, where a run would be stopped.

Machine, game and speed are asked once there is a dataset, before the first training; what the policy will be paid by, before
its training. What a check looks at is in `emurl_core.validation`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from emurl_core.game import GameConfig
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.validation import BEFORE_POLICY, BEFORE_TRAINING, Finding, validate
from emurl_pipeline.run_config import core_config

BEFORE = {"training_ready": BEFORE_TRAINING, "policy_ready": BEFORE_POLICY}
"""Names of the steps that ask, and what each asks."""


def checks(profile: Profile) -> list[dg.AssetChecksDefinition]:
    """`training_ready` on the dataset, `policy_ready` on the reward model."""
    return [
        _ask("training_ready", "frame_dataset", [], profile),
        _ask("policy_ready", "reward_model", ["tokenizer"], profile),
    ]


def check_name(name: str) -> str:
    """A finding's name as Dagster allows it: `time penalty -> time_penalty`."""
    return name.replace(" ", "_")


def _ask(step: str, asset: str, deps: Sequence[str], profile: Profile) -> dg.AssetChecksDefinition:
    names = BEFORE[step]

    @dg.multi_asset_check(
        name=step,
        specs=[
            dg.AssetCheckSpec(
                check_name(name),
                asset=asset,
                additional_deps=deps,
                description=f"As `emurl validate` asks: {name}. Its bounds are those of the profile, section validation.",
                blocking=profile.validation.block,
            )
            for name in names
        ],
        required_resource_keys={"data", "runtime", "game"},
        # Speed is measured here: not while a training has the machine.
        pool="gpu",
    )
    def ask(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        resources: Any = context.resources
        chosen = {
            "game": core_config(resources.game, GameConfig),
            "runtime": core_config(resources.runtime, RuntimeConfig),
        }
        for finding in validate(profile.model_copy(update=chosen), resources.data.store(), names):
            yield _answer(finding)

    return ask


def _answer(finding: Finding) -> dg.AssetCheckResult:
    # A warning has not passed either, but only an error stops what comes after.
    failed = finding.verdict == "FAIL"
    return dg.AssetCheckResult(
        passed=finding.verdict == "OK",
        check_name=check_name(finding.check),
        severity=dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN,
        description=finding.message,
        metadata={"verdict": finding.verdict, "message": finding.message, **finding.figures},
    )
