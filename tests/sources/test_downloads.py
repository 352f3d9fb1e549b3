"""Downloads that go well: verified, resumable, deduplicated, polite, with cookies that never leave memory."""

import json
import subprocess
import sys
import time
from itertools import pairwise
from threading import Thread

import pytest
from video_server import Page, video, wait_until, with_tail

from emurl_core.artifacts import ArtifactError, ArtifactStore, file_sha256
from emurl_core.frames import FramesConfig, cut_frames, retention
from emurl_core.frames.retention import kept_files, let_go, prune
from emurl_core.lineage import summary
from emurl_core.sources.collect import collect
from emurl_core.sources.download import download
from emurl_core.sources.estimate import estimate, require_room
from emurl_core.sources.links import VideoLink
from emurl_core.sources.outcomes import counts
from emurl_core.sources.ytdlp import read_cookies

QUICK = ("--allow-private-hosts", "--spacing-s", "0")


def test_a_video_is_published_with_its_facts(server, desk, link):
    server.pages["/run.mp4"] = Page(video())
    one = link("/run.mp4", duration_s=6.0, title="../../etc/passwd\n\x1b[31mred")
    found = desk.bring(one)
    assert (found.outcome, found.attempts, found.next_retry_utc) == ("ok", 1, None)
    made = desk.context.store.get("video", partition=one.video_id)
    assert made.facts["duration_s"] == pytest.approx(6.0)
    assert made.facts["sha256"] == file_sha256(made.path / "video.mp4")
    assert sorted(p.name for p in desk.context.store.home.iterdir()) == [
        "artifacts",
        "cache",
        "outcomes",
        "work",
    ]
    assert not list((desk.context.store.home / "work").rglob("*.*"))


def test_the_same_row_is_not_asked_for_again_nor_one_with_new_words(server, desk, link):
    server.pages["/run.mp4"] = Page(video())
    desk.bring(link("/run.mp4"))
    assert desk.bring(link("/run.mp4")).attempts == 1
    assert desk.bring(link("/run.mp4", title="now with a title", category="any%")).outcome == "ok"
    assert len(server.log) == 1
    desk.bring(link("/run.mp4", fingerprint="another file"))
    assert len(server.log) == 2


def test_the_same_bytes_under_two_addresses_are_one_file_on_disk(server, desk, link):
    server.pages["/a.mp4"] = server.pages["/b.mp4"] = Page(video())
    a, b = link("/a.mp4"), link("/b.mp4")
    desk.bring(a)
    found = desk.bring(b)
    first, second = (desk.context.store.get("video", partition=k.video_id) for k in (a, b))
    assert (first.path / "video.mp4").stat().st_ino == (second.path / "video.mp4").stat().st_ino
    assert second.facts["same_as"] == found.same_as == first.id
    assert desk.file(a) == desk.file(b)
    let_go(first)
    assert desk.file(b) == video()


def test_hosts_are_asked_one_video_at_a_time_and_not_too_often(server, desk):
    port = server.address.rpartition(":")[2]
    server.pages = {
        f"/{i}.mp4": Page(with_tail(video(), str(i)), bytes_per_s=len(video()) / 0.4) for i in range(3)
    }
    links = [
        VideoLink("r", "web", "rom", f"http://{host}:{port}/{i}.mp4")
        for host in ("127.0.0.1", "localhost")
        for i in range(3)
    ]
    told = []
    results = collect(
        links,
        desk.runs(*links),
        desk.config(spacing_s=0.6),
        desk.context,
        parallel=6,
        told=lambda result, done, left_s: told.append((done, left_s)),
    )
    assert [r.outcome for r in results] == ["ok"] * 6
    assert [done for done, _ in told] == [1, 2, 3, 4, 5, 6]
    assert told[0][1] > told[-1][1] == 0
    # A turn is taken a little before the server hears of it: the slack is for that.
    for host in ("127.0.0.1", "localhost"):
        asked = sorted((a.began, a.at) for a in server.log if a.headers["host"].startswith(host))
        assert all(b[0] - a[0] >= 0.5 for a, b in pairwise(asked)), "spacing"
        assert all(b[0] >= a[1] - 0.01 for a, b in pairwise(asked)), "one at a time"
    asked = sorted((a.began, a.headers["host"]) for a in server.log)
    assert any(b[0] - a[0] < 0.5 for a, b in pairwise(asked)), "two hosts at once"


