"""Who else plays: somebody who knows the game, and earlier policies; and what is told of how episodes were spent.

On the real game. One evaluation is played for all tests that only look at it.
"""

import dataclasses
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from policy_inputs import GAME, make_inputs

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.evaluation import EvaluationConfig, evaluate, play, write_policy_page
from emurl_core.evaluation.coverage import (
    map_of_visits,
    pictures_picture,
    tiles_visited,
    visited_share,
    walkable_tiles,
)
from emurl_core.evaluation.episodes import Episode
from emurl_core.evaluation.habits import distinct, loop_share
from emurl_core.evaluation.players import earlier_policies
from emurl_core.evaluation.scripted import require_script, scripted_player
from emurl_core.game import GAMES, OpenedGame, VectorGame, open_game
from emurl_core.game.embedded.world import START
from emurl_core.policy import PolicyConfig, load_policy, train_policy
from emurl_core.policy.ruts import WINDOW
from emurl_core.screen import Button
from emurl_core.stage import StageContext

SECOND = PolicyConfig(
    iterations=3, envs=2, workers=0, rollout_steps=24, episode_steps=12, minibatch_size=24, frame_stack=2, cached_frames=64,
    start="archive", archive_saves=2, archive_states=6, learning_rate=1e-4,
)  # fmt: skip
STEPS = 90


@pytest.fixture(scope="module")
def second(policy: Artifact, shared: StageContext) -> Artifact:
    """A later policy, with a library of start states."""
    return train_policy(*make_inputs(shared).models, SECOND, GAME, shared)


