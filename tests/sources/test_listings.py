"""YouTube's search, Twitch's channels and playlists, read by yt-dlp's own readers; the sites are played by a loopback server.

The answers were written from what those readers look for; the real sites were not asked.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest
import yt_dlp
from json_server import Answer, Asked, JsonServer, serving
from yt_dlp.networking import Request

from emurl_core.sources import flat_list
from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.registry import FetchError
from emurl_core.sources.scrape import ScrapeConfig, scrape
from emurl_core.sources.ytdlp import ReinedYoutubeDL

Json = dict[str, Any]
Site = Callable[[Asked], Answer]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonServer]:
    """A server that stands for every https site: `https://host/path` is asked for as `/host/path`."""
    server = JsonServer(lambda _: Answer(b"", 404))

    def urlopen(reader: Any, request: Any) -> Any:
        request = Request(request) if isinstance(request, str) else request.copy()
        parts = urlsplit(request.url)
        if parts.scheme == "https":
            request.url = f"{server.base}/{parts.netloc}{parts.path}?{parts.query}"
        return yt_dlp.YoutubeDL.urlopen(reader, request)

    monkeypatch.setattr(ReinedYoutubeDL, "urlopen", urlopen, raising=False)
    with serving(server):
        yield server


def config(**changes: Any) -> ScrapeConfig:
    return ScrapeConfig(**{"requests_per_minute": 60_000, "allow_private_hosts": True, **changes})


def in_order(links: list[VideoLink]) -> list[VideoLink]:
    return sorted(links, key=lambda link: (link.part, link.url))


def youtube_video(name: str, length: str | None = "1:45:10", **changes: Any) -> Json:
    shown: Json = {
        "videoId": name,
        "title": {"runs": [{"text": f"Pokémon Red <b>in</b> {name}"}]},
        "ownerText": {"runs": [{"text": "Ash"}]},
    }
    return {"videoRenderer": shown | ({"lengthText": {"simpleText": length}} if length else {}) | changes}


def youtube(*pages: list[Json]) -> Site:
    def answer(asked: Asked) -> Answer:
        if asked.path != "/www.youtube.com/youtubei/v1/search":
            return Answer(b"<html><title>YouTube</title></html>", headers={"Content-Type": "text/html"})
        number = int(json.loads(asked.body).get("continuation", "0"))
        items: list[Json] = [{"itemSectionRenderer": {"contents": pages[number]}}]
        if number + 1 < len(pages):
            command = {"continuationCommand": {"token": str(number + 1)}}
            items.append({"continuationItemRenderer": {"continuationEndpoint": command}})
        if number:
            return Answer(
                {
                    "onResponseReceivedCommands": [
                        {"appendContinuationItemsAction": {"continuationItems": items}}
                    ]
                }
            )
        results = {"primaryContents": {"sectionListRenderer": {"contents": items}}}
        return Answer({"contents": {"twoColumnSearchResultsRenderer": results}})

    return answer


def searches(site: JsonServer) -> list[Json]:
    return [json.loads(a.body) for a in site.asked if a.path.endswith("/search")]


def test_a_search_on_youtube_lists_its_first_results(site, context):
    site.answer = youtube(
        [youtube_video(f"first{i:06d}") for i in range(20)], [youtube_video("secondpage0")] * 9
    )
    table = scrape(config(source="youtube", search="pokemon red\n any%", search_results=21), context)
    links = read_links(table)
    assert len(links) == 21
    assert searches(site)[0]["query"] == "pokemon red any%"
    assert len(searches(site)) == 2
    [second] = [link for link in links if "secondpage" in link.url]
    assert second.url == "https://www.youtube.com/watch?v=secondpage0"
    assert (second.title, second.players, second.duration_s) == ("Pokémon Red in secondpage0", "Ash", 6310)
    assert scrape(config(source="youtube", search="pokemon red any%", search_results=21), context) == table


def test_no_more_results_are_asked_for_than_wanted(site, context):
    site.answer = youtube([youtube_video(f"first{i:06d}") for i in range(20)], [youtube_video("secondpage0")])
    scrape(config(source="youtube", search="red", max_runs=5), context)
    assert len(searches(site)) == 1
    assert len(read_links(context.store.get("speedrun_runs"))) == 5


def test_what_is_live_has_no_place_in_the_table(site, context):
    live = youtube_video(
        "live0000000", None, badges=[{"metadataBadgeRenderer": {"style": "BADGE_STYLE_TYPE_LIVE_NOW"}}]
    )
    site.answer = youtube([live, youtube_video("done0000000"), {"adRenderer": {}}, {"videoRenderer": {}}])
    table = scrape(config(source="youtube", search="red"), context)
    assert [link.url[-11:] for link in read_links(table)] == ["done0000000"]
    assert table.facts["skipped"] == {"live": 1}


def broken_second_page(second: Answer) -> Site:
    whole = youtube([youtube_video("first000000")], [youtube_video("second00000")])
    return lambda asked: second if b'"continuation"' in asked.body else whole(asked)


@pytest.mark.parametrize(
    "second", [Answer(b"", 403), Answer({}), Answer(b"<html>"), Answer({"contents": 7}, cut=3)]
)
def test_a_search_that_breaks_off_is_no_result(site, context, second):
    site.answer = broken_second_page(second)
    with pytest.raises(FetchError, match=r"ytsearch50:red: (found|yt-dlp stumbled)"):
        scrape(config(source="youtube", search="red"), context)
    assert context.store.find("speedrun_runs") is None


def twitch_video(number: int, **changes: Any) -> Json:
    node = {
        "__typename": "Video",
        "id": str(number),
        "title": f"Run {number}",
        "lengthSeconds": 6000 + number,
    }
    return {"__typename": "VideoEdge", "cursor": f"after {number}", "node": node | changes}


def twitch(*pages: list[Json]) -> Site:
    def answer(asked: Asked) -> Answer:
        assert asked.path == "/gql.twitch.tv/gql"
        [operation] = json.loads(asked.body)
        assert operation["variables"]["channelOwnerLogin"] == "some_body"
        cursor = operation["variables"].get("cursor")
        last = [page[-1]["cursor"] for page in pages]
        number = last.index(cursor) + 1 if cursor else 0
        edges = pages[number] if number < len(pages) else []
        return Answer([{"data": {"user": {"id": "1", "videos": {"edges": edges}}}}])

    return answer


def test_the_videos_of_a_twitch_channel_are_listed_to_the_end(site, context):
    site.answer = twitch([twitch_video(i) for i in range(100)], [twitch_video(i) for i in range(100, 130)])
    table = scrape(config(source="twitch", twitch_channel="Some_Body"), context)
    links = in_order(read_links(table))
    assert len(links) == 130
    assert links[0].url == "https://www.twitch.tv/videos/0"
    assert (links[0].players, links[0].title, links[0].duration_s) == ("Some_Body", "Run 0", 6000)
    assert len({link.run_id for link in links}) == 130
    assert len(site.asked) == 3


def test_no_page_of_a_channel_is_read_beyond_the_limit(site, context):
    site.answer = twitch([twitch_video(i) for i in range(100)], [twitch_video(100)])
    table = scrape(config(source="twitch", twitch_channel="some_body", max_runs=40), context)
    assert table.facts["videos"] == 40
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "name", ["", "a", "some body", "../../etc", "https://www.twitch.tv/somebody", "x" * 26]
)
def test_a_name_that_is_no_channel_is_not_asked_for(site, context, name):
    with pytest.raises(ValueError, match="expected the name of a channel"):
        scrape(config(source="twitch", twitch_channel=name), context)
    assert site.asked == []


def test_a_channel_that_is_not_there_is_an_error(site, context):
    site.answer = lambda _: Answer([{"data": {"user": {"id": ""}}}])
    with pytest.raises(FetchError, match='Channel "nobody" not found') as error:
        scrape(config(source="twitch", twitch_channel="nobody"), context)
    assert error.value.outcome == "removed"


def feed(*items: tuple[str, str]) -> Site:
    written = "".join(
        f"<item><title>{escape(title)}</title><link>{escape(link)}</link></item>" for title, link in items
    )
    text = f'<?xml version="1.0"?><rss version="2.0"><channel><title>Let\'s play</title>{written}</channel></rss>'
    return lambda _: Answer(text.encode(), headers={"Content-Type": "application/rss+xml"})


def test_each_video_of_a_list_is_a_run_or_all_are_parts_of_one(site, context):
    site.answer = feed(*((f"Part {i}", f"https://videos.example/{i}.mp4") for i in range(1, 13)))
    url = f"{site.base}/feed.rss"
    runs = read_links(scrape(config(source="playlist", list_url=url), context))
    assert len({link.run_id for link in runs}) == 12
    assert {link.part for link in runs} == {0}
    parts = in_order(
        read_links(scrape(config(source="playlist", list_url=url, list_is_one_run=True), context))
    )
    assert len({link.run_id for link in parts}) == 1
    assert [(link.part, link.title) for link in parts] == [(i - 1, f"Part {i}") for i in range(1, 13)]


def test_hostile_entries_of_a_list_are_cleaned_or_counted(site, context):
    site.answer = feed(
        ("<script>alert(1)</script>../../" + "A" * 9_000, "https://videos.example/a.mp4"),
        ("a file", "file:///etc/passwd"),
        ("no such thing", "javascript:alert(1)"),
        ("twice", "https://VIDEOS.example/a.mp4#again"),
    )
    table = scrape(config(source="playlist", list_url=f"{site.base}/feed.rss"), context)
    [link] = read_links(table)
    assert link.url == "https://videos.example/a.mp4"
    assert len(link.title) <= 200
    assert "<" not in link.title
    assert table.facts["skipped"] == {"bad_link": 2, "same_video": 1}


class DeletedAndNested(yt_dlp.extractor.common.InfoExtractor):
    """A list as large sites give it: deleted, private and live videos keep their places, and lists hold lists."""

    _VALID_URL = r"https?://lists\.example/(?P<id>\w+)"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)
        if name == "channel":
            tabs = [
                self.url_result(f"https://lists.example/{tab}", "YoutubeTab") for tab in ("videos", "live")
            ]
            return self.playlist_result(tabs, name)
        page = f"https://videos.example/{name}/"
        if name == "cut":
            self.report_warning("Unable to download page 2: HTTP Error 500")
        return self.playlist_result(
            [
                self.url_result(page + "1", video_id="1", video_title="One"),
                None,
                self.url_result(page + "2", availability="private"),
                self.url_result(page + "3", live_status="is_upcoming"),
                self.url_result(page + "4", video_title=None, duration=1e12, upload_date="20210230"),
                self.url_result(
                    page + "5", video_title="Five", duration=77, upload_date="20210228", uploader="Misty"
                ),
            ],
            name,
        )


@pytest.fixture
def odd_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    made = flat_list._PacedReader.__init__

    def with_reader(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        # In front of the generic reader that takes any address.
        others, self._ies = self._ies, {}
        self.add_info_extractor(DeletedAndNested())
        self._ies |= others

    monkeypatch.setattr(flat_list._PacedReader, "__init__", with_reader)
    monkeypatch.setattr("emurl_core.sources.listings.check_public", lambda *_: None)


@pytest.mark.usefixtures("odd_lists")
def test_places_without_a_video_are_counted_by_their_reason(context):
    table = scrape(config(source="playlist", list_url="https://lists.example/videos"), context)
    assert table.facts["skipped"] == {"live": 1, "private": 1, "removed_from_list": 1}
    rows = [(k.url[-1], k.title, k.duration_s, k.date, k.players) for k in in_order(read_links(table))]
    assert rows == [
        ("1", "One", None, None, ""),
        ("4", "untitled", None, None, ""),
        ("5", "Five", 77.0, "2021-02-28", "Misty"),
    ]


@pytest.mark.usefixtures("odd_lists")
def test_the_lists_of_a_channel_are_opened(context):
    table = scrape(config(source="playlist", list_url="https://lists.example/channel"), context)
    assert {link.url.rsplit("/", 2)[1] for link in read_links(table)} == {"videos", "live"}


@pytest.mark.usefixtures("odd_lists")
def test_a_list_whose_reader_only_warns_of_a_lost_page_is_no_result(context):
    with pytest.raises(FetchError, match=r"broke off after 6 entries .*Unable to download page 2"):
        scrape(config(source="playlist", list_url="https://lists.example/cut"), context)
    assert context.store.find("speedrun_runs") is None


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        ("file:///etc/passwd", "refused"),
        ("http://127.0.0.1:1/feed.rss", "refused"),
        ("https://user:secret@8.8.8.8/feed.rss", "refused"),
    ],
)
def test_an_address_that_must_not_be_asked_is_refused(context, address, outcome):
    with pytest.raises(FetchError) as error:
        scrape(config(source="playlist", list_url=address, allow_private_hosts=False), context)
    assert error.value.outcome == outcome
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(b"", 404), "removed"),
        (Answer(b"", 429), "rate_limited"),
        (Answer(b"", 503), "unavailable"),
        (Answer(b"<html>nothing here</html>", headers={"Content-Type": "text/html"}), "unsupported"),
        (
            Answer(b'<?xml version="1.0"?><rss><chan', headers={"Content-Type": "application/rss+xml"}),
            "unsupported",
        ),
    ],
)
def test_a_list_that_cannot_be_had_publishes_nothing(site, context, answer, outcome):
    site.answer = lambda _: answer
    with pytest.raises(FetchError) as error:
        scrape(config(source="playlist", list_url=f"{site.base}/feed.rss?key=hunter2"), context)
    assert error.value.outcome == outcome
    assert "hunter2" not in str(error.value)
    assert context.store.find("speedrun_runs") is None


@pytest.mark.parametrize("settings", [{"source": "youtube"}, {"source": "playlist"}, {"source": "twitch"}])
def test_a_source_without_its_setting_says_which(context, settings):
    with pytest.raises(ValueError, match=r"set scrape\.(search|list_url|twitch_channel)"):
        scrape(config(**settings), context)


def test_requests_of_the_list_reader_wait_their_turn(site, context):
    site.answer = twitch([twitch_video(i) for i in range(100)], [twitch_video(100)])
    scrape(config(source="twitch", twitch_channel="some_body", requests_per_minute=300), context)
    assert sum(site.gaps()) > 0.35
    assert min(site.gaps()) > 0.1
