"""The evaluation stage on the real game: who plays, what is written down, what is refused."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from policy_inputs import GAME

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.evaluation import EvaluationConfig, evaluate, play, replay
from emurl_core.evaluation.players import FixedPlayer, RandomPlayer, player_called
from emurl_core.game import VectorGame, open_game
from emurl_core.policy import load_policy
from emurl_core.screen import Button
from emurl_core.stage import StageContext

CONFIG = EvaluationConfig(episodes=4, episode_steps=40, measure_every=8, workers=0)
ALLOWED = tuple(b for b in Button if b != Button.SELECT)


@pytest.fixture(scope="module")
def evaluation(policy: Artifact, shared: StageContext) -> Artifact:
    return evaluate(policy, CONFIG, GAME, shared)


def test_every_player_plays_the_same_episodes_from_power_on(evaluation: Artifact) -> None:
    table = pq.read_table(evaluation.path / "episodes.parquet").to_pylist()
    seeds = {player: [r["seed"] for r in table if r["player"] == player] for player in CONFIG.players}
    assert len(set(map(tuple, seeds.values()))) == 1
    assert len(set(seeds["random"])) == CONFIG.episodes
    trained_on = np.random.default_rng(CONFIG.seed).integers(2**32, size=1_000).tolist()
    assert not set(seeds["random"]) & set(trained_on), (
        "those are the first episodes of a training with that seed"
    )
    assert all(r["steps"] == CONFIG.episode_steps for r in table)
    assert all(r["true_progress"][0] == 0 for r in table)
    # Pressing A and nothing else always gets through the menus; so it says who really played.
    assert all(set(r["actions"]) == {int(Button.A)} for r in table if r["player"] == "fixed")
    assert evaluation.metrics["fixed/reached/left_title"] == 1.0


def test_what_the_table_says_is_what_the_metrics_say(evaluation: Artifact) -> None:
    table = pq.read_table(evaluation.path / "episodes.parquet").to_pylist()
    for player in CONFIG.players:
        rows = [r for r in table if r["player"] == player]
        highest = np.mean([max(r["true_progress"]) for r in rows])
        assert evaluation.metrics[f"{player}/true_progress"] == pytest.approx(highest)
        reached = np.mean([r["step_left_title"] is not None for r in rows])
        assert evaluation.metrics[f"{player}/reached/left_title"] == reached
        low, high = (evaluation.metrics[f"{player}/true_progress_{end}"] for end in ("low", "high"))
        assert low <= highest <= high
    intervals = pq.read_table(evaluation.path / "milestones.parquet").to_pylist()
    assert len(intervals) == len(CONFIG.players) * 12
    assert all(row["low"] <= row["value"] <= row["high"] for row in intervals)


def test_the_stage_publishes_pictures_and_what_it_was_built_from(
    evaluation: Artifact, policy: Artifact, shared: StageContext
) -> None:
    evaluation.verify()
    assert set(evaluation.pictures) == {"agent", "agent_best", "coverage", "milestones", "progress"}
    with Image.open(evaluation.pictures["agent"]) as gif:
        assert gif.n_frames > 20
    assert evaluation.facts["policy"] == policy.id
    assert {n["kind"] for n in evaluation.lineage["nodes"].values()} >= {
        "evaluation",
        "policy",
        "tokenizer",
        "frames",
    }
    assert evaluate(policy, CONFIG, GAME, shared).id == evaluation.id, "built once"


def test_an_episode_can_be_played_again_frame_by_frame(policy: Artifact, shared: StageContext) -> None:
    trained = load_policy(policy, shared.store)
    seen: list[np.ndarray] = []

    class Watched(RandomPlayer):
        def act(self, frames: np.ndarray) -> np.ndarray:
            seen.append(frames[1].copy())
            return super().act(frames)

    with VectorGame(GAME, 2) as game:
        episodes = play(game, Watched(ALLOWED, [7, 8]), "random", [7, 8], 25, trained.sight, 8)
        last = game.frames[1].copy()
    again = list(replay(episodes[1], GAME))
    np.testing.assert_array_equal(np.stack(again), np.stack([*seen, last]))
    assert episodes[1].learned_steps.tolist() == [0, 8, 16, 24, 25]


def test_an_episode_ends_at_the_games_last_milestone_and_lost_emulators_do_not_count(
    policy: Artifact, shared: StageContext
) -> None:
    trained = load_policy(policy, shared.store)
    with VectorGame(GAME, 3) as game:
        ordinary = game.receive
        played = 0

        def receive() -> np.ndarray:
            nonlocal played
            frames = ordinary()
            played += 1
            if played >= 5:
                game.truth.milestones[0] = (1 << 12) - 1
            game.restarted[2] = played == 3
            return frames

        game.receive = receive  # type: ignore[method-assign]
        episodes = play(game, FixedPlayer(Button.B), "fixed", [1, 2, 3], 12, trained.sight, 4)
    assert [e.seed for e in episodes] == [1, 2]
    assert len(episodes[0].actions) == 5
    assert episodes[0].reached["ending"] == 5
    assert len(episodes[0].true_progress) == 6
    assert len(episodes[1].actions) == 12


def test_the_random_baseline_presses_the_allowed_buttons_alike_and_independently() -> None:
    player = RandomPlayer(ALLOWED, range(50))
    pressed = np.stack([player.act(np.zeros((50, 1))) for _ in range(400)])
    counts = np.bincount(pressed.ravel(), minlength=8)
    assert counts[Button.SELECT] == 0
    expected = 400 * 50 / 7
    assert ((counts[:7] - expected) ** 2 / expected).sum() < 22.5, (
        "chi-squared, 6 degrees of freedom, p = .001"
    )
    repeats = (pressed[1:] == pressed[:-1]).mean()
    assert repeats == pytest.approx(1 / 7, abs=0.01)
    assert (pressed[:, 0] == pressed[:, 1]).mean() == pytest.approx(1 / 7, abs=0.06)


def test_stochastic_and_greedy_are_different_players(policy: Artifact, shared: StageContext) -> None:
    trained = load_policy(policy, shared.store)
    frames = np.zeros((2, 144, 160), np.uint8)
    drawn, greedy = (
        player_called(name, trained, [0, 1], open_game(GAME)) for name in ("stochastic", "greedy")
    )
    pressed = np.stack([[drawn.act(frames), greedy.act(frames)] for _ in range(60)])
    assert len(np.unique(pressed[:, 0])) == 7, "an untrained policy draws every button"
    assert len(np.unique(pressed[20:, 1])) < 7
    np.testing.assert_array_equal(pressed[:, 1, 0], pressed[:, 1, 1])


def test_a_policy_of_another_rom_is_refused(policy: Artifact, shared: StageContext) -> None:
    foreign = dataclasses.replace(
        policy, record={**policy.record, "facts": {**policy.facts, "rom_sha1": "0" * 40}}
    )
    with pytest.raises(
        ArtifactError, match=r"trained on another game.*found.*expected.*play the ROM it was trained on"
    ):
        evaluate(foreign, CONFIG, GAME, shared)
    tokenizer = shared.store.get("tokenizer")
    with pytest.raises(ArtifactError, match="expected one of kind 'policy'"):
        evaluate(tokenizer, CONFIG, GAME, shared)