def test_a_host_that_wants_a_long_rest_is_left_alone_by_all_that_waits_for_it(server, desk, link):
    server.pages = {f"/{i}.mp4": Page(status=429, headers={"Retry-After": "7200"}) for i in range(5)}
    links = [link(path) for path in server.pages]
    results = collect(links, desk.runs(*links), desk.config(), desk.context)
    assert sorted(r.outcome for r in results) == ["postponed"] * 4 + ["rate_limited"]
    assert len(server.log) == 1
    assert len(desk.book.everything()) == 1, "what was not asked has no outcome"


def test_a_host_that_wants_to_rest_is_left_alone_by_other_processes_too(server, desk, link):
    server.pages = {"/a.mp4": Page(status=429, headers={"Retry-After": "7200"}), "/b.mp4": Page(video())}
    assert desk.bring(link("/a.mp4")).outcome == "rate_limited"
    found = desk.bring(link("/b.mp4"))
    assert (found.outcome, len(server.log)) == ("rate_limited", 1)
    assert found.next_retry_utc > found.last_utc
    assert desk.bring(link("/b.mp4"), retry=True).outcome == "ok"


def test_an_error_nobody_expected_stops_no_other_video(server, desk, link, monkeypatch):
    server.pages = {"/a.mp4": Page(video()), "/b.mp4": Page(with_tail(video(), "b"))}
    bad = link("/a.mp4")
    monkeypatch.setattr("emurl_core.sources.web_video._Fetch._file", _stumble_over(bad))
    links = [bad, link("/b.mp4")]
    results = {r.video_id: r.outcome for r in collect(links, desk.runs(*links), desk.config(), desk.context)}
    assert results == {bad.video_id: "unavailable", links[1].video_id: "ok"}


def _stumble_over(bad):
    from emurl_core.sources import web_video

    whole = web_video._Fetch._file

    def file(self, media):
        if self._name == bad.video_id:
            raise KeyError("surprise")
        return whole(self, media)

    return file


# Cookies.

COOKIES = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tTOPSECRET\n"


@pytest.mark.parametrize("path", ["/run.mp4", "/watch"])
def test_cookies_are_sent_and_neither_written_nor_kept(server, desk, link, tmp_path, path, caplog):
    caplog.set_level("DEBUG")
    server.pages["/watch"] = Page(b'<html><video src="/run.mp4"></video></html>', kind="text/html")
    server.pages["/run.mp4"] = Page(video(), etag='"1"')
    file = tmp_path / "cookies.txt"
    file.write_text(COOKIES)
    file.chmod(0o400)
    assert desk.bring(link(path), cookies_file=str(file)).outcome == "ok"
    assert all(a.headers["cookie"] == "session=TOPSECRET" for a in server.log)
    assert file.read_text() == COOKIES
    assert "TOPSECRET" not in caplog.text
    kept = b"".join(p.read_bytes() for p in desk.context.store.home.rglob("*") if p.is_file())
    assert b"TOPSECRET" not in kept
    assert str(file).encode() not in kept


def test_without_a_cookie_file_no_cookie_of_this_machine_is_sent(server, desk, link):
    server.pages["/run.mp4"] = Page(video())
    desk.bring(link("/run.mp4"))
    assert "cookie" not in server.log[0].headers


@pytest.mark.parametrize(
    "content", [None, '[{"name": "TOPSECRET"}]', "127.0.0.1 TOPSECRET\n", "a\tb\tc\td\tTOPSECRET\tf\tg\n"]
)
def test_a_cookie_file_that_is_none_is_refused_without_its_content(tmp_path, capfd, content):
    file = tmp_path / "cookies.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"cookies\.txt") as error:
        read_cookies(str(file))
    assert "TOPSECRET" not in str(error.value) + "".join(capfd.readouterr())


# The disk.


