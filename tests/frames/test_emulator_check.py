"""Right crops pass, wrong ones are quarantined, and who has no ROM can extract all the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from emurl_core.artifacts import Artifact, Input
from emurl_core.frames import DatasetConfig, EmptyDatasetError, FramesConfig, build_dataset, extract
from emurl_core.frames.emulator_check import judge_frames
from emurl_core.frames.quarantine import check_frames, plan_check
from emurl_core.frames.tile_book import TileBook, play_for_tiles, tile_book, tile_hashes
from emurl_core.game.parallel import VectorGame
from emurl_core.game.registry import GameConfig
from emurl_core.screen import Button
from emurl_core.sources.links import VideoLink
from emurl_core.sources.synthetic import recording_of
from emurl_core.stage import StageContext

Publish = Callable[..., Artifact]
GAME = GameConfig()


@pytest.fixture(scope="module")
def book() -> TileBook:
    return play_for_tiles(GAME, emulators=3, steps=300)


@pytest.fixture(scope="module")
def played() -> np.ndarray:
    """Frames of other plays than the book was learnt from, as a right crop shows them."""
    random = np.random.default_rng(7)
    with VectorGame(GAME, 2, 0, seed=77) as game:
        game.reset()
        looks = []
        for step in range(240):
            frames = game.step(random.integers(0, len(Button), 2))
            if step % 10 == 0:
                looks.append(frames.copy())
    return np.concatenate(looks)


def moved(frames: np.ndarray, right: int, down: int) -> np.ndarray:
    """As a rectangle shows them that lies so far off; what is around the game is a still pattern."""
    height, width = frames.shape[1:]
    around = np.random.default_rng(1).integers(0, 4, (3 * height, 3 * width)).astype(np.uint8)
    canvas = np.broadcast_to(around, (len(frames), *around.shape)).copy()
    canvas[:, height : 2 * height, width : 2 * width] = frames
    return canvas[:, height + down : 2 * height + down, width + right : 2 * width + right]


def scaled(frames: np.ndarray, across: float, down: float) -> np.ndarray:
    """As a rectangle shows them that is too large or too small by a factor."""
    height, width = frames.shape[1:]
    x = (width / 2 + (np.arange(width) + 0.5 - width / 2) * across - 0.5).astype(np.float32)
    y = (height / 2 + (np.arange(height) + 0.5 - height / 2) * down - 0.5).astype(np.float32)
    maps = np.meshgrid(x, y)
    return np.stack([cv2.remap(f, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE) for f in frames])


def test_frames_as_the_emulator_draws_them_pass(played: np.ndarray, book: TileBook) -> None:
    verdict = judge_frames(played, book)
    assert verdict.score is not None
    assert verdict.score > 0.5
    assert not verdict.quarantined
    assert verdict.reason == ""


def test_some_wrong_pixels_and_a_blurred_rim_are_no_wrong_crop(played: np.ndarray, book: TileBook) -> None:
    noisy = played.copy()
    rng = np.random.default_rng(3)
    wrong = rng.random(noisy.shape) < 0.01
    wrong[:, [0, -1]] = True
    noisy[wrong] = rng.integers(0, 4, wrong.sum())
    assert not judge_frames(noisy, book).quarantined


@pytest.mark.parametrize(("right", "down"), [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (2, -1)])
def test_a_crop_that_is_moved_by_a_pixel_is_found_out_with_the_way_back(
    played: np.ndarray, book: TileBook, right: int, down: int
) -> None:
    verdict = judge_frames(moved(played, right, down), book)
    assert verdict.quarantined
    assert verdict.shift == (-right, -down)
    assert "move the rectangle" in verdict.reason


@pytest.mark.parametrize(("across", "down"), [(1.02, 1.02), (0.98, 0.98), (1.02, 1.0), (1.0, 0.98)])
def test_a_crop_of_a_wrong_scale_is_found_out(
    played: np.ndarray, book: TileBook, across: float, down: float
) -> None:
    verdict = judge_frames(scaled(played, across, down), book)
    assert verdict.quarantined
    assert "scale" in verdict.reason or "move" in verdict.reason


def test_a_crop_that_is_moved_by_a_whole_tile_is_found_out(played: np.ndarray, book: TileBook) -> None:
    verdict = judge_frames(moved(played, 0, 8), book)
    assert verdict.quarantined
    assert "bottom" in verdict.reason


def test_another_picture_is_found_out(book: TileBook) -> None:
    noise = np.random.default_rng(0).integers(0, 4, (20, 144, 160)).astype(np.uint8)
    verdict = judge_frames(noise, book)
    assert verdict.quarantined
    assert "another picture" in verdict.reason


def test_blank_or_few_frames_tell_nothing(played: np.ndarray, book: TileBook) -> None:
    for frames in (played[:5], np.zeros((40, 144, 160), np.uint8)):
        verdict = judge_frames(frames, book)
        assert verdict.score is None
        assert not verdict.quarantined
        assert "too little" in verdict.reason


def test_equal_tiles_have_equal_hashes_wherever_they_are_and_stripes_have_none() -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 4, (8, 8)).astype(np.uint8)
    frame = np.zeros((1, 144, 160), np.uint8)
    frame[0, 3:11, 5:13] = frame[0, 100:108, 64:72] = tile
    frame[0, 50:58, 50:58] = tile.T
    hashes = tile_hashes(frame)[0]
    assert hashes[3, 5] == hashes[100, 64] != 0
    assert hashes[50, 50] != hashes[3, 5]
    assert hashes[20, 100] == 0
    striped = np.broadcast_to(np.arange(160, dtype=np.uint8) % 4, (1, 144, 160))
    assert not tile_hashes(striped).any()


def test_the_tiles_are_kept_by_rom_and_played_again_when_the_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "emurl_core.frames.tile_book.play_for_tiles", lambda game: play_for_tiles(game, emulators=1, steps=40)
    )
    first = tile_book(GAME, tmp_path)
    (file,) = (tmp_path / "cache" / "emulator_tiles").iterdir()
    before = file.stat().st_mtime_ns
    assert np.array_equal(tile_book(GAME, tmp_path).hashes, first.hashes)
    assert file.stat().st_mtime_ns == before
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(tile_book(GAME, tmp_path).tiles, first.tiles)
    assert file.stat().st_mtime_ns != before


def test_without_the_right_rom_the_check_is_left_out_and_says_so(tmp_path: Path) -> None:
    plans = {
        "off": plan_check("embedded", GAME, wanted=False),
        "no game": plan_check("embedded", None, wanted=True),
        "shows the game 'tiles'": plan_check("tiles", GAME, wanted=True),
        "no ROM": plan_check("rom", GameConfig(game="rom", rom=str(tmp_path / "missing.gb")), wanted=True),
    }
    for said, plan in plans.items():
        assert plan.identity == ""
        assert said in plan.left_out
        facts = check_frames(plan, tmp_path, tmp_path, 0.3)
        assert facts["emulator_check"] == "left out"
        assert facts["emulator_check_reason"] == plan.left_out
        assert facts["quarantined"] is False
    assert plan_check("embedded", GAME, wanted=True).identity


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of a synthetic speedrun."""
    home = tmp_path_factory.mktemp("recorded")
    recording_of(3, "tiny", home).shortened(30).write(home / "run.mp4", home, "run")
    return home / "run.mp4"


