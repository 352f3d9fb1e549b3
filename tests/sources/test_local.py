"""A folder of the user's own videos, and the check that a video is whole."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from emurl_core.artifacts import ArtifactError, ArtifactStore, file_sha256
from emurl_core.sources import local
from emurl_core.sources.download import check_duration, download
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.inspection import inspect_video
from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.registry import FetchError
from emurl_core.sources.scrape import ScrapeConfig, scrape, video_ids
from emurl_core.stage import StageContext


def write_video(path: Path, seconds: float = 2, fps: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"g": "15"})
        stream.width, stream.height, stream.pix_fmt = 320, 288, "yuv420p"
        noise = np.random.default_rng(len(path.name)).integers(0, 255, (288, 320, 3), dtype=np.uint8)
        for i in range(int(seconds * fps)):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, i, axis=1), format="rgb24"))
            )
        container.mux(stream.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_video(tmp_path / "videos" / "first.mp4")
    write_video(tmp_path / "videos" / "long run" / "part 1.mp4")
    write_video(tmp_path / "videos" / "long run" / "part 2.mkv")
    (tmp_path / "videos" / "notes.txt").write_text("no video")
    return tmp_path / "videos"


def config(folder: Path, **changes) -> ScrapeConfig:
    return ScrapeConfig(source="local", game="rom", local_folder=str(folder), **changes)


def test_files_are_runs_and_sub_folders_are_runs_of_parts(folder, context):
    links = read_links(scrape(config(folder), context))
    assert {(link.title, link.part) for link in links} == {("first", 0), ("part 1", 0), ("part 2", 1)}
    assert len({link.run_id for link in links}) == 2
    assert len({link.video_id for link in links}) == 3


def test_an_unchanged_folder_gives_the_same_version_and_a_new_file_another(folder, context):
    before = scrape(config(folder), context)
    assert scrape(config(folder), context) == before
    write_video(folder / "second.mp4", 1)
    after = scrape(config(folder), context)
    assert after.version != before.version
    assert set(video_ids(before)) < set(video_ids(after))


def test_moving_the_folder_keeps_the_runs_identity(folder, context, tmp_path):
    before = {link.run_id for link in read_links(scrape(config(folder), context))}
    os.rename(folder, tmp_path / "elsewhere")
    assert {link.run_id for link in read_links(scrape(config(tmp_path / "elsewhere"), context))} == before


def test_a_downloaded_video_is_the_same_bytes_with_its_facts(folder, context):
    runs = scrape(config(folder), context)
    link = next(link for link in read_links(runs) if link.title == "first")
    video = download(link.video_id, runs, DownloadConfig(), context)
    assert video.facts["sha256"] == file_sha256(folder / "first.mp4")
    assert (video.facts["width_px"], video.facts["height_px"]) == (320, 288)
    assert video.facts["duration_s"] == pytest.approx(2, abs=0.01)
    assert video.facts["fps"] == pytest.approx(30)
    video.verify()
    assert (folder / "first.mp4").is_file()


def test_a_video_is_copied_where_it_cannot_be_linked(folder, context, monkeypatch):
    def other_file_system(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(local.os, "link", other_file_system)
    runs = scrape(config(folder), context)
    video = download(video_ids(runs)[0], runs, DownloadConfig(), context)
    video.verify()
    assert (video.path / video.facts["file"]).stat().st_nlink == 1


def test_the_same_row_is_not_fetched_again(folder, context):
    runs = scrape(config(folder), context)
    link = next(link for link in read_links(runs) if link.title == "first")
    video = download(link.video_id, runs, DownloadConfig(), context)
    (folder / "first.mp4").unlink()
    assert download(link.video_id, runs, DownloadConfig(), context) == video


@pytest.mark.parametrize("damage", ["cut", "html", "empty"])
def test_a_broken_video_is_refused_and_nothing_is_published(folder, context, damage):
    file = folder / "first.mp4"
    whole = file.read_bytes()
    file.write_bytes(
        {"cut": whole[: len(whole) // 2], "html": b"<html>gone</html>" * 99, "empty": b""}[damage]
    )
    runs = scrape(config(folder), context)
    link = next(link for link in read_links(runs) if link.title == "first")
    with pytest.raises(FetchError, match=r"video\.mp4: found .*expected a whole video") as error:
        download(link.video_id, runs, DownloadConfig(), context)
    assert error.value.outcome == "corrupt"
    assert context.store.find("video", partition=link.video_id) is None
    assert not list((context.store.home / "work").rglob("*/*/*"))


def test_a_stream_cut_short_is_noticed_by_its_duration(tmp_path):
    write_video(tmp_path / "run.ts", 4)
    whole = (tmp_path / "run.ts").read_bytes()
    link = VideoLink(
        "r", "local", "rom", "file:///run.ts", duration_s=inspect_video(tmp_path / "run.ts").duration_s
    )
    (tmp_path / "run.ts").write_bytes(whole[: 188 * (len(whole) // 188 * 6 // 10)])
    with pytest.raises(FetchError, match="as announced"):
        check_duration(link, inspect_video(tmp_path / "run.ts"), 0.01)


def test_a_vanished_video_says_so(folder, context):
    runs = scrape(config(folder), context)
    (folder / "first.mp4").unlink()
    link = next(link for link in read_links(runs) if link.title == "first")
    with pytest.raises(FetchError, match="put it back or scrape again"):
        download(link.video_id, runs, DownloadConfig(), context)


def test_a_video_on_a_full_disk_is_explained(folder, small_disk):
    write_video(folder / "big.mp4", 12)
    assert (folder / "big.mp4").stat().st_size > 1_000_000
    context = StageContext(ArtifactStore(small_disk))
    runs = scrape(config(folder), context)
    link = next(link for link in read_links(runs) if link.title == "big")
    with pytest.raises(ArtifactError, match="disk is full"):
        download(link.video_id, runs, DownloadConfig(), context)
    assert context.store.find("video", partition=link.video_id) is None
    assert not list(small_disk.rglob("video.mp4"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "local"}, "empty local_folder"),
        ({"source": "local", "local_folder": "/nowhere/at/all"}, "no folder /nowhere/at/all"),
        ({"source": "carrier pigeon"}, "'carrier pigeon', expected one of"),
    ],
)
def test_a_source_that_cannot_be_read_says_why(settings, message, context):
    with pytest.raises(ValueError, match=message):
        scrape(ScrapeConfig(**settings), context)


def test_a_folder_without_videos_says_what_it_looks_for(tmp_path, context):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match=r"no video in .*\.mp4"):
        scrape(config(tmp_path / "nothing"), context)


def test_a_category_nobody_ran_is_an_error(folder, context):
    with pytest.raises(ValueError, match="no video link"):
        scrape(config(folder, category="any%"), context)
