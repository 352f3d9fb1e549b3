"""Taking a video back: out of the next dataset with its reason, never fetched or cut again, everything stale named, files gone when asked."""

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lineage_world import World
from tile_speedruns import run_ids
from tiny_models import quiet_context

from emurl_core.artifacts import ArtifactError, RunBook
from emurl_core.cli import main
from emurl_core.frames import DatasetConfig, FrameDataset, FramesConfig, cut_frames
from emurl_core.lineage import difference, summary
from emurl_core.sources.collect import collect
from emurl_core.sources.download import download
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.estimate import estimate
from emurl_core.sources.retractions import RetractedError, RetractionBook

REASON = "another game in the second half"


@pytest.fixture
def world(tmp_path):
    """Five videos, a dataset of them and a reward model."""
    world = World(quiet_context(tmp_path / "home"))
    world.fill()
    world.bad = world.add(run_ids("train", 3)[2], 7)
    return world


@pytest.fixture
def emurl(world, capsys):
    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["--home", str(world.store.home), *arguments])
        told = capsys.readouterr()
        return left.value.code, told.out + told.err

    return run


def test_the_next_dataset_leaves_it_out_with_the_reason(world, emurl):
    before = world.dataset()
    status, out = emurl("retract", world.bad, "--reason", REASON)
    assert status == 0
    assert f"{world.bad} is retracted: {REASON}" in out
    after = world.dataset()
    assert after.version != before.version
    assert world.bad not in {v["video_id"] for v in after.facts["videos"]}
    assert after.facts["retracted"] == [{"video_id": world.bad, "reason": REASON, "rows": 24}]
    assert f"frames/{world.bad}@" not in json.dumps(after.record["inputs"])
    assert len(FrameDataset.open(after, world.store)) == 4 * 24
    changes = difference(before, after, world.store)
    assert changes["videos"]["removed"] == [world.bad]
    assert changes["per_video"][0]["reason"] == f"retracted: {REASON}"


def test_another_reason_is_another_dataset_and_taking_it_back_the_first_one(world, emurl):
    before = world.dataset()
    emurl("retract", world.bad, "--reason", REASON)
    after = world.dataset()
    status, out = emurl("retract", world.bad, "--reason", "a better reason")
    assert f"{world.bad} stays retracted: a better reason" in out
    assert world.dataset().facts["retracted"][0]["reason"] == "a better reason"
    assert world.dataset().version != after.version
    status, out = emurl("retract", world.bad, "--undo")
    assert status == 0
    assert "may be used again" in out
    assert world.dataset().version == before.version


def test_everything_built_from_it_is_listed_and_shown_stale(world, emurl, tmp_path):
    first = world.reward()
    _, out = emurl("retract", world.bad, "--reason", REASON, "--json")
    told = json.loads(out)
    assert [b["id"] for b in told["stale"]] == [world.store.get("frame_dataset").id, first.id]
    assert all(b["current"] for b in told["stale"])
    second = world.reward()
    assert summary(first, world.store)["retracted"] == {world.bad: REASON}
    assert summary(second, world.store)["retracted"] == {}
    assert f"! built from a retracted video: {world.bad} ({REASON})" in emurl("lineage", first.id)[1]
    assert "! built from" not in emurl("lineage", second.id)[1]
    _, out = emurl("lineage", "--from-video", world.bad)
    assert "was retracted on 20" in out
    assert first.id in out
    assert second.id not in out
    _, out = emurl("retract", world.bad)
    assert f"  {first.id}" in out, "not the current one any more, and stale still"
    page = tmp_path / "page.html"
    emurl("lineage", first.id, "--html", str(page))
    assert REASON in page.read_text()
    stale = re.findall(r'data-id="([^"]+)"><title>[^<]*</title><rect class="box stale"', page.read_text())
    assert set(stale) == {first.id, *(b["id"] for b in told["stale"])}


def test_nothing_fetches_or_cuts_it_again(world, emurl):
    emurl("retract", world.bad, "--reason", REASON)
    runs, context = world.runs(), world.context
    for act in (
        lambda: download(world.bad, runs, DownloadConfig(), context),
        lambda: cut_frames(
            world.store.get("video", partition=world.bad), FramesConfig(), DownloadConfig(), context
        ),
    ):
        with pytest.raises(RetractedError, match=REASON):
            act()
    (result,) = collect([world.links[world.bad]], runs, DownloadConfig(), context)
    assert (result.outcome, result.asked) == ("retracted", False)
    assert estimate([world.links[world.bad]], DownloadConfig(), world.store).left_out == 1
    _, out = emurl("download")
    assert world.bad not in out.replace(f"left out as retracted: {world.bad}", "")


