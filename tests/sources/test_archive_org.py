"""archive.org: a search becomes direct addresses of the best copy of each video; items of any shape do not stop it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from json_server import Answer, Asked, JsonServer, serving

from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.registry import FetchError
from emurl_core.sources.scrape import ScrapeConfig, scrape

Json = dict[str, Any]
Start = Callable[[dict[str, Any]], JsonServer]


class ArchiveServer(JsonServer):
    """Search and metadata. An item that is an `Answer` is answered so."""

    def __init__(self, items: dict[str, Any]) -> None:
        super().__init__(self._answer)
        self.items = items

    def _answer(self, asked: Asked) -> Answer:
        if asked.path == "/advancedsearch.php":
            rows, page = int(asked.query["rows"]), int(asked.query["page"])
            assert asked.query["fl[]"] == "identifier"
            assert asked.query["output"] == "json"
            known = sorted(self.items)
            docs = [{"identifier": i} for i in known[(page - 1) * rows : page * rows]]
            return Answer({"response": {"numFound": len(known), "start": (page - 1) * rows, "docs": docs}})
        item = self.items[asked.path.removeprefix("/metadata/")]
        return item if isinstance(item, Answer) else Answer(item)


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(items: dict[str, Any]) -> JsonServer:
            return stack.enter_context(serving(ArchiveServer(items)))

        yield started


def config(server: JsonServer, **changes: Any) -> ScrapeConfig:
    fast = {"requests_per_minute": 60_000, "retry_wait_s": 0.02, "allow_private_hosts": True}
    return ScrapeConfig(
        **{
            "source": "archive_org",
            "archive_query": "title:(red)",
            "archive_api": server.base,
            **fast,
            **changes,
        }
    )


def video(name: str, height: Any = "480", **changes: Any) -> Json:
    facts = {"name": name, "source": "original", "format": "MPEG4", "height": height, "length": "5025.13"}
    return facts | {"sha1": "a" * 40} | changes


def copy(name: str, original: str, height: Any = "480", **changes: Any) -> Json:
    return (
        video(name, height, source="derivative", original=original, format="h.264", sha1="b" * 40) | changes
    )


def item(*files: Any, **about: Any) -> Json:
    return {
        "metadata": {"title": "Red in 1:45", "creator": "Ash", "date": "2019-05-03", **about},
        "files": list(files),
    }


def names(server: JsonServer, links: list[VideoLink]) -> list[str]:
    return [
        link.url.removeprefix(f"{server.base}/download/")
        for link in sorted(links, key=lambda k: (k.run_id, k.part))
    ]


def test_each_video_is_its_best_copy_of_at_most_720_lines(start, context):
    server = start(
        {
            "two-parts": item(
                video("b.mkv", "1080"),
                copy("b.mp4", "b.mkv", "360"),
                copy("b_720.mp4", "b.mkv", "720"),
                video("a.avi", "240"),
                copy("a.mp4", "a.avi", "240"),
                copy("a.ogv", "a.avi", "240"),
                {"name": "a.thumbs/a_0001.jpg", "original": "a.avi"},
                {"name": "two-parts_meta.xml"},
            ),
            "unknown-height": item(video("film.mov", None), copy("film.mp4", "film.mov", None)),
        }
    )
    table = scrape(config(server), context)
    links = read_links(table)
    assert names(server, links) == ["two-parts/a.mp4", "two-parts/b_720.mp4", "unknown-height/film.mp4"]
    assert {link.run_id for link in links} == {"archive_org-two-parts", "archive_org-unknown-height"}
    [first] = [link for link in links if link.url.endswith("a.mp4")]
    assert (first.duration_s, first.date, first.players) == (5025.13, "2019-05-03", "Ash")
    assert first.title == "Red in 1:45, video 1 of 2"
    assert first.fingerprint == "b" * 40
    assert scrape(config(server), context) == table


def test_every_page_of_the_search_is_read_with_exact_requests(start, context):
    server = start({f"item-{i:04d}": item(video("v.mp4")) for i in range(230)})
    assert scrape(config(server), context).facts["runs"] == 230
    searches = [a for a in server.asked if a.path == "/advancedsearch.php"]
    assert [a.query["page"] for a in searches] == ["1", "2", "3"]
    assert {a.query["q"] for a in searches} == {"(title:(red)) AND mediatype:(movies)"}
    assert len(server.asked) == 3 + 230


def test_a_limit_opens_no_more_items(start, context):
    server = start({f"item-{i:04d}": item(video("v.mp4")) for i in range(230)})
    assert scrape(config(server, max_runs=3), context).facts["runs"] == 3
    assert len(server.asked) == 1 + 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({}, "item_gone"),
        ([], "item_gone"),
        (item(video("v.mp4")) | {"is_dark": True}, "item_gone"),
        (Answer({"error": "gone"}, 404), "item_gone"),
        ({"files": None}, "item_gone"),
        (item(None, 3, {"name": None}, {"name": "song.mp3"}), "item_without_video"),
        (item(video("v.mp4", "1080")), "only_above_720"),
        (item(video("v.mp4", private="true"), video("w.mp4", "2160")), "private_file"),
        (item(video("../../../other/v.mp4")), "bad_name"),
        (item(video("/v.mp4")), "bad_name"),
        (item(video("v" * 5000 + ".mp4")), "bad_link"),
    ],
)
def test_an_item_that_cannot_be_used_is_counted(start, context, bad, reason):
    server = start({"bad": bad, "good": item(video("v.mp4"))})
    table = scrape(config(server), context)
    assert names(server, read_links(table)) == ["good/v.mp4"]
    assert table.facts["skipped"][reason] == 1


def test_metadata_of_any_shape_leaves_a_row(start, context):
    about: Json = {"title": ["<i>Red</i>", None, 3], "creator": {"a": 1}, "date": "2019"}
    files = video("sub folder/é #1.mp4", "tall", length="1:23:45", sha1="../x", md5=7)
    server = start(
        {"odd": item(files, **about), "none": {"files": [video("w.mp4", length="long")], "metadata": None}}
    )
    odd, none = sorted(read_links(scrape(config(server), context)), key=lambda k: k.run_id, reverse=True)
    assert odd.url == f"{server.base}/download/odd/sub%20folder/%C3%A9%20%231.mp4"
    assert (odd.title, odd.players, odd.date, odd.duration_s, odd.fingerprint) == (
        "Red",
        "",
        None,
        5025.0,
        "",
    )
    assert (none.title, none.duration_s) == ("none", None)


def test_bad_identifiers_are_counted_and_never_asked(start, context):
    server = start({"../../etc": item(), "good": item(video("v.mp4")), "x" * 300: item()})
    assert scrape(config(server), context).facts["skipped"] == {"bad_id": 2}
    assert server.paths() == ["/advancedsearch.php", "/metadata/good"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer({"error": "bad <b>query</b>"}), r"without search results \(bad query\)"),
        (Answer({"response": {"docs": {}, "numFound": 1}}), "expected 'response'"),
        (Answer(b"<html>"), "no JSON"),
        (Answer(b"", 503), "status 503"),
    ],
)
def test_junk_from_the_search_publishes_nothing(start, context, answer, message):
    server = start({})
    server.answer = lambda _: answer
    with pytest.raises(FetchError, match=message):
        scrape(config(server, request_tries=2), context)
    assert context.store.find("speedrun_runs") is None


def test_a_site_that_falls_silent_stops_the_listing(start, context):
    server = start({"a": item(video("v.mp4")), "b": Answer(b"", 503)})
    with pytest.raises(FetchError, match="status 503"):
        scrape(config(server, request_tries=2), context)
    assert context.store.find("speedrun_runs") is None


def test_nothing_to_search_for_says_so(context):
    with pytest.raises(ValueError, match="empty archive_query"):
        scrape(ScrapeConfig(source="archive_org"), context)
