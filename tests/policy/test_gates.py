"""A policy is not trained on models that are below their gate, unless it is asked to."""

from pathlib import Path

import pytest

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.stage import StageContext

KINDS = ("tokenizer", "dynamics", "reward_model")


def models(context: StageContext, failed: str | None) -> list[Artifact]:
    """Artifacts that say what a stage says about its gate; nothing in this test looks into them further."""
    for kind in KINDS:
        with context.store.draft(kind, "v", config={}, code_version="1") as draft:
            draft.facts |= {
                "codebook_sha256": "0" * 64,
                "gate": "test/figure >= 0.9",
                "gate_passed": kind != failed,
            }
            if kind != "reward_model":
                draft.facts["gate_missed"] = ["test/figure >= 0.9: found 0.4"] if kind == failed else []
    return [context.store.get(kind) for kind in KINDS]


@pytest.mark.parametrize("failed", KINDS)
def test_each_of_the_three_models_must_have_passed(tmp_path: Path, failed: str) -> None:
    context = StageContext(ArtifactStore(tmp_path))
    given = models(context, failed)
    with pytest.raises(
        ArtifactError,
        match=rf"{failed}@v is below its gate .*test/figure >= 0.9.*set policy.accept_failed_gates in the profile",
    ):
        train_policy(*given, PolicyConfig(), GameConfig(), context)
    assert context.store.find("policy") is None


@pytest.mark.parametrize(("failed", "accepts"), [(None, False), ("tokenizer", True)])
def test_past_the_gates_the_weights_are_asked_for(tmp_path: Path, failed: str | None, accepts: bool) -> None:
    context = StageContext(ArtifactStore(tmp_path))
    given = models(context, failed)
    with pytest.raises(ArtifactError, match=r"weights.safetensors: found no such file"):
        train_policy(*given, PolicyConfig(accept_failed_gates=accepts), GameConfig(), context)
