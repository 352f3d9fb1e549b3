"""Each sentinel is a check of the policy: it fails when the sentinel stopped the training, and when nothing could have stopped it."""

import dagster as dg
import pytest

from emurl_core.policy import PolicyConfig
from emurl_core.policy.sentinels import sentinels_of
from emurl_core.stage import StageContext
from emurl_pipeline.assets.policy import kept_quiet

STOPPED = {"sentinel": "trap", "iteration": 9, "kept": 1, "reason": "the same frames over and over"}


def answers(
    context: StageContext, stopped: dict[str, object] | None, **config: object
) -> dict[str, dg.AssetCheckResult]:
    trained = PolicyConfig.model_validate({"iterations": 24, "patience": 8} | config)
    with context.store.draft("policy", "v1", config=trained, code_version="1") as draft:
        draft.facts["stopped"] = stopped
        draft.metrics["train/last/trapped_share"] = 0.25
    policy = context.store.get("policy")
    # The profile of now asks; what the policy was trained under answers.
    return {s.name: kept_quiet(s).answer(policy) for s in sentinels_of(PolicyConfig())}


def test_a_training_that_went_well_passes_all(context: StageContext) -> None:
    found = answers(context, None)
    assert all(a.passed for a in found.values())
    assert found["trap"].metadata["last"].value == 0.25
    assert "not_watched" not in found["trap"].metadata


def test_the_one_that_stopped_a_training_fails_and_says_why(context: StageContext) -> None:
    found = answers(context, STOPPED)
    assert {name for name, a in found.items() if not a.passed} == {"trap"}
    assert found["trap"].severity == dg.AssetCheckSeverity.WARN
    assert found["trap"].metadata["stopped"].value == STOPPED["reason"]


@pytest.mark.parametrize("config", [{"sentinels": False}, {"patience": 25}])
def test_a_training_that_nothing_could_have_stopped_fails_all_as_not_watched(
    context: StageContext, config: dict[str, object]
) -> None:
    for answer in answers(context, None, **config).values():
        assert not answer.passed
        assert answer.severity == dg.AssetCheckSeverity.WARN
        assert "none can fire" in answer.metadata["not_watched"].value