@pytest.fixture(scope="module")
def config(policy: Artifact) -> EvaluationConfig:
    return EvaluationConfig(
        players=("stochastic", "random", "scripted"), earlier=(policy.version[:10],), episodes=3, episode_steps=STEPS,
        library_starts=2, film="both", workers=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def evaluation(second: Artifact, config: EvaluationConfig, shared: StageContext) -> Artifact:
    return evaluate(second, config, GAME, shared)


@pytest.fixture(scope="module")
def rows(evaluation: Artifact) -> list[dict]:
    return pq.read_table(evaluation.path / "episodes.parquet").to_pylist()


def test_the_scripted_player_plays_the_same_episodes_and_finishes_the_game(
    policy: Artifact, shared: StageContext
) -> None:
    sight, seeds = load_policy(policy, shared.store).sight, [5, 6]
    with VectorGame(GAME, 2) as game:
        player = scripted_player(open_game(GAME), seeds)
        episodes = play(game, player, "scripted", seeds, 1_200, sight, 2_000)
    assert [e.seed for e in episodes] == seeds
    assert all("ending" in e.reached and e.true_progress.max() == 1 for e in episodes)
    assert visited_share(episodes) > 0.1
    assert (START[0], START[1], START[2]) in tiles_visited(episodes[0])


def test_who_has_no_script_is_told_so_before_anybody_plays(second: Artifact, shared: StageContext) -> None:
    other = OpenedGame(GAMES["rom"], b"", "0" * 40)
    with pytest.raises(
        ValueError,
        match=r"found the player 'scripted' for another Game Boy game, expected .*embedded.*take scripted out",
    ):
        require_script(other)
    red = scripted_player(OpenedGame(GAMES["pokemon_red"], b"", "0" * 40), [1, 2])
    pressed = np.stack([red.act(np.zeros((2, 1))) for _ in range(60)])
    assert set(pressed[:30].ravel()) == {int(Button.START)}, "the film and the title of Red"
    assert int(Button.A) in pressed[50:]


def test_an_earlier_policy_plays_the_same_episodes_and_is_in_the_lineage(
    evaluation: Artifact, policy: Artifact, second: Artifact, rows: list[dict]
) -> None:
    name = f"earlier_{policy.version[:8]}"
    seeds = {p: [r["seed"] for r in rows if r["player"] == p] for p in ("stochastic", name, "scripted")}
    assert len(set(map(tuple, seeds.values()))) == 1
    assert evaluation.facts["earlier"] == {name: policy.id}
    edges = {(source, role) for source, to, role in evaluation.lineage["edges"] if to == evaluation.id}
    assert edges == {(second.id, "policy"), (policy.id, name)}
    gain = evaluation.metrics["stochastic/true_progress"] - evaluation.metrics[f"{name}/true_progress"]
    key = f"comparison/gain_over_{name}"
    assert evaluation.metrics[key] == pytest.approx(gain)
    assert evaluation.metrics[f"{key}_low"] <= gain <= evaluation.metrics[f"{key}_high"]


def test_earlier_policies_are_found_by_version_or_by_age_and_foreign_ones_refused(tmp_path: Path) -> None:
    store, opened = ArtifactStore(tmp_path), open_game(GAME)
    for version, rom in (
        ("aa1", opened.sha1),
        ("bb2", "0" * 40),
        ("cc3", opened.sha1),
        ("dd4", opened.sha1),
        ("ee5", opened.sha1),
    ):
        with store.draft("policy", version, config={}, code_version="1") as draft:
            draft.facts |= {"game": "embedded", "rom_sha1": rom}
    now = store.get("policy", "dd4")
    assert earlier_policies(now, (), 0, store, opened) == {}
    assert list(earlier_policies(now, (), 5, store, opened)) == ["earlier_cc3", "earlier_aa1"], (
        "not later, not foreign"
    )
    assert list(earlier_policies(now, ("aa",), 1, store, opened)) == ["earlier_aa1", "earlier_cc3"]
    assert list(earlier_policies(now, ("ee5",), 0, store, opened)) == ["earlier_ee5"]
    with pytest.raises(ArtifactError, match="trained on another game"):
        earlier_policies(now, ("bb2",), 0, store, opened)
    with pytest.raises(ArtifactError, match=r"found policy@dd4 among evaluation.earlier"):
        earlier_policies(now, ("dd4",), 0, store, opened)
    with pytest.raises(ArtifactError, match="found no artifact policy@zz9"):
        earlier_policies(now, ("zz9",), 0, store, opened)


def test_somebody_who_knows_the_game_gets_further_and_sees_more_than_chance(evaluation: Artifact) -> None:
    found = evaluation.metrics
    for name in ("true_progress", "tiles_visited", "tiles_visited_each", "distinct_pictures"):
        assert found[f"scripted/{name}"] > found[f"random/{name}"], name
    assert found["random/tiles_visited"] >= found["random/tiles_visited_each"]
    assert 0 < found["scripted/menu_share"] < 1
    assert found["comparison/tiles_over_random"] == pytest.approx(
        found["stochastic/tiles_visited"] - found["random/tiles_visited"]
    )


def test_shares_of_the_metrics_are_means_of_the_tables_columns(
    evaluation: Artifact, rows: list[dict]
) -> None:
    for name in ("loop_share", "menu_share", "distinct_pictures"):
        values = [r[name] for r in rows if r["player"] == "random"]
        assert evaluation.metrics[f"random/{name}"] == pytest.approx(np.mean(values), abs=1e-6)
    places = np.frombuffer(rows[0]["places"], "<i2").reshape(-1, 3)
    assert len(places) == rows[0]["steps"] + 1


def test_episodes_from_the_library_are_reported_apart(
    evaluation: Artifact,
    second: Artifact,
    policy: Artifact,
    config: EvaluationConfig,
    rows: list[dict],
    shared: StageContext,
) -> None:
    assert {r["start"] for r in rows} == {"power-on"}
    apart = pq.read_table(evaluation.path / "library_episodes.parquet").to_pylist()
    states = {p.stem for p in (second.path / "starts").glob("*.safetensors")}
    assert {r["start"] for r in apart} <= states
    assert len({r["start"] for r in apart}) == 2
    assert {r["player"] for r in apart} == {r["player"] for r in rows}
    mine = [r for r in apart if r["player"] == "stochastic"]
    gains = [max(r["true_progress"]) - r["true_progress"][0] for r in mine]
    assert evaluation.metrics["library/stochastic/true_gain"] == pytest.approx(np.mean(gains), abs=1e-6)
    assert all(r["step_left_title"] is None for r in apart if r["true_progress"][0] > 0), "reached before"
    alone = evaluation.metrics["stochastic/true_progress"]
    assert alone == pytest.approx(
        np.mean([max(r["true_progress"]) for r in rows if r["player"] == "stochastic"])
    )
    with pytest.raises(ArtifactError, match=r"no start states with .*policy.start='archive'"):
        evaluate(policy, config.model_copy(update={"earlier": ()}), GAME, shared)


def test_an_mp4_lies_beside_the_gif_with_every_step_and_the_score(
    evaluation: Artifact, rows: list[dict]
) -> None:
    assert {"agent", "agent_best", "coverage"} <= set(evaluation.pictures)
    with av.open(str(evaluation.path / "pictures" / "agent.mp4")) as film:
        pictures = [f.to_ndarray(format="gray") for f in film.decode(video=0)]
    assert pictures[0].shape == (2 * 144 + 30, 2 * 160)
    assert len(pictures) >= STEPS + 1
    with Image.open(evaluation.pictures["agent"]) as gif:
        still = np.asarray(gif.convert("L")).astype(int)
    assert np.abs(pictures[0].astype(int) - still).mean() < 4, "the same picture, score and all"


def test_a_loop_is_few_pictures_for_half_a_minute() -> None:
    rng = np.random.default_rng(0)
    wandering = np.arange(200)
    stuck = np.concatenate([[-1], rng.integers(4, size=199)])
    assert loop_share(wandering) == 0
    assert loop_share(stuck) == 1
    half = np.concatenate([wandering[:101], np.zeros(100, int)])
    assert 0.2 < loop_share(half) < 0.5
    assert loop_share(wandering[:WINDOW]) is None
    assert distinct(np.array([7, 7, 3, 7, 9])).tolist() == [1, 1, 2, 2, 3]


def test_the_coverage_map_shows_where_somebody_stood_and_nothing_else(tmp_path: Path) -> None:
    tile = sorted(walkable_tiles())[0]
    nowhere = (0, 0, 0)
    assert nowhere not in walkable_tiles(), "what RAM says before the game runs"

    def standing(*places: tuple[int, int, int]) -> Episode:
        return Episode(
            "random", 0, np.zeros(len(places), np.uint8), {}, np.zeros(1, np.float32), np.zeros(1, np.float32),
            np.zeros(1, np.int32), places=np.array(places, np.int16), pictures=np.arange(len(places)),
        )  # fmt: skip

    here, not_here = standing(nowhere, tile, tile), standing(nowhere)
    assert tiles_visited(here) == {tile}
    assert visited_share([here, not_here]) == pytest.approx(1 / len(walkable_tiles()))
    changed = (map_of_visits([here]) != map_of_visits([not_here])).any(-1)
    assert changed.sum() == 1
    seldom = map_of_visits([here, not_here])[changed][0].astype(int)
    assert seldom.sum() > map_of_visits([here])[changed][0].astype(int).sum(), "the fewer, the lighter"
    pictures_picture({"random": [here, not_here]}, tmp_path / "seen.png")
    with Image.open(tmp_path / "seen.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_one_page_holds_all_policies_and_asks_nobody(
    evaluation: Artifact, policy: Artifact, second: Artifact, shared: StageContext, tmp_path: Path
) -> None:
    first = evaluate(
        policy,
        EvaluationConfig(players=("stochastic", "random"), episodes=2, episode_steps=STEPS, workers=0),
        GAME,
        shared,
    )
    page = write_policy_page(shared.store, tmp_path / "page" / "index.html").read_text()
    for artifact in (policy, second):
        assert artifact.version[:8] in page
    assert page.index(policy.version[:8]) < page.index(second.version[:8]), "oldest first"
    assert "policy.learning_rate" in page
    assert "policy.gamma" not in page, "the same for both"
    gain = evaluation.metrics["stochastic/true_progress"] - first.metrics["stochastic/true_progress"]
    assert f"{gain:.3g} [" in page
    assert page.count("data:image/gif;base64,") >= 2
    assert "://" not in page
    with pytest.raises(ValueError, match="found no evaluation under"):
        write_policy_page(ArtifactStore(tmp_path / "empty"))


def test_what_was_asked_for_moves_the_version(
    evaluation: Artifact, second: Artifact, config: EvaluationConfig, shared: StageContext
) -> None:
    assert evaluate(second, config, GAME, shared).id == evaluation.id, "built once"
    assert dataclasses.replace(evaluation).record["code_version"] == "2"
