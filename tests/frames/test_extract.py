import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tile_world import Clip

from emurl_core.artifacts import Artifact
from emurl_core.frames import FramesConfig, NoGameScreenError, VideoError, extract
from emurl_core.frames.crop_segments import read_crop_segments
from emurl_core.frames.store import PackedFrames
from emurl_core.screen import shades_to_rgb
from emurl_core.stage import StageContext

Publish = Callable[..., Artifact]


def left_behind(context: StageContext) -> list[Path]:
    return [p for p in context.store.root.rglob("*") if "frames" in p.parts and p.is_file()] + list(
        context.store.root.glob(".staging*")
    )


def test_a_video_becomes_the_frames_the_emulator_drew(
    stream_clip: Clip, video: Publish, context: StageContext
) -> None:
    source = video(stream_clip.path, run_id="run-7")
    frames = extract(source, FramesConfig(), context)
    index = pq.read_table(frames.path / "index.parquet").to_pydict()
    shades = PackedFrames([frames.path / "frames.npy"], [frames.facts["kept"]]).shades(
        np.arange(frames.facts["kept"])
    )
    truth = [stream_clip.truth(t) for t in index["pts_s"]]
    assert all(truth)
    right = [(s == t[0]).mean() for s, t in zip(shades, truth, strict=True)]
    assert np.median(right) > 0.99
    assert frames.facts["kept"] >= 77
    assert frames.facts["kept"] + frames.facts["dropped"] == 92
    assert np.diff(index["pts_s"]).min() == pytest.approx(0.5, abs=0.04)
    dropped = pq.read_table(frames.path / "dropped.parquet").to_pydict()
    assert all(t < 3 or t >= 43 for t in dropped["pts_s"])
    assert all(dropped["reason"])
    assert frames.facts["run_id"] == "run-7"
    assert frames.facts["video_sha256"] == source.facts["sha256"]
    assert (frames.facts["start_s"], frames.facts["end_s"]) == pytest.approx((3.0, 42.5), abs=0.6)
    segments = json.loads((frames.path / "screens.json").read_text())["segments"]
    assert [s["rect"] is not None for s in segments] == [False, True, True, False]
    picture = np.asarray(Image.open(frames.pictures["found_screen"]))
    sample = shades_to_rgb(shades[1])
    assert picture.shape[1] == 1000
    assert picture.shape[0] > sample.shape[0]
    frames.verify()
    assert extract(source, FramesConfig(), context).id == frames.id


def test_a_video_without_a_game_is_refused_and_leaves_nothing(
    talk_clip: Clip, video: Publish, context: StageContext
) -> None:
    with pytest.raises(NoGameScreenError, match=r"no game screen found in .*found .*expected .*crop"):
        extract(video(talk_clip.path), FramesConfig(), context)
    assert left_behind(context) == []


def test_a_damaged_video_is_refused_and_leaves_nothing(
    tmp_path: Path, stream_clip: Clip, video: Publish, context: StageContext
) -> None:
    content = bytearray(stream_clip.path.read_bytes())
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(content[: len(content) // 3]))
    with pytest.raises(VideoError, match="download it again"):
        extract(video(path), FramesConfig(), context)
    assert left_behind(context) == []


def test_too_few_game_frames_are_refused(raw_clip: Clip, video: Publish, context: StageContext) -> None:
    with pytest.raises(NoGameScreenError, match=r"found 48 game frames.*expected at least 60"):
        extract(video(raw_clip.path), FramesConfig(min_frames=60), context)


def test_a_crop_given_by_hand_wins(
    tmp_path: Path, stream_clip: Clip, video: Publish, context: StageContext
) -> None:
    rect = {"x": 200.0, "y": 22.0, "w": 250.0, "h": 225.0}
    path = tmp_path / "crops.json"
    segment = {"t0_s": 30, "t1_s": 42, "rect": rect}
    path.write_text(json.dumps({"videos": {"test-stream": {"segments": [segment]}}}))
    source = video(stream_clip.path)
    frames = extract(source, FramesConfig(crop_config=str(path)), context)
    segments = json.loads((frames.path / "screens.json").read_text())["segments"]
    assert [s["rect"] for s in segments] == [None, rect, None]
    assert all(s["manual"] for s in segments)
    assert frames.facts["kept"] == 24
    path.write_text(json.dumps({"videos": {"test-stream": {"segments": [segment | {"t1_s": 41}]}}}))
    assert extract(source, FramesConfig(crop_config=str(path)), context).facts["kept"] == 22


def test_a_crop_by_hand_outside_the_picture_is_an_error(
    tmp_path: Path, stream_clip: Clip, video: Publish, context: StageContext
) -> None:
    path = tmp_path / "crops.json"
    rect = {"x": 300, "y": 22, "w": 250, "h": 225}
    path.write_text(json.dumps({"videos": {"stream.mp4": {"segments": [{"t0_s": 0, "rect": rect}]}}}))
    with pytest.raises(ValueError, match="480×270"):
        extract(video(stream_clip.path), FramesConfig(crop_config=str(path)), context)
    assert left_behind(context) == []


def test_frames_that_were_deleted_are_put_back_byte_for_byte(
    raw_clip: Clip, video: Publish, context: StageContext
) -> None:
    source = video(raw_clip.path)
    frames = extract(source, FramesConfig(), context)
    for path in (frames.path / "frames.npy", frames.pictures["found_screen"]):
        path.unlink()
    assert extract(source, FramesConfig(), context).id == frames.id
    frames.verify()


def test_frames_say_where_they_were_cut(stream_clip: Clip, video: Publish, context: StageContext) -> None:
    frames = extract(video(stream_clip.path), FramesConfig(), context)
    left, right = frames.facts["crop_segments"]
    assert left["frames"] + right["frames"] == frames.facts["kept"]
    assert left["rect"] == pytest.approx((20.3, 12.6, 272.0, 244.8), abs=1.5)
    assert right["rect"] == pytest.approx((196.0, 20.0, 250.0, 225.0), abs=1.5)
    assert (left["start_s"], right["end_s"]) == pytest.approx((3.0, 42.5), abs=0.6)
    assert (left["start_s"], right["end_s"]) == pytest.approx(
        (frames.facts["start_s"], frames.facts["end_s"]), abs=0.001
    )
    without = {k: v for k, v in frames.facts.items() if k != "crop_segments"}
    older = Artifact(
        "frames", frames.version, frames.partition, frames.path, {**frames.record, "facts": without}
    )
    assert read_crop_segments(older) == [left, right], "frames of older code tell it from their files"