def test_a_full_disk_is_an_outcome_and_the_next_try_goes_on(server, desk, link, small_disk, tmp_path):
    body = video(seconds=24)
    assert len(body) > 1_000_000
    server.pages["/run.mp4"] = Page(body, etag='"1"')
    on_disk = type(desk)(type(desk.context)(ArtifactStore(small_disk)))
    runs = on_disk.runs(link("/run.mp4"))
    with pytest.raises(ArtifactError, match="disk is full"):
        download(link("/run.mp4").video_id, runs, on_disk.config(), on_disk.context)
    assert not on_disk.published(link("/run.mp4"))
    (part,) = small_disk.rglob("*.part")
    have = part.stat().st_size
    assert have > 100_000
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert on_disk.bring(link("/run.mp4")).outcome == "ok"
    assert on_disk.file(link("/run.mp4")) == body
    assert server.log[-1].range == f"bytes={have}-"


def test_an_estimate_tells_what_a_scrape_needs_and_refuses_what_cannot_fit(server, desk, link):
    server.pages["/here.mp4"] = Page(video())
    server.pages["/gone.mp4"] = Page(status=410)
    links = [
        link("/here.mp4"),
        link("/gone.mp4"),
        *(link(f"/{i}.mp4", duration_s=360.0) for i in range(9)),
        link("/x.mp4"),
    ]
    for one in links[:2]:
        desk.bring(one)
    found = estimate(links, desk.config(megabits_per_second=8.0), desk.context.store)
    assert (found.videos, found.here, found.left_out, found.guessed) == (10, 1, 1, 1)
    assert found.hours == pytest.approx(1.0)
    assert found.needed_bytes == pytest.approx(10 * 360 * (1e6 + 11520))
    require_room(found, desk.context.store.home)
    huge = estimate(
        [link(f"/{i}.mp4", duration_s=1e9) for i in range(90)],
        desk.config(max_gigabytes=1e6),
        desk.context.store,
    )
    with pytest.raises(ArtifactError, match=r"found [\d,.]+ GB free .* expected [\d,.]+ for 90 videos"):
        require_room(huge, desk.context.store.home)
    assert len(server.log) == 2, "an estimate asks nobody"


def test_videos_linked_from_this_disk_need_no_room(desk, tmp_path):
    (tmp_path / "a.mp4").write_bytes(video())
    links = [VideoLink("r", "local", "rom", (tmp_path / "a.mp4").as_uri(), duration_s=6.0)]
    assert estimate(links, desk.config(), desk.context.store).needed_bytes == pytest.approx(6 * 11520)


# Letting go of files.


@pytest.fixture
def cut(monkeypatch):
    """Makes frames of anything: finding a game is tested elsewhere."""
    from emurl_core.artifacts import Input, version_of
    from emurl_core.frames.decode import probe

    def extract(found, config, context, *_, **__):
        inputs = [Input("video", found)]
        version = version_of({"fps": config.frames_per_second}, "1", inputs)
        if (existing := context.store.reuse("frames", version, found.partition)) is not None:
            return existing
        probe(found.path / found.facts["file"])
        with context.store.draft(
            "frames", version, config=config, code_version="1", inputs=inputs, partition=found.partition
        ) as draft:
            draft.facts |= {"kept": 12}
        return context.store.get("frames", version, found.partition)

    monkeypatch.setattr(retention, "extract", extract)


@pytest.mark.usefixtures("cut")
def test_a_file_let_go_after_extraction_breaks_nothing_and_comes_back_for_new_frames(
    server, desk, link, caplog
):
    server.pages["/run.mp4"] = Page(video())
    one, config = link("/run.mp4"), desk.config(keep_videos=False)
    made = download(one.video_id, desk.runs(one), config, desk.context)
    frames = cut_frames(made, FramesConfig(), config, desk.context)
    assert not (made.path / "video.mp4").exists()
    assert kept_files(desk.context.store) == []
    assert summary(frames)["videos"][0]["sha256"] == made.facts["sha256"]
    # Neither the video nor its frames are made again ...
    assert download(one.video_id, desk.runs(one), config, desk.context) == made
    assert cut_frames(made, FramesConfig(), config, desk.context) == frames
    assert len(server.log) == 1
    # ... until frames are wanted that were not made.
    other = cut_frames(made, FramesConfig(frames_per_second=4.0), config, desk.context)
    assert other != frames
    assert other.record["inputs"] == frames.record["inputs"]
    assert "fetched again" in caplog.text
    assert len(server.log) == 2
    assert not (made.path / "video.mp4").exists()


