"""Clips: the videos at a rate that shows single presses, as the emulator drew them, and cut only once."""

import dataclasses
import shutil

import numpy as np
import pytest
from recorded_play import FPS

from emurl_core.actions import ClipsConfig, cut_clips
from emurl_core.actions.clip_reader import open_clips, stretches_of
from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.frames import FrameDataset
from emurl_core.frames.retention import prune
from emurl_core.game import Emulator, GameConfig, open_game
from emurl_core.screen import EMULATOR_FPS, unpack_shades
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.stage import StageContext
from emurl_core.synthetic.playthrough import Replay


def uncut(recorded, folder) -> StageContext:
    """A copy of the home of the recordings in which nothing was cut."""
    shutil.copytree(recorded.store.home, folder / "copy", ignore=shutil.ignore_patterns("clip", "clips"))
    return dataclasses.replace(recorded.context, store=ArtifactStore(folder / "copy"))


def test_each_video_keeps_the_split_of_its_speedrun_and_comes_at_fifteen_frames_a_second(recorded, clips):
    clips.verify()
    expected = {r.video_id: r.split for r in FrameDataset.open(recorded.dataset, recorded.store).manifest}
    found = open_clips(clips, recorded.store)
    assert {c.video_id: c.split for c in found} == expected
    for clip in found:
        np.testing.assert_allclose(np.diff(clip.pts_s), 1 / 15, atol=1e-3)
        assert clip.stretches == ((0, len(clip)),)
        assert len(clip) > 0.95 * 15 * 10
    kinds = {n["kind"] for n in clips.lineage["nodes"].values()}
    assert kinds >= {"clip", "video", "frames", "frame_dataset"}


def test_frames_are_what_the_emulator_drew_at_that_time(recorded, clips):
    for clip in open_clips(clips, recorded.store)[:2]:
        shades = unpack_shades(clip.packed(0, len(clip)))
        with Emulator(open_game(GameConfig()).rom) as emulator:
            replay = Replay(emulator, recorded.held[clip.video_id])
            shown = [int(round(t * FPS) / FPS * EMULATOR_FPS) + 1 for t in clip.pts_s]
            wrong = [(replay.advance(f) != s).mean() for f, s in zip(shown, shades, strict=True)]
        assert np.mean(wrong) < 0.01
        assert np.quantile(wrong, 0.9) < 0.02


def test_a_video_that_was_cut_is_not_cut_again(recorded, clips, monkeypatch):
    shutil.rmtree(clips.path)
    monkeypatch.setattr("emurl_core.actions.clips._judged", lambda *_: pytest.fail("cut again"))
    again = cut_clips(recorded.dataset, ClipsConfig(workers=2), recorded.context)
    assert again.id == clips.id
    assert again.facts == clips.facts


def test_at_most_so_many_videos_are_cut(recorded, clips):
    few = cut_clips(recorded.dataset, ClipsConfig(max_videos=1, workers=1), recorded.context)
    assert [c.split for c in open_clips(few, recorded.store)] == ["train", "validation", "test"]
    recorded.store.choose(clips)


def test_clips_that_were_cut_need_no_file_any_more(recorded, clips, tmp_path):
    home = tmp_path / "copy"
    shutil.copytree(recorded.store.home, home)
    context = dataclasses.replace(recorded.context, store=ArtifactStore(home))
    assert len(prune(context.store)) == 4
    again = cut_clips(recorded.dataset, ClipsConfig(workers=1), context)
    assert again.id == clips.id
    assert again.facts["missing"] == []


def test_a_file_that_was_let_go_is_fetched_again_to_be_cut_once(
    recorded, clips, tmp_path, monkeypatch, caplog
):
    context = uncut(recorded, tmp_path)
    files = {
        v: context.store.get("video", partition=v).path / "video.mp4"
        for v in context.store.partitions("video")
    }
    there = {v: file.read_bytes() for v, file in files.items()}
    changed = next(
        r.video_id for r in FrameDataset.open(recorded.dataset, context.store).manifest if r.split == "test"
    )
    prune(context.store)
    fetched = []

    def fetch_again(video_id, runs, config, context):
        fetched.append(video_id)
        files[video_id].write_bytes(there[video_id])
        video = context.store.get("video", partition=video_id)
        return dataclasses.replace(video, version="other") if video_id == changed else video

    monkeypatch.setattr("emurl_core.actions.clips.fetch_again", fetch_again)
    lean = DownloadConfig(keep_videos=False)
    cut = cut_clips(recorded.dataset, ClipsConfig(workers=1), context, lean)
    assert sorted(fetched) == sorted(files)
    assert cut.facts["missing"] == [changed]
    assert "it changed since" in caplog.text
    others = {c.video_id: c for c in open_clips(cut, context.store)}
    for clip in open_clips(clips, recorded.store):
        if clip.video_id != changed:
            np.testing.assert_array_equal(others[clip.video_id].pts_s, clip.pts_s)
            assert not files[clip.video_id].exists(), "let go again"
    fetched.clear()
    assert cut_clips(recorded.dataset, ClipsConfig(workers=1), context, lean).id == cut.id
    assert fetched == [changed], "what was cut is not fetched once more"


def test_videos_that_cannot_be_had_again_are_left_out_and_named(recorded, tmp_path):
    context = uncut(recorded, tmp_path)
    rows = FrameDataset.open(recorded.dataset, context.store).manifest
    videos = {
        split: [r.video_id for r in rows if r.split == split] for split in ("train", "validation", "test")
    }

    def let_go(video_id: str) -> None:
        (context.store.get("video", partition=video_id).path / "video.mp4").unlink()

    for video_id in (videos["train"][0], *videos["validation"]):
        let_go(video_id)
    cut = cut_clips(recorded.dataset, ClipsConfig(workers=1), context)
    assert set(cut.facts["missing"]) == {videos["train"][0], *videos["validation"]}
    assert [c.video_id for c in open_clips(cut, context.store)] == [videos["train"][1], *videos["test"]]
    shutil.rmtree(context.store.root / "clip")
    let_go(videos["train"][1])
    with pytest.raises(ArtifactError, match=r"found no training video.* 3 videos .*could not be fetched"):
        cut_clips(recorded.dataset, ClipsConfig(workers=1), context)


def test_videos_with_fewer_frames_than_asked_for_are_left_out_and_named(recorded, clips, caplog):
    # Recorded at 30 a second: of 60, none would follow another, and every label would be "none" for sure.
    with pytest.raises(
        ArtifactError, match=r"4 have fewer than 60 frames a second.*lower clips\.frames_per_second"
    ):
        cut_clips(recorded.dataset, ClipsConfig(frames_per_second=60, workers=1), recorded.context)
    assert "left out for having fewer than" in caplog.text


def test_frames_follow_each_other_only_within_a_scene_and_without_a_gap():
    times = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0]) / 15
    assert stretches_of(times, [0, 0, 0, 0, 0, 1], 1 / 15) == ((0, 3), (3, 5), (5, 6))
    assert stretches_of(np.zeros(0), [], 1 / 15) == ()


def test_artifacts_of_another_kind_are_refused(clips, context: StageContext):
    with pytest.raises(ArtifactError, match="expected one of kind 'frame_dataset'"):
        cut_clips(clips, ClipsConfig(), context)
