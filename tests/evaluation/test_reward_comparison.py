"""The four reward models in one table, without moving the current one."""

import dataclasses
from collections.abc import Mapping

import pytest
from policy_inputs import GAME, REWARD, PolicyInputs, make_inputs

from emurl_core.evaluation import RewardComparisonConfig, compare_rewards
from emurl_core.evaluation import reward_comparison as stage
from emurl_core.stage import StageContext

CONFIG = RewardComparisonConfig(plays=1, steps=40)
SETTINGS = REWARD.model_copy(update={"token_width": 8, "sequence_frames": 3, "variant": "resnet"})


class Curves:
    """Remembers what was logged."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.names |= set(metrics)


@pytest.fixture(scope="module")
def inputs(shared: StageContext) -> PolicyInputs:
    return make_inputs(shared)


def test_it_trains_what_is_missing_reuses_what_is_there_and_leaves_the_current_model(
    shared: StageContext, inputs: PolicyInputs, monkeypatch: pytest.MonkeyPatch
):
    current = shared.store.get("reward_model")
    trained, train = [], stage.train_reward

    def noting(dataset, config, *rest, **places):
        trained.append(config.variant)
        return train(dataset, config, *rest, **places)

    monkeypatch.setattr(stage, "train_reward", noting)
    curves = Curves()
    shared = dataclasses.replace(shared, sink=curves)
    # The current model is the resnet of these very settings.
    settings = REWARD.model_copy(update={"variant": "sequence"})
    found = compare_rewards(inputs.dataset, inputs.tokenizer, CONFIG, settings, GAME, shared)
    assert trained == ["tokenizer", "global", "sequence"], "the published resnet is taken as it is"
    assert {name.split("/")[0] for name in curves.names} == {f"reward-{v}" for v in trained}
    assert found.facts["models"]["resnet"] == current.id
    assert shared.store.get("reward_model").id == current.id
    assert {"global", "sequence", "tokenizer"} <= set(shared.store.partitions("reward_candidate"))
    trained.clear()
    again = compare_rewards(inputs.dataset, inputs.tokenizer, CONFIG, settings, GAME, shared)
    assert again.id == found.id
    more = CONFIG.model_copy(update={"steps": 20})
    compare_rewards(inputs.dataset, inputs.tokenizer, more, settings, GAME, shared)
    assert len(trained) == 6, "asked for"
    assert len(shared.store.versions("reward_candidate", "global")) == 1, "and found"
    found.verify()
    _check_table(found, shared)


def _check_table(found, shared):
    rows = {row["model"]: row for row in found.facts["table"]}
    assert list(rows) == ["resnet", "tokenizer", "global", "sequence", "pixel ridge"]
    for variant, identity in found.facts["models"].items():
        kind_and_partition, version = identity.split("@")
        kind, _, partition = kind_and_partition.partition("/")
        model = shared.store.get(kind, version, partition or None)
        row = rows[variant]
        assert row["τ median"] == model.metrics["test/kendall_tau_median"]
        assert row["1–5"] == model.metrics["test/pairwise_accuracy_gap_1_5"]
        assert row["parameters"] == model.facts["parameters"]
        assert row["µs/frame"] > 0
        assert found.metrics[f"{variant}/truth/pooled/spearman"] == row["truth ρ"]
    assert rows["pixel ridge"]["τ median"] == found.metrics["pixel_ridge/kendall_tau_median"]
    assert rows["pixel ridge"]["training s"] is None
    lines = (found.path / "table.md").read_text().splitlines()
    assert lines == found.facts["table_markdown"].splitlines()
    assert len(lines) == 7
    assert len({line.count("|") for line in lines}) == 1
    assert "comparison" in found.pictures


def test_without_a_variant_there_is_nothing_to_compare(shared: StageContext, inputs: PolicyInputs):
    with pytest.raises(ValueError, match="found no variants, expected at least one of resnet, tokenizer"):
        compare_rewards(
            inputs.dataset,
            inputs.tokenizer,
            CONFIG.model_copy(update={"variants": ()}),
            SETTINGS,
            GAME,
            shared,
        )