@pytest.mark.usefixtures("cut")
def test_only_files_whose_frames_are_out_are_pruned(server, desk, link):
    server.pages = {"/a.mp4": Page(video()), "/b.mp4": Page(with_tail(video(), "b"))}
    a, b = link("/a.mp4"), link("/b.mp4")
    made = [download(k.video_id, desk.runs(k), desk.config(), desk.context) for k in (a, b)]
    cut_frames(made[0], FramesConfig(), desk.config(), desk.context)
    assert [(k.video.partition, k.cut) for k in kept_files(desk.context.store)] == sorted(
        [(a.video_id, True), (b.video_id, False)]
    )
    assert [k.video for k in prune(desk.context.store)] == [made[0]]
    assert not (made[0].path / "video.mp4").exists()
    made[1].verify()


# Two at once.


def test_two_who_want_the_same_video_fetch_it_once(server, desk, link):
    server.pages["/run.mp4"] = Page(video(), bytes_per_s=len(video()))
    one, made = link("/run.mp4"), []
    runs = desk.runs(one)
    both = [
        Thread(target=lambda: made.append(download(one.video_id, runs, desk.config(), desk.context)))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert made[0] == made[1]
    assert len(server.log) == 1


def test_two_videos_of_one_host_wait_for_each_other_whoever_fetches_them(server, desk, link):
    server.pages = {
        f"/{i}.mp4": Page(with_tail(video(), str(i)), bytes_per_s=len(video()) / 0.6) for i in range(2)
    }
    links = [link(path) for path in server.pages]
    runs = desk.runs(*links)
    both = [Thread(target=download, args=(k.video_id, runs, desk.config(), desk.context)) for k in links]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    first, second = sorted(a.at for a in server.log)
    assert second - first >= 0.5


def test_ctrl_c_ends_at_once_and_keeps_the_part(server, desk, link, tmp_path):
    server.pages["/run.mp4"] = Page(video(), etag='"1"', bytes_per_s=len(video()) / 20)
    one = link("/run.mp4")
    desk.runs(one)
    child = subprocess.Popen(
        # Under a shell's background job SIGINT is ignored, by children too.
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from emurl_core.cli import main; main()",
            *("--home", str(desk.context.store.home), "download", *QUICK),
        ],
        stderr=subprocess.PIPE,
    )
    part = desk.context.store.home / "work" / "video" / one.video_id / one.row_hash / "video.mp4.part"
    wait_until(lambda: part.is_file() and part.stat().st_size > 20_000, 60)
    began = time.monotonic()
    child.send_signal(2)
    assert child.wait(20) == 130
    assert time.monotonic() - began < 8
    assert "run the same command again" in child.stderr.read().decode()
    assert part.is_file()
    assert desk.book.everything() == [], "stopping by hand is nobody's outcome"
    server.pages["/run.mp4"].bytes_per_s = None
    assert desk.bring(one).outcome == "ok"
    assert desk.file(one) == video()


def test_the_command_line_tells_each_video_and_the_counts(server, desk, link, capsys):
    from emurl_core.cli import main

    server.pages = {"/a.mp4": Page(video()), "/b.mp4": Page(status=404)}
    desk.runs(link("/a.mp4"), link("/b.mp4"))
    home = ["--home", str(desk.context.store.home)]
    for arguments, status, said in (
        (["download", "--estimate"], 0, "2 videos to fetch"),
        (["download", *QUICK], 1, "1 ok, 1 removed"),
        (["outcomes"], 0, "removed"),
        (["videos"], 0, "no frames yet"),
        (["videos", "prune"], 0, "0 video files"),
    ):
        with pytest.raises(SystemExit) as left:
            main([*home, *arguments])
        assert left.value.code == status
        assert said in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*home, "outcomes", "--json", "--all"])
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == counts(desk.book.everything()) == {"ok": 1, "removed": 1}
    assert {v["outcome"] for v in told["videos"]} == {"ok", "removed"}
