"""A download in a process of its own that is really killed: the next one goes on from the part, and nothing is fetched twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from video_server import Page, fragments, playlist, video, wait_until

from emurl_core.sources.links import VideoLink

CODE = """
import json, sys
from emurl_core.artifacts import ArtifactStore
from emurl_core.sources.download import download
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.stage import StageContext
home, video_id, settings = sys.argv[1:]
store = ArtifactStore(home)
download(video_id, store.get("speedrun_runs"), DownloadConfig(**json.loads(settings)), StageContext(store))
"""


def start(home: Path, link: VideoLink, **settings: object) -> "subprocess.Popen[bytes]":
    quick = {"allow_private_hosts": True, "spacing_s": 0, "request_spacing_s": 0, **settings}
    return subprocess.Popen([sys.executable, "-c", CODE, str(home), link.video_id, json.dumps(quick)])


@pytest.mark.parametrize("etag", ['"1"', None], ids=["with an etag", "with nothing"])
def test_a_killed_download_goes_on_from_its_part(server, desk, link, etag):
    body, one, home = video(seconds=12), link("/run.mp4"), desk.context.store.home
    desk.runs(one)
    server.pages["/run.mp4"] = Page(body, etag=etag, bytes_per_s=len(body) / 4)
    part = home / "work" / "video" / one.video_id / one.row_hash / "video.mp4.part"
    child = start(home, one)
    wait_until(lambda: part.is_file() and part.stat().st_size > len(body) / 3, 120)
    child.kill()
    assert child.wait() == -9
    assert not desk.published(one)
    have = part.stat().st_size
    server.pages["/run.mp4"].bytes_per_s = None
    assert desk.bring(one).outcome == "ok"
    assert desk.file(one) == body
    assert desk.book.find(one.video_id).attempts == 1, "a killed try leaves no outcome"
    last = server.log[-1]
    seam = 0 if etag else 65536
    assert last.range == f"bytes={have - seam}-"
    assert last.sent == len(body) - have + seam


def test_a_killed_download_of_fragments_goes_on_at_its_fragment(server, desk, link):
    bodies = fragments(count=12)
    path = playlist(server, "/hls", bodies)
    one, home = link(path), desk.context.store.home
    desk.runs(one)
    for i in range(12):
        server.pages[f"/hls/{i}.ts"].etag = f'"{i}"'
        server.pages[f"/hls/{i}.ts"].bytes_per_s = len(bodies[i]) / 0.3
    child = start(home, one)
    wait_until(lambda: server.pages["/hls/6.ts"].asked == 1, 120)
    child.kill()
    child.wait()
    # What a process killed in mid-write leaves behind the last whole fragment is cut off.
    part = home / "work" / "video" / one.video_id / one.row_hash / "video.mp4.part"
    with part.open("ab") as file:
        file.write(b"half a fragment")
    for i in range(12):
        server.pages[f"/hls/{i}.ts"].bytes_per_s = None
    assert desk.bring(one).outcome == "ok"
    assert desk.file(one) == b"".join(bodies)
    sent = {i: sum(a.status == 200 for a in server.asked(f"/hls/{i}.ts")) for i in range(12)}
    assert [n for i, n in sent.items() if i != 6] == [1] * 11
    assert sent[6] <= 2, "the one it was killed in"


def test_a_download_killed_between_the_last_byte_and_publishing_asks_nobody_again(server, desk, link):
    body, one = video(), link("/run.mp4")
    server.pages["/run.mp4"] = Page(body, etag='"1"', stall_after=len(body) - 1)
    assert desk.bring(one, timeout_s=0.3, retries=0).outcome == "timeout"
    part = next((desk.context.store.home / "work").rglob("*.part"))
    with part.open("ab") as file:
        file.write(body[-1:])
    asked = len(server.log)
    assert desk.bring(one, retry=True).outcome == "ok"
    assert desk.file(one) == body
    assert len(server.log) == asked