def embedded(context: StageContext, source: Artifact) -> Artifact:
    """The same video, said to show the embedded game."""
    with context.store.draft("video", "embedded", config={}, code_version="1", partition="run") as draft:
        shutil.copy(source.path / "video.mp4", draft.path / "video.mp4")
        draft.facts |= dict(source.facts) | {"game": "embedded"}
    return context.store.get("video", "embedded", "run")


def test_a_wrong_crop_is_quarantined_and_the_dataset_leaves_it_out(
    recorded: Path, video: Publish, runs: Publish, context: StageContext, tmp_path: Path
) -> None:
    source = embedded(context, video(recorded))
    good = extract(source, FramesConfig(), context, game=GAME)
    assert good.facts["emulator_check"] == "passed"
    assert good.facts["emulator_check_score"] > 0.5
    assert good.facts["quarantined"] is False
    assert extract(source, FramesConfig(), context).facts["emulator_check"] == "left out"

    # By hand, one Game Boy pixel to the right of the truth: judged, but a person is never overruled.
    segments = json.loads((good.path / "screens.json").read_text())["segments"]
    found = next(s for s in segments if s["rect"])
    off = found["rect"] | {"x": found["rect"]["x"] + found["rect"]["w"] / 160}
    crops = tmp_path / "crops.json"
    entry = {"segments": [{"t0_s": found["t0_s"], "t1_s": found["t1_s"], "rect": off}]}
    crops.write_text(json.dumps({"videos": {"run": entry}}))
    by_hand = extract(source, FramesConfig(crop_config=str(crops)), context, game=GAME)
    assert by_hand.facts["emulator_check"] == "failed"
    assert by_hand.facts["quarantined"] is False
    assert "given by hand" in by_hand.facts["emulator_check_reason"]

    # The same frames, as if the finder had found that rectangle.
    with context.store.draft(
        "frames", "wrong", config={}, code_version="1", partition="wrong", inputs=[Input("video", source)]
    ) as draft:
        for name in ("frames.npy", "index.parquet"):
            shutil.copy(by_hand.path / name, draft.path)
        screens = (by_hand.path / "screens.json").read_text().replace('"manual": true', '"manual": false')
        (draft.path / "screens.json").write_text(screens)
        plan = plan_check("embedded", GAME, wanted=True)
        draft.facts |= dict(by_hand.facts) | check_frames(plan, draft.path, context.store.home, 0.3)
        draft.facts |= {"video_sha256": "0", "run_id": "other"}
    wrong = context.store.get("frames", "wrong", "wrong")
    assert wrong.facts["quarantined"] is True
    assert wrong.facts["review"] is True
    assert "-1 px across" in wrong.facts["emulator_check_reason"]

    table = runs(VideoLink(run_id="r", source="s", game="embedded", url="file:///x.mp4"))
    shares = {"validation_share": 0.0, "test_share": 0.0}
    dataset = build_dataset([good, wrong], table, DatasetConfig(**shares), context)
    assert [v["video_id"] for v in dataset.facts["videos"]] == ["run"]
    assert dataset.facts["quarantined"] == ["wrong"]
    everything = build_dataset(
        [good, wrong], table, DatasetConfig(**shares, include_quarantined=True), context
    )
    assert {v["video_id"] for v in everything.facts["videos"]} == {"run", "wrong"}
    with pytest.raises(EmptyDatasetError, match="1 more are quarantined"):
        build_dataset([wrong], table, DatasetConfig(**shares), context)


def test_a_book_that_knows_few_tiles_of_the_game_still_tells_right_from_wrong(played: np.ndarray) -> None:
    none = play_for_tiles(GAME, emulators=1, steps=30)
    verdict = judge_frames(moved(played, 1, 0), none)
    assert verdict.score is None
    assert not verdict.quarantined
    assert "random play" in verdict.reason
    few = play_for_tiles(GAME, emulators=1, steps=60)
    assert len(few.hashes) < 150
    assert not judge_frames(played, few).quarantined
    assert judge_frames(moved(played, 1, 0), few).quarantined
