"""Metrics of a crafted table of episodes, and the table and pictures made of it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emurl_core.evaluation.animation import STRIP_PX, write_gif
from emurl_core.evaluation.episodes import Episode, write_table
from emurl_core.evaluation.pictures import milestones_picture, progress_picture
from emurl_core.evaluation.scores import milestone_table, scores

MILESTONES = ("left_title", "named", "badge")


def episode(player: str, reached: dict[str, int], true: list[float], seed: int = 0) -> Episode:
    steps = len(true) - 1
    return Episode(
        player, seed, np.zeros(steps, np.uint8), reached, np.array(true, np.float32),
        np.array([0.1, 0.2], np.float32), np.array([0, steps], np.int32),
    )  # fmt: skip


GROUPS = {
    "stochastic": [
        episode("stochastic", {"left_title": 1, "named": 4}, [0.0, 0.1, 0.5, 0.4]),
        episode("stochastic", {"left_title": 3, "named": 6}, [0.0, 0.1, 0.2, 0.7]),
    ],
    "random": [
        episode("random", {"left_title": 2, "named": 10}, [0.0, 0.1, 0.1, 0.1]),
        episode("random", {}, [0.0, 0.0, 0.0, 0.0]),
        episode("random", {"left_title": 8}, [0.0, 0.0, 0.2, 0.1]),
    ],
}


def test_metrics_of_a_crafted_table_are_right() -> None:
    found = scores(GROUPS, MILESTONES, "named")
    assert found["stochastic/true_progress"] == pytest.approx(0.6), (
        "the furthest point counts, not the last one"
    )
    assert found["random/true_progress"] == pytest.approx(0.1)
    assert found["stochastic/reached/named"] == 1.0
    assert found["random/reached/named"] == pytest.approx(1 / 3)
    assert found["random/reached/badge"] == 0.0
    badge = {
        r["player"]: r for r in milestone_table(GROUPS, MILESTONES).to_pylist() if r["milestone"] == "badge"
    }
    assert badge["random"]["low"] == 0 < badge["random"]["high"] < 0.8
    assert badge["random"]["median_steps"] is None
    assert found["stochastic/intro_left"] == 1.0
    assert found["stochastic/steps_to/named"] == 5
    assert "random/steps_to/named" not in found, "fewer than half of the random episodes got there"
    assert found["random/steps_to/left_title"] == 8
    assert found["comparison/gain"] == pytest.approx(0.5)
    assert found["comparison/above_random"] == 1.0
    assert found["comparison/probability_of_improvement"] == 1.0
    assert all(isinstance(v, float | int) for v in found.values())


def test_an_agent_like_chance_is_not_called_better() -> None:
    found = scores({"stochastic": GROUPS["random"], "random": GROUPS["random"]}, MILESTONES, "named")
    assert (found["comparison/above_random"], found["comparison/below_random"]) == (0.0, 0.0)
    assert found["comparison/probability_of_improvement"] == 0.5


def test_a_game_without_known_truth_is_compared_by_learned_progress() -> None:
    found = scores(GROUPS, (), None)
    assert not any("true_progress" in name or "reached" in name for name in found)
    assert found["stochastic/learned_progress"] == pytest.approx(0.2)
    assert found["comparison/gain"] == 0.0


def test_the_table_keeps_what_was_not_reached_as_null(tmp_path: Path) -> None:
    write_table([e for g in GROUPS.values() for e in g], MILESTONES, tmp_path / "episodes.parquet")
    table = pq.read_table(tmp_path / "episodes.parquet")
    assert table["player"].to_pylist() == ["stochastic"] * 2 + ["random"] * 3
    assert table["step_named"].to_pylist() == [4, 6, 10, None, None]
    assert table["true_progress_highest"].to_pylist() == pytest.approx([0.5, 0.7, 0.1, 0.0, 0.2])


def test_pictures_are_drawn_for_episodes_of_different_length(tmp_path: Path) -> None:
    groups = {**GROUPS, "random": [*GROUPS["random"], episode("random", {}, [0.0, 0.3])]}
    milestones_picture(groups, MILESTONES, tmp_path / "milestones.png")
    progress_picture(groups, True, tmp_path / "progress.png")
    for name in ("milestones", "progress"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 600
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_a_gif_shows_the_frames_and_the_score_growing(tmp_path: Path) -> None:
    frames = [np.full((144, 160), shade, np.uint8) for shade in (0, 3, 1)]
    write_gif(frames, np.array([4, 5]), np.array([0.0, 0.5, 1.0]), tmp_path / "agent.gif", "an episode")
    with Image.open(tmp_path / "agent.gif") as gif:
        assert gif.n_frames == 3
        assert gif.size == (320, 288 + STRIP_PX)
        blue = []
        for i, grey in enumerate((255, 0, 153)):
            gif.seek(i)
            picture = np.array(gif.convert("RGB"))
            assert picture[10, 10].tolist() == [grey] * 3
            blue.append(int((picture[288:] == (60, 140, 220)).all(-1).sum()))
    assert blue[0] == 0
    assert blue[1] == pytest.approx(blue[2] / 2, rel=0.05)


def test_a_long_episode_keeps_its_gif_short_and_ends_on_its_last_frame(tmp_path: Path) -> None:
    frames = [np.full((144, 160), step % 4, np.uint8) for step in range(1001)]
    write_gif(frames, np.zeros(1000, np.uint8), np.linspace(0, 1, 1001), tmp_path / "agent.gif", "long")
    with Image.open(tmp_path / "agent.gif") as gif:
        assert 300 <= gif.n_frames <= 402
