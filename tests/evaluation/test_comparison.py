"""Two evaluations held against each other: the difference, how sure it is, and what can't be compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input
from emurl_core.evaluation.comparison import difference
from emurl_core.evaluation.statistics import difference_of_means


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def evaluation(
    store: ArtifactStore,
    name: str,
    reached: Mapping[str, Sequence[float]],
    reward: str = "r1",
    **facts: object,
) -> Artifact:
    """One whose episodes got that far; a table like the stage's own."""
    for kind, version in (("reward_model", reward), ("policy", name)):
        if store.find(kind, version) is None:
            given = [Input("reward_model", store.get("reward_model", reward))] if kind == "policy" else []
            with store.draft(kind, version, config={}, code_version="1", inputs=given):
                pass
    policy = store.get("policy", name)
    with store.draft(
        "evaluation", name, config={}, code_version="1", inputs=[Input("policy", policy)]
    ) as draft:
        draft.facts |= {
            "rom_sha1": "f" * 40,
            "episode_steps": 100,
            "measure": "true progress",
            "policy": policy.id,
        }
        draft.facts |= facts
        rows = [(player, value) for player, values in reached.items() for value in values]
        columns = {
            "player": [r[0] for r in rows],
            "true_progress_highest": pa.array([r[1] for r in rows], pa.float32()),
            "learned_progress_highest": pa.array([1 - r[1] for r in rows], pa.float32()),
        }
        pq.write_table(pa.table(columns), draft.path / "episodes.parquet")
    return store.get("evaluation", name)


def test_the_difference_is_that_of_the_means_of_the_policy_and_of_nobody_else(store: ArtifactStore) -> None:
    new = evaluation(store, "new", {"random": [0.9] * 4, "stochastic": [0.5, 0.6, 0.7]})
    old = evaluation(store, "old", {"random": [0.1] * 4, "stochastic": [0.2, 0.3]})
    found = difference(new, old)
    assert found.mean == pytest.approx(0.35)
    assert 0.2 <= found.low < found.mean < found.high <= 0.5
    assert found.better
    assert not found.regressed
    assert (found.measure, found.player, found.new_episodes, found.old_episodes) == (
        "true progress",
        "stochastic",
        3,
        2,
    )
    back = difference(old, new)
    assert back.mean == pytest.approx(-0.35)
    assert back.regressed
    assert not back.better
    assert difference(new, old) == found, "seeded"


def test_an_evaluation_does_not_differ_from_itself_and_a_small_gain_in_few_noisy_episodes_proves_nothing(
    store: ArtifactStore,
) -> None:
    same = evaluation(store, "same", {"stochastic": [0.1, 0.9, 0.4]})
    itself = difference(same, same)
    assert itself.mean == 0
    assert itself.low < 0 < itself.high, "the two sides are drawn apart"
    a_little = evaluation(store, "little", {"stochastic": [0.15, 0.95, 0.45]})
    assert not difference(a_little, same).better


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    stream, held = np.random.default_rng(0), 0
    for turn in range(200):
        ours, theirs = stream.normal(0.5, 0.2, 40), stream.normal(0.4, 0.1, 25)
        _, low, high = difference_of_means(ours, theirs, turn)
        held += low <= 0.1 <= high
    assert 180 <= held <= 198


def test_greedy_is_compared_where_nobody_drew_buttons_and_none_in_common_is_refused(
    store: ArtifactStore,
) -> None:
    both = evaluation(store, "both", {"stochastic": [0.2], "greedy": [0.4]})
    greedy = evaluation(store, "greedy", {"greedy": [0.5]})
    assert difference(greedy, both).player == "greedy"
    assert difference(greedy, both).mean == pytest.approx(0.1)
    nobody = evaluation(store, "nobody", {"random": [0.5]})
    with pytest.raises(
        ArtifactError, match=r"no player of the policy in both .*random.*expected stochastic or greedy"
    ):
        difference(nobody, both)


def test_what_was_played_under_other_conditions_is_refused(store: ArtifactStore) -> None:
    one = evaluation(store, "one", {"stochastic": [0.5]})
    longer = evaluation(store, "longer", {"stochastic": [0.5]}, episode_steps=200)
    with pytest.raises(ArtifactError, match=r"found episode_steps 200 and 100, expected the same"):
        difference(longer, one)
    elsewhere = evaluation(store, "elsewhere", {"stochastic": [0.5]}, rom_sha1="0" * 40)
    with pytest.raises(ArtifactError, match=r"found rom_sha1 0+ and f+"):
        difference(elsewhere, one)
    with pytest.raises(ArtifactError, match="expected one of kind 'evaluation'"):
        difference(one, store.get("policy", "one"))


def test_without_truth_learned_progress_counts_but_only_by_one_judge(store: ArtifactStore) -> None:
    new = evaluation(store, "new", {"stochastic": [0.2]}, measure="learned progress")
    old = evaluation(store, "old", {"stochastic": [0.5]}, measure="learned progress")
    found = difference(new, old)
    assert (found.measure, found.mean) == ("learned progress", pytest.approx(0.3))
    other = evaluation(store, "other", {"stochastic": [0.5]}, reward="r2", measure="learned progress")
    with pytest.raises(ArtifactError, match=r"two reward models.*r1.*r2.*evaluation.earlier"):
        difference(new, other)
