import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tile_world import Clip, Layout, record

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.cli import main
from emurl_core.frames import FramesConfig, extract
from emurl_core.frames.parallel import Ended, Job, Read, cut_all
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.stage import StageContext

pytestmark = pytest.mark.long

Publish = Callable[..., Artifact]
WHOLE = Layout(size=(320, 288), rect=(0, 0, 320, 288), interpolation="nearest", webcam=None, timer=None)
FILES = ("frames.npy", "index.parquet", "dropped.parquet", "screens.json", "pictures/found_screen.png")


@pytest.fixture(scope="module")
def plain_clips(clips: Path) -> list[Path]:
    return [record(clips / f"plain-{i}.mp4", [(14, WHOLE)], seed=i, fps=15).path for i in range(3)]


@pytest.fixture
def home(
    plain_clips: list[Path], video: Publish, context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Three videos are downloaded; `emurl` in this process looks there."""
    for path in plain_clips:
        video(path)
    monkeypatch.setenv("EMURL_HOME", str(context.store.home))
    monkeypatch.chdir(context.store.home)
    return context.store.home


def emurl(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def published(home: Path) -> dict[str, Artifact]:
    store = ArtifactStore(home)
    return {video: store.get("frames", partition=video) for video in store.partitions("frames")}


def test_a_killed_extraction_goes_on_where_it_was_and_makes_the_same_bytes(
    home: Path, context: StageContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = [sys.executable, "-m", "emurl_core.cli", "extract", "--parallel", "2"]
    running = subprocess.Popen(code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not published(home):
        assert running.poll() is None, "it ended by itself"
        time.sleep(0.01)
    children = [int(p) for p in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()]
    running.kill()
    running.wait()
    first = published(home)
    assert 1 <= len(first) < 3
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline, "the killed command's processes work on"
        time.sleep(0.05)
    first = published(home)
    assert len(first) < 3, "the killed command's processes finished everything"
    before = {v: (a.path / "artifact.json").read_bytes() for v, a in first.items()}

    assert emurl("extract", "--parallel", "2") == 0
    out = capsys.readouterr().out
    assert f"{len(first)} there already" in out
    assert f"{3 - len(first)} cut" in out
    everything = published(home)
    assert len(everything) == 3
    assert {v: (everything[v].path / "artifact.json").read_bytes() for v in before} == before
    elsewhere = StageContext(ArtifactStore(tmp_path / "other"))
    for video, frames in everything.items():
        source = context.store.get("video", partition=video)
        reference = extract(source, FramesConfig(), elsewhere)
        assert reference.version == frames.version
        for name in FILES:
            assert (reference.path / name).read_bytes() == (frames.path / name).read_bytes(), name


def test_bad_videos_stop_no_other_and_show_in_the_exit_status(
    home: Path, video: Publish, talk_clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(talk_clip.path.read_bytes()[:9000])
    bad = [video(talk_clip.path), video(damaged)]
    assert emurl("extract") == 1
    out = capsys.readouterr().out
    assert len(published(home)) == 3
    assert "3 cut, 2 failed" in out
    assert "its process ended" not in out
    assert "[5/5]" in out
    for artifact in bad:
        (line,) = [k for k in out.splitlines() if f"] {artifact.partition}: " in k]
        assert "expected" in line


def test_a_process_that_is_killed_costs_its_own_video_only(home: Path, context: StageContext) -> None:
    videos = context.store.partitions("video")
    job = Job(home, FramesConfig(), DownloadConfig())
    ended: list[Ended] = []
    victim = ""
    for each in cut_all(videos, job, processes=2):
        if isinstance(each, Read) and not victim:
            victim = each.video
            os.kill(
                next(p.pid for p in multiprocessing.active_children() if p.name == "cut " + victim),
                signal.SIGKILL,
            )
        if isinstance(each, Ended):
            ended.append(each)
    assert sorted(e.video for e in ended) == sorted(videos)
    lost = [e for e in ended if e.frames_id is None]
    assert [e.video for e in lost] == [victim]
    assert "SIGKILL" in lost[0].message
    assert sorted(published(home)) == sorted(set(videos) - {victim})
    assert multiprocessing.active_children() == []


def test_progress_tells_how_much_of_a_video_is_read(home: Path, context: StageContext) -> None:
    (video, *_) = context.store.partitions("video")
    news = list(cut_all([video], Job(home, FramesConfig(), DownloadConfig()), processes=1))
    assert 10 <= sum(n.seconds for n in news if isinstance(n, Read)) <= 14
    assert news[-1] == Ended(video, published(home)[video].id)


def test_one_file_becomes_a_folder_of_frames_and_mistakes_leave_none(
    home: Path, plain_clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, new = tmp_path / "frames of one", tmp_path / "new"
    assert emurl("extract", str(plain_clips[0]), "--out", str(out)) == 0
    assert capsys.readouterr().out.startswith("28 frames in")
    assert {p.name for p in out.iterdir()} == {p.partition("/")[0] for p in FILES}
    for arguments, message in (
        ([str(plain_clips[1]), "--out", str(out)], "found files in"),
        ([str(tmp_path / "no.mp4"), "--out", str(new)], "found no file"),
        ([__file__, "--out", str(new)], "cannot decode"),
        (["--out", str(new)], "found 0 videos beside --out"),
        ([str(plain_clips[1])], "add --out DIR"),
    ):
        assert emurl("extract", *arguments) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith((".", "new"))]
