"""Learned progress held against the truth: figures on made-up trajectories, and the stage on real play."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from policy_inputs import GAME, make_inputs

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.evaluation import RewardTruthConfig, measure_reward_truth
from emurl_core.evaluation.hackable import jumps, overrated
from emurl_core.evaluation.reward_truth_figures import Judged, judge, truth_metrics
from emurl_core.evaluation.reward_truth_trajectories import PlayerName, Trajectory, trajectories
from emurl_core.game import GameConfig, open_game
from emurl_core.game.embedded import ROM_PATH
from emurl_core.game.registry import GAMES, OpenedGame
from emurl_core.reward import RewardConfig, RewardModel
from emurl_core.stage import StageContext

CONFIG = RewardTruthConfig(plays=1, steps=60)


@pytest.fixture(scope="module")
def reward(shared: StageContext) -> Artifact:
    return make_inputs(shared).reward_model


def judged(player: PlayerName, learned: np.ndarray, true: np.ndarray, seed: int = 1) -> Judged:
    numbers = np.arange(len(true)) + 1000 * seed
    frames = np.zeros((len(true), 144, 160), np.uint8)
    frames[:, 0, :16] = numbers[:, None] >> np.arange(16) & 1
    return Judged(Trajectory(player, seed, frames, true.astype(np.float32)), learned, learned)


def test_perfect_reversed_and_empty_progress_are_told_apart():
    true = np.linspace(0, 1, 161)
    perfect = truth_metrics([judged("scripted", true**2, true)], 8)
    assert perfect["scripted/spearman"] == pytest.approx(1)
    assert perfect["scripted/pearson"] < 1
    assert perfect["scripted/empty_gain_share"] == 0
    assert truth_metrics([judged("scripted", 1 - true, true)], 8)["pooled/spearman"] == pytest.approx(-1)
    # The first half of all that is learned is gained while the truth stands still; a quarter while it falls.
    learned = np.linspace(0, 1, 161)
    still = np.concatenate([np.full(81, 0.5), np.linspace(0.5, 0.4, 41)[1:], np.linspace(0.4, 0.8, 41)[1:]])
    found = truth_metrics([judged("lost", learned, still)], 8)
    assert found["lost/empty_gain_share"] == pytest.approx(0.75, abs=0.01)
    assert found["lost/empty_gain_steps"] == pytest.approx(0.75, abs=0.01)


def test_a_trajectory_on_which_nothing_moves_says_nothing_of_correlation():
    found = truth_metrics([judged("random", np.linspace(0, 1, 50), np.zeros(50))], 8)
    assert not any("pearson" in k or "spearman" in k for k in found)
    assert found["random/empty_gain_share"] == 1
    both = truth_metrics(
        [
            judged("random", np.linspace(0, 1, 50), np.zeros(50)),
            judged("random", np.linspace(0, 1, 50), np.linspace(0, 0.5, 50), 2),
        ],
        8,
    )
    assert both["random/spearman_median"] == pytest.approx(1)


def test_a_state_is_overrated_by_what_scripted_players_were_shown_for_as_much():
    true = np.linspace(0, 1, 201)
    way = judged("scripted", 0.5 * true, true)
    # Learned progress below the truth, yet twice what is due: scales differ, and this is what would pay a policy.
    learned = np.full(200, 0.1)
    learned[120:124] = 0.35
    lost = judged("lost", learned, np.full(200, 0.4), 2)
    (worst, *rest) = overrated([way, lost])
    assert (worst.player, worst.seed, worst.step) == ("lost", 2, 120)
    assert (worst.learned, worst.true) == (pytest.approx(0.35), pytest.approx(0.4))
    assert worst.due == pytest.approx(0.2, abs=0.01)
    assert not rest, "the steps beside it are the same scene; nowhere else more than due"
    alone = overrated([judged("random", np.full(100, 0.6), np.linspace(0.2, 0.8, 100))])
    assert alone[0].due == pytest.approx(0.2), "without scripted players the truth is the measure"


def test_jumps_are_those_of_random_play_beyond_the_true_gain():
    learned = np.concatenate([np.full(50, 0.1), np.full(50, 0.4), np.full(50, 0.7)])
    true = np.concatenate([np.full(100, 0.0), np.full(50, 0.25)])
    (first, second) = jumps([judged("random", learned, true), judged("lost", learned * 1.2, true, 3)])
    assert (first.step, second.step) == (50, 100)
    assert first.excess == pytest.approx(0.3)
    assert second.excess == pytest.approx(0.05)


def test_trajectories_are_real_play_with_the_truth_beside_each_frame():
    opened = open_game(GAME)
    seen = trajectories(opened, ("scripted", "lost", "random"), 2, 90)
    assert [(t.player, len(t.frames), len(t.true)) for t in seen][::2] == [
        ("scripted", 91, 91), ("lost", 91, 91), ("random", 91, 91),
    ]  # fmt: skip
    assert seen[0].true[0] == 0
    assert seen[0].true[-1] > 0.2, "it knows the way"
    assert not np.array_equal(seen[0].frames[-1], seen[1].frames[-1]), "seeds differ"
    again = trajectories(opened, ("random",), 1, 90)[0]
    np.testing.assert_array_equal(again.frames, seen[4].frames)


def test_progress_is_read_as_frame_by_frame_whatever_is_seen_twice():
    torch.manual_seed(0)
    model = RewardModel(RewardConfig(width=4, downsample=4)).eval()
    seen = trajectories(open_game(GAME), ("random", "scripted"), 1, 40)
    for one, alone in zip(judge(model, seen, 4, torch.device("cpu")), seen, strict=True):
        expected = model.progress(torch.from_numpy(alone.frames)).numpy()
        np.testing.assert_allclose(one.progress, expected, atol=1e-5)
        assert one.smoothed[10] == pytest.approx(expected[7:11].mean(), abs=1e-5)


def test_the_stage_publishes_figures_states_and_pictures(shared: StageContext, reward: Artifact):
    found = measure_reward_truth(reward, CONFIG, GAME, shared)
    found.verify()
    assert set(found.pictures) == {"against_truth", "overrated", "jumps"}
    assert -1 <= found.metrics["pooled/spearman"] <= 1
    assert {"scripted/empty_gain_share", "lost/empty_gain_share", "random/empty_gain_share"} <= set(
        found.metrics
    )
    assert {n["kind"] for n in found.lineage["nodes"].values()} >= {"reward_model", "frame_dataset", "frames"}
    table = pq.read_table(found.path / "trajectories.parquet").to_pylist()
    assert [row["player"] for row in table] == ["scripted", "lost", "random"]
    assert all(len(row["true_progress"]) == len(row["smoothed_progress"]) == 61 for row in table)
    assert measure_reward_truth(reward, CONFIG, GAME, shared).id == found.id, "measured once"


@pytest.mark.parametrize("players", [(), ("scripted", "lost")])
def test_players_who_cannot_play_the_game_are_refused(players: tuple[PlayerName, ...]):
    red = OpenedGame(GAMES["pokemon_red"], ROM_PATH.read_bytes(), "")
    with pytest.raises(ValueError, match=r"found players=\(.*\), .*Pokémon Red.* expected random among them"):
        trajectories(red, players, 1, 16)


def test_no_players_are_refused():
    with pytest.raises(ValueError, match=r"found players=\(\), .* expected random among them"):
        trajectories(open_game(GAME), (), 1, 16)


def test_a_game_without_known_truth_and_a_foreign_artifact_are_refused(
    shared: StageContext, reward: Artifact
):
    anything = GameConfig(game="rom", rom=str(ROM_PATH))
    with pytest.raises(ValueError, match="found no milestones for another Game Boy game"):
        measure_reward_truth(reward, CONFIG, anything, shared)
    with pytest.raises(ArtifactError, match="expected one of kind 'reward_model'"):
        measure_reward_truth(shared.store.get("frame_dataset"), CONFIG, GAME, shared)
