"""Everything that goes wrong between a server and a file. Nothing broken is ever published; each try ends with an outcome."""

import time
from dataclasses import replace

import pytest
from video_server import Page, VideoServer, fragments, playlist, video, with_tail

from emurl_core.sources import addresses, connections
from emurl_core.sources.links import VideoLink

HTML = b"<!DOCTYPE html><html><head><title>Are you a robot?</title></head><body>Click here</body></html>" * 20


def page_of(src: str) -> Page:
    return Page(f'<html><body><video src="{src}"></video></body></html>'.encode(), kind="text/html")


@pytest.mark.parametrize("path", ["/run.mp4", "/watch"])
def test_a_dropped_connection_is_taken_up_again_without_a_byte_twice(server, desk, link, path):
    body = video()
    server.pages["/watch"] = page_of("/run.mp4")
    server.pages["/run.mp4"] = Page(body, etag='"1"', cut_after=len(body) // 3, cuts=2)
    assert desk.bring(link(path)).outcome == "ok"
    assert desk.file(link(path)) == body
    media = [a for a in server.asked("/run.mp4") if a.range or a.sent > 10_000]
    assert sum(a.sent for a in media) <= len(body) + 70_000 * (path == "/watch")
    if path == "/run.mp4":
        assert sum(a.sent for a in media) == len(body)
        assert media[0].headers["user-agent"].startswith("emurl/")


def test_a_server_without_ranges_is_asked_from_the_beginning(server, desk, link):
    body = video()
    server.pages["/run.mp4"] = Page(body, ranges=False, cut_after=len(body) // 2, cuts=1)
    assert desk.bring(link("/run.mp4")).outcome == "ok"
    assert desk.file(link("/run.mp4")) == body


# The four silent successes.


@pytest.mark.parametrize(
    ("container", "announced"), [("mp4", None), ("mp4", 6.05), ("mkv", None), ("ts", 6.05), ("ts", None)]
)
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_a_video_cut_short_without_a_length_is_found_out(server, desk, link, container, announced, share):
    body = video(container=container)
    server.pages[f"/run.{container}"] = Page(
        body, length=False, ranges=False, cut_after=int(len(body) * share)
    )
    one = link(f"/run.{container}", duration_s=announced)
    assert desk.bring(one).outcome == "corrupt"
    assert not desk.published(one)


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_a_whole_video_without_a_length_is_taken_when_something_says_how_long_it_is(
    server, desk, link, container
):
    server.pages["/run"] = Page(video(container=container), length=False, ranges=False)
    server.pages[f"/run.{container}"] = server.pages["/run"]
    assert desk.bring(link(f"/run.{container}", duration_s=6.01)).outcome == "ok"


@pytest.mark.parametrize(
    "before_and_after",
    [
        ({"etag": '"1"'}, {"etag": '"2"'}),
        ({"etag": '"1"'}, {}),
        ({"etag": 'W/"1"'}, {"etag": 'W/"1"'}),
        ({"modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"modified": "Tue, 02 Jan 2024 00:00:00 GMT"}),
        ({"modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"modified": "Mon, 01 Jan 2024 00:00:00 GMT"}),
        ({}, {}),
    ],
    ids=["etag", "etag gone", "weak etag the same", "date", "date the same", "nothing"],
)
@pytest.mark.parametrize("same_length", [True, False])
def test_a_part_of_other_content_is_never_continued(server, desk, link, before_and_after, same_length):
    before, after = before_and_after
    old, new = video(seed=1), video(seed=2)
    if same_length:
        size = max(len(old), len(new)) + 64
        old, new = (
            b + (size - len(b)).to_bytes(4, "big") + b"free" + bytes(size - len(b) - 8) for b in (old, new)
        )
    one = link("/run.mp4")
    server.pages["/run.mp4"] = Page(old, cut_after=len(old) // 2, **before)
    assert desk.bring(one, retries=0).outcome == "network"
    assert list((desk.context.store.home / "work").rglob("*.part"))
    server.pages["/run.mp4"] = Page(new, **after)
    assert desk.bring(one, retry=True).outcome == "ok"
    assert desk.file(one) == new


@pytest.mark.parametrize("path", ["/run.mp4", "/watch"])
def test_a_web_page_that_says_it_is_a_video_is_found_out(server, desk, link, path):
    server.pages["/watch"] = page_of("/run.mp4")
    server.pages["/run.mp4"] = Page(HTML, kind="video/mp4")
    assert desk.bring(link(path)).outcome == "corrupt"
    assert "web page" in desk.book.find(link(path).video_id).message
    assert not desk.published(link(path))


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404},
        {"status": 503},
        {"body": HTML, "kind": "text/html"},
        {"body": b""},
        {"length": False, "cut_after": 40_000},
        {"cut_after": 40_000},
    ],
    ids=["missing", "server error", "a page", "empty", "cut without a length", "cut"],
)
def test_a_playlist_with_a_bad_fragment_is_found_out(server, desk, link, fault):
    path = playlist(server, "/hls", fragments())
    server.pages["/hls/3.ts"] = replace(server.pages["/hls/3.ts"], **fault)
    outcome = desk.bring(link(path)).outcome
    assert outcome in ("corrupt", "unavailable", "network")
    assert not desk.published(link(path))
    server.pages["/hls/3.ts"] = Page(fragments()[3], kind="video/mp2t")
    assert desk.bring(link(path), retry=True).outcome == "ok"
    assert desk.file(link(path)) == b"".join(fragments())


# Playlists beside that.


def test_a_broken_playlist_goes_on_at_its_fragment(server, desk, link):
    path = playlist(server, "/hls", fragments(), etag='"1"')
    for i in range(6):
        server.pages[f"/hls/{i}.ts"].etag = f'"{i}"'
    server.pages["/hls/4.ts"].status = 503
    assert desk.bring(link(path)).outcome == "unavailable"
    server.pages["/hls/4.ts"].status = 200
    assert desk.bring(link(path), retry=True).outcome == "ok"
    assert desk.file(link(path)) == b"".join(fragments())
    sent = {i: sum(a.sent for a in server.asked(f"/hls/{i}.ts")) for i in range(6)}
    assert sent == {i: len(b) for i, b in enumerate(fragments())}


@pytest.mark.parametrize("etag", [True, False])
def test_a_playlist_whose_content_changed_is_begun_anew(server, desk, link, etag):
    old, new = fragments(), fragments(seed=5)
    path = playlist(server, "/hls", old)
    server.pages["/hls/4.ts"].status = 503
    for i in range(6):
        server.pages[f"/hls/{i}.ts"].etag = f'"old{i}"' if etag else None
    assert desk.bring(link(path)).outcome == "unavailable"
    playlist(server, "/hls", new)
    for i in range(6):
        server.pages[f"/hls/{i}.ts"].etag = f'"new{i}"' if etag else None
    assert desk.bring(link(path), retry=True).outcome == "ok"
    assert desk.file(link(path)) == b"".join(new)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [('#EXT-X-KEY:METHOD=AES-128,URI="key"', "unsupported"), (None, "unavailable")],
    ids=["encrypted", "growing"],
)
def test_a_playlist_that_cannot_be_put_together_is_not_begun(server, desk, link, line, outcome):
    path = playlist(server, "/hls", fragments())
    lines = server.pages[path].body.decode().splitlines()
    lines = [*lines[:4], line, *lines[4:]] if line else lines[:-1]
    server.pages[path].body = "\n".join(lines).encode()
    assert desk.bring(link(path)).outcome == outcome
    assert not server.asked("/hls/0.ts")


# Answers.


@pytest.mark.parametrize("path", ["/run.mp4", "/watch"])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, "login"),
        (403, "forbidden"),
        (404, "removed"),
        (410, "removed"),
        (420, "rate_limited"),
        (429, "rate_limited"),
        (451, "geo"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
def test_an_answer_that_is_no_video_has_its_outcome(server, desk, link, status, outcome, path):
    server.pages[path] = Page(status=status)
    assert desk.bring(link(path), retries=1).outcome == outcome
    assert not desk.published(link(path))


def test_a_server_that_wants_a_short_rest_gets_it(server, desk, link):
    server.pages["/run.mp4"] = Page(video(), status=429, times=1, headers={"Retry-After": "1"})
    assert desk.bring(link("/run.mp4")).outcome == "ok"
    first, second = server.asked("/run.mp4")
    assert second.at - first.at >= 1


def test_a_server_that_wants_a_long_rest_gets_it_from_the_next_scrape(server, desk, link):
    server.pages["/run.mp4"] = Page(video(), status=429, headers={"Retry-After": "86400"})
    found = desk.bring(link("/run.mp4"))
    assert found.outcome == "rate_limited"
    assert found.next_retry_utc[:10] > found.last_utc[:10]
    assert len(server.log) == 1


@pytest.mark.parametrize(
    "slow",
    [{"stall_after": 50_000}, {"stall_after": 50_000, "drip_s": 0.05}, {"stall_after": 0, "drip_s": 0.05}],
    ids=["silent", "dripping", "dripping from the start"],
)
@pytest.mark.parametrize("path", ["/run.mp4", "/watch"])
def test_a_stalled_server_costs_a_bounded_time(server, desk, link, slow, path):
    server.pages[path] = Page(video(), **slow)
    began = time.monotonic()
    found = desk.bring(link(path), timeout_s=0.5, stall_s=1.0, retries=1)
    assert found.outcome == "timeout"
    assert time.monotonic() - began < 12


def test_the_whole_try_has_an_end(server, desk, link):
    server.pages["/run.mp4"] = Page(video(), bytes_per_s=40_000)
    began = time.monotonic()
    assert desk.bring(link("/run.mp4"), try_minutes=1.5 / 60).outcome == "timeout"
    assert time.monotonic() - began < 6


def test_a_host_that_is_not_there_is_a_network_error(desk):
    one = VideoLink("r", "web", "rom", "http://127.0.0.1:9/run.mp4")
    assert desk.bring(one).outcome == "network"


@pytest.mark.parametrize("length", [True, False])
def test_a_video_of_absurd_size_is_refused(server, desk, link, length):
    server.pages["/run.mp4"] = Page(video(), length=length, ranges=False)
    found = desk.bring(link("/run.mp4"), max_gigabytes=100_000 / 1e9)
    assert found.outcome == "too_large"
    assert not list((desk.context.store.home / "work").rglob("*.part"))


def test_a_video_of_another_length_than_announced_is_refused(server, desk, link):
    server.pages["/run.mp4"] = Page(video())
    assert desk.bring(link("/run.mp4", duration_s=600.0)).outcome == "corrupt"


def test_equal_file_names_on_two_hosts_are_two_videos(server, desk):
    body = video()
    server.pages["/run.mp4"] = Page(body)
    port = server.address.rpartition(":")[2]
    links = [
        VideoLink("r", "web", "rom", f"http://{host}:{port}/run.mp4") for host in ("127.0.0.1", "localhost")
    ]
    for one in links:
        assert desk.bring(one).outcome == "ok"
        assert desk.file(one) == body
    assert len(server.log) == 2


# Where links may not lead. For these tests 127.0.0.1 is the public internet and 127.0.0.2 is not.


@pytest.fixture
def strict(monkeypatch, desk):
    for module in (addresses, connections):
        monkeypatch.setattr(module, "is_public", lambda address: address == "127.0.0.1")
    desk.settings["allow_private_hosts"] = False
    return desk


def elsewhere(server: VideoServer, path: str) -> str:
    return server.url(path).replace("127.0.0.1", "127.0.0.2")


@pytest.fixture
def inside(server):
    """The server, listening for the private address too: anything asked there is seen."""
    with VideoServer().running() as other:
        yield other


def test_a_private_address_is_refused(strict, server):
    assert strict.bring(VideoLink("r", "web", "rom", elsewhere(server, "/run.mp4"))).outcome == "refused"
    assert not server.log


@pytest.mark.parametrize("path", ["/run.mp4", "/watch"])
@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{port}/secret.mp4", "file:///etc/passwd", "ftp://127.0.0.1/x.mp4"]
)
def test_a_redirect_to_somewhere_private_is_refused(strict, server, link, path, target):
    target = target.format(port=server.address.rpartition(":")[2])
    server.pages[path] = Page(status=302, headers={"Location": target})
    assert strict.bring(link(path)).outcome in ("refused", "unsupported")
    assert not server.asked("/secret.mp4")


def test_a_page_or_playlist_that_leads_somewhere_private_is_refused(strict, server, link):
    server.pages["/watch"] = page_of(elsewhere(server, "/secret.mp4"))
    assert strict.bring(link("/watch")).outcome == "refused"
    path = playlist(server, "/hls", fragments())
    server.pages["/hls/3.ts"] = Page(status=302, headers={"Location": elsewhere(server, "/secret.ts")})
    assert strict.bring(link(path)).outcome == "refused"
    assert not server.asked("/secret.mp4")
    assert not server.asked("/secret.ts")


def test_a_name_that_changes_its_address_between_check_and_connection_is_found_out(
    strict, server, link, monkeypatch
):
    server.pages["/run.mp4"] = Page(video())
    monkeypatch.setattr(connections, "is_public", lambda address: False)
    assert strict.bring(link("/run.mp4")).outcome == "refused"
    assert not server.log


def test_a_file_of_this_machine_listed_by_the_web_is_refused(desk, tmp_path):
    (tmp_path / "mine.mp4").write_bytes(video())
    assert desk.bring(VideoLink("r", "web", "rom", (tmp_path / "mine.mp4").as_uri())).outcome == "refused"


def test_with_tail_is_another_file_of_the_same_video(server, desk, link):
    server.pages["/a.mp4"], server.pages["/b.mp4"] = (
        Page(with_tail(video(), "a")),
        Page(with_tail(video(), "b")),
    )
    assert desk.bring(link("/a.mp4")).outcome == desk.bring(link("/b.mp4")).outcome == "ok"
    assert desk.file(link("/a.mp4")) != desk.file(link("/b.mp4"))
