"""Fifty links, of which fifteen are bad in fifteen ways: thirty-five videos and their frames, and an outcome for each."""

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from tile_speedruns import speedrun
from video_server import Page, fragments, playlist, video, with_tail

from emurl_core.cli import main
from emurl_core.screen import shades_to_rgb

pytestmark = pytest.mark.long

GOOD = 35
FPS = 5
SECONDS = 12
HTML = b"<!DOCTYPE html><html><body>nothing here</body></html>" * 50


@cache
def game_video() -> bytes:
    """A plain recording of a tile game at twice its size."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "game.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as file:
            coding = {"preset": "ultrafast", "crf": "23", "threads": "1", "g": "5"}
            stream = file.add_stream("libx264", rate=FPS, options=coding)
            stream.width, stream.height, stream.pix_fmt = 320, 288, "yuv420p"
            for shades in speedrun(1, SECONDS * FPS):
                picture = shades_to_rgb(np.kron(shades, np.ones((2, 2), np.uint8)))
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            file.mux(stream.encode())
        return path.read_bytes()


def test_fifty_videos_of_which_fifteen_are_bad(server, desk, link, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    good, body = [f"/{i}.mp4" for i in range(GOOD)], game_video()
    server.pages = {path: Page(with_tail(body, path)) for path in good}
    bad: dict[str, tuple[Page | None, str]] = {
        "/404.mp4": (Page(status=404), "removed"),
        "/410": (Page(status=410), "removed"),
        "/401.mp4": (Page(status=401), "login"),
        "/403.mp4": (Page(status=403), "forbidden"),
        "/451.mp4": (Page(status=451), "geo"),
        "/503.mp4": (Page(status=503), "unavailable"),
        "/cut.mp4": (Page(body, length=False, ranges=False, cut_after=len(body) * 9 // 10), "corrupt"),
        "/dropped.mp4": (Page(body, cut_after=len(body) // 2, ranges=False), "network"),
        "/page.mp4": (Page(HTML, kind="video/mp4"), "corrupt"),
        "/page": (Page(HTML, kind="text/html"), "unsupported"),
        "/stalled.mp4": (Page(body, stall_after=1000), "timeout"),
        "/silent.mp4": (Page(video(), status=200), "no_game_screen"),
        "/noise.mp4": (Page(video(seed=3), status=200), "no_game_screen"),
        "/longer.mp4": (Page(with_tail(body, "longer")), "corrupt"),
    }
    server.pages |= {path: page for path, (page, _) in bad.items() if page}
    hole = playlist(server, "/hole", fragments())
    del server.pages["/hole/2.ts"]
    bad[hole] = (None, "corrupt")
    assert len(bad) == 15
    links = [link(path) for path in (*good, *bad) if path != "/longer.mp4"] + [
        link("/longer.mp4", duration_s=600.0)
    ]
    desk.runs(*links)

    home = str(desk.context.store.home)
    quick = ["--allow-private-hosts", "--spacing-s", "0", "--request-spacing-s", "0", "--retries", "1"]
    quick += ["--retry-wait-s", "0.05", "--timeout-s", "1", "--per-host", "2"]
    assert emurl("--home", home, "download", "--parallel", "2", *quick) == 1
    assert "37 ok, 4 corrupt, 2 removed" in capsys.readouterr().out
    finder = ["--keyframes", "8", "--min-pictures", "8", "--parallel", "1"]
    assert emurl("--home", home, "extract", *finder) == 1

    store = desk.context.store
    outcomes = {o.video_id: o.outcome for o in desk.book.everything()}
    assert outcomes == {link(p).video_id: "ok" for p in good} | {
        link(p).video_id: o for p, (_, o) in bad.items()
    }
    assert Counter(outcomes.values())["ok"] == GOOD
    assert set(store.partitions("frames")) == {link(p).video_id for p in good}
    for path in good:
        assert desk.file(link(path)) == server.pages[path].body
        assert store.get("frames", partition=link(path).video_id).facts["kept"] >= 20

    # A second scrape of the same list asks for nothing that is here or hopeless, and reads nothing again.
    settled = {path for path in (*good, *bad) if desk.book.find(link(path).video_id).next_retry_utc is None}
    assert len(settled) == GOOD + 7
    asked = Counter(a.path for a in server.log if a.path in settled)
    assert emurl("--home", home, "download", *quick) == 1
    assert Counter(a.path for a in server.log if a.path in settled) == asked
    frames = {a.id: a.path.stat().st_mtime_ns for a in store.everything() if a.kind == "frames"}
    assert emurl("--home", home, "extract", *finder) == 1
    assert frames == {a.id: a.path.stat().st_mtime_ns for a in store.everything() if a.kind == "frames"}


def emurl(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)