def test_its_files_are_deleted_when_asked_and_nothing_else(world, emurl):
    model = world.reward()
    dataset = world.store.get("frame_dataset")
    home, video, frames = (
        world.store.home,
        world.store.get("video", partition=world.bad),
        world.frames[world.bad],
    )
    RunBook(home).note(frames, mlflow_run_id="m7")
    extra = {
        "cache": home / "cache" / "tokens" / f"{dataset.version}-abc.npy",
        "unfinished": home / "work" / "video" / world.bad / "row" / "video.mp4.part",
        "picture": home
        / "mlflow_artifacts"
        / "frames"
        / "m7"
        / "artifacts"
        / "pictures"
        / "found_screen.png",
        "page": home / "lineage" / "reward_model" / "x.html",
    }
    for what, path in extra.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(world.bad if what == "page" else "x")
    other_page = home / "report" / "index.html"
    other_page.parent.mkdir()
    other_page.write_text("not about it")
    before = {p for p in home.rglob("*") if p.is_file()}
    _, out = emurl("retract", world.bad, "--reason", REASON)
    assert "--delete-files deletes them" in out
    assert before <= {p for p in home.rglob("*") if p.is_file()}
    _, out = emurl("retract", world.bad, "--delete-files")
    gone = before - {p for p in home.rglob("*") if p.is_file()}
    assert gone == {
        video.path / "video.mp4", frames.path / "frames.npy", frames.path / "pictures" / "found_screen.png", *extra.values(),
    }  # fmt: skip
    assert all(f"bytes  {path}" in out for path in gone)
    assert out.index("deleting") < out.index("7 files"), "what is deleted is said before"
    model.verify()
    assert summary(model)["videos"][0]["frames"] == 24
    found = difference(world.dataset(), dataset, world.store)
    assert found["frames"]["added"] == 24, "which frames they were is still known"
    with pytest.raises(ArtifactError, match=f"{world.bad}, which was retracted"):
        FrameDataset.open(dataset, world.store)


def test_a_deletion_that_was_killed_ends_when_it_is_called_again(world, emurl):
    world.dataset()
    code = (
        "import os, pathlib, signal, sys\n"
        "unlink, calls = pathlib.Path.unlink, []\n"
        "def last_words(path, *a, **k):\n"
        "    if '/artifacts/' in str(path):\n"
        "        calls.append(path)\n"
        "        if len(calls) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    unlink(path, *a, **k)\n"
        "pathlib.Path.unlink = last_words\n"
        "from emurl_core.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    asked = ["--home", str(world.store.home), "retract", world.bad, "--reason", REASON, "--delete-files"]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", code, *asked], cwd=root, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    book = RetractionBook(world.store.home)
    assert book.find(world.bad).files == "going"
    left = [
        p for p in world.frames[world.bad].path.rglob("*") if p.name in ("frames.npy", "found_screen.png")
    ]
    assert left
    assert "half deleted" in emurl("retract")[1]
    assert world.bad not in {v["video_id"] for v in world.dataset().facts["videos"]}, "it is out all the same"
    status, _ = emurl("retract", world.bad)
    assert status == 0
    assert not any(p.exists() for p in left)
    assert book.find(world.bad).files == "gone"
    assert "files deleted" in emurl("retract")[1]


def test_the_same_content_under_another_id_is_told(world, emurl):
    twin = world.add(run_ids("train", 3)[2], 7, address="another address")
    world.dataset()
    _, out = emurl("retract", world.bad, "--reason", REASON)
    assert f"the same file is here as {twin}, which stays in use: retract it too" in out
    assert twin in {v["video_id"] for v in world.dataset().facts["videos"]}
    emurl("retract", twin, "--reason", REASON)
    assert world.dataset().facts["train_videos"] == 2
    assert "the same file" not in emurl("retract", world.bad)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["tiles-000000000000", "--reason", "x"],
            "found no video 'tiles-000000000000', expected one of 5 known ids",
        ),
        (["in tiles", "--reason", "x"], "did you mean tiles-"),
        (["{bad}"], "found no reason"),
        (["{bad}", "--undo"], "found no retraction of"),
        (["../../etc", "--reason", "x"], "found no video"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(world, emurl, arguments, message):
    status, out = emurl("retract", *(a.format(bad=world.bad) for a in arguments))
    assert status == 1
    assert message in out.strip().splitlines()[-1]
    assert RetractionBook(world.store.home).everything() == []


def test_a_video_that_was_never_fetched_can_be_retracted(world, emurl):
    world.runs()
    for kind in ("video", "frames"):
        for path in sorted((world.store.root / kind / world.bad).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    status, out = emurl("retract", world.bad, "--reason", REASON, "--delete-files")
    assert status == 0
    assert "0 artifacts are stale" in out


def test_a_damaged_record_never_brings_a_video_back(world, emurl):
    emurl("retract", world.bad, "--reason", REASON)
    (world.store.home / "retractions" / f"{world.bad}.json").write_text('{"video_id": ')
    with pytest.raises(ArtifactError, match="retract the video again"):
        world.dataset()


def test_a_dataset_of_nothing_but_retracted_videos_says_so(world, emurl):
    for video in world.links:
        emurl("retract", video, "--reason", REASON)
    with pytest.raises(ValueError, match="5 are retracted"):
        world.dataset(DatasetConfig())


def test_frames_that_are_gone_after_an_undo_are_asked_for(world, emurl):
    emurl("retract", world.bad, "--reason", REASON, "--delete-files")
    assert "`emurl run` fetches and cuts it again" in emurl("retract", world.bad, "--undo")[1]
    with pytest.raises(ArtifactError, match=f"no frames.npy of {world.bad}.*download and extract"):
        world.dataset()


def test_many_may_write_the_book_at_once(world):
    book = RetractionBook(world.store.home)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(book.note, world.bad, f"reason {i}") for i in range(40)]
        read = [book.find(world.bad) for _ in range(40)]
        written = {w.result().at_utc for w in waiting}
    assert len(written) == 1, "each found the first one"
    assert all(r is None or r.reason.startswith("reason ") for r in read)
