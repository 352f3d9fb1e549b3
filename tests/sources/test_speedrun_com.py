"""speedrun.com is listed whole, politely and safely: pages, the wall, bad days, forgetful listings, hostile runs."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
import speedrun_com_server
from json_server import DEAD, Answer, Asked, serving
from speedrun_com_server import CATEGORIES, GAME, Json, SpeedrunComServer, run

from emurl_core.artifacts import Artifact
from emurl_core.cli import main
from emurl_core.sources import speedrun_com_api, web
from emurl_core.sources.courtesy import seconds_to_wait
from emurl_core.sources.links import SCHEMA, VideoLink, links_table, read_links
from emurl_core.sources.registry import FetchError
from emurl_core.sources.run_memory import FORGET_DAYS, RunMemory
from emurl_core.sources.scrape import ScrapeConfig, scrape
from emurl_core.stage import StageContext

Start = Callable[..., SpeedrunComServer]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(*arguments: Any) -> SpeedrunComServer:
            server = SpeedrunComServer(*arguments)
            stack.enter_context(serving(server))
            return server

        yield started


def config(server: SpeedrunComServer, **changes: Any) -> ScrapeConfig:
    fast = {"requests_per_minute": 60_000, "retry_wait_s": 0.02, "allow_private_hosts": True}
    return ScrapeConfig(**{"source": "speedrun_com", "speedrun_api": server.api, **fast, **changes})


def run_ids(runs: Artifact) -> set[str]:
    return {link.run_id.removeprefix("speedrun_com-") for link in read_links(runs)}


def links_of(start: Start, context: StageContext, *runs: Json) -> tuple[list[VideoLink], dict[str, int]]:
    # One good run more, so that the table is never empty.
    server = start([*runs, run(99_998)])
    table = scrape(config(server), context)
    good = "speedrun_com-" + run(99_998)["id"]
    return [link for link in read_links(table) if link.run_id != good], table.facts["skipped"]


def test_1505_runs_are_all_found_in_nine_spaced_requests(start, context):
    server = start([run(i) for i in range(1505)])
    table = scrape(config(server, requests_per_minute=600), context)
    assert run_ids(table) == {r["id"] for r in server.runs}
    assert table.facts["runs"] == table.facts["videos"] == 1505
    assert server.paths() == [f"/api/v1/games/{GAME}/categories"] + ["/api/v1/runs"] * 8
    assert server.offsets() == list(range(0, 1505, 200))
    assert not server.refused
    # A tenth of a second on the average; the server's clock sees one request later than another.
    assert sum(server.gaps()) > 8 * 0.095
    assert min(server.gaps()) > 0.05
    assert {a.user_agent for a in server.asked} == {web.USER_AGENT}
    assert web.USER_AGENT.startswith("emurl/")


def test_the_default_spacing_stays_below_what_the_api_allows():
    assert ScrapeConfig().requests_per_minute <= 90


def test_the_order_that_is_not_asked_for_would_have_lost_runs(start, tmp_path):
    server = start([run(i) for i in range(1505)])
    client = web.json_client(config(server), tmp_path)
    pages = [
        client.get(f"{server.api}/runs", {"game": GAME, "max": 200, "offset": offset})["data"]
        for offset in range(0, 1505, 200)
    ]
    assert len({r["id"] for page in pages for r in page}) < 1505


def test_an_exact_number_of_full_pages_ends_with_an_empty_one(start, context):
    server = start([run(i) for i in range(400)])
    assert len(run_ids(scrape(config(server), context))) == 400
    assert server.offsets() == [0, 200, 400]


def test_a_row_says_what_the_leaderboard_says(start, context):
    [link], _ = links_of(start, context, run(7, category="02qvyl9d", date="2021-06-05"))
    assert link == VideoLink(
        run_id="speedrun_com-run000003k",
        source="speedrun_com",
        game="pokemon_red",
        url="https://www.youtube.com/watch?v=00000000007",
        category="Any%",
        players="Player u7",
        title="Any% in 1:40:00 by Player u7",
        time_s=6000.875,
        date="2021-06-05",
    )


def mostly_without_video(count: int) -> list[Json]:
    """So that the listing is long and the table short."""
    return [run(i, **({} if i % 20 == 0 else {"videos": None})) for i in range(count)]


def test_behind_the_wall_runs_are_reached_from_the_other_end(start, context):
    server = start(mostly_without_video(12_345))
    table = scrape(config(server), context)
    assert run_ids(table) == {r["id"] for r in server.runs if r["videos"]}
    assert table.facts["runs"] + table.facts["skipped"]["run_without_video"] == 12_345
    # 50 pages up to the wall; from the end 12 with new runs and one that shows that both have met.
    assert len(server.asked) == 1 + 50 + 13
    assert not server.refused


def test_more_runs_than_two_walls_are_listed_by_category(start, context, monkeypatch):
    # A wall that is nearer: the walk around it is the same.
    monkeypatch.setattr(speedrun_com_server, "WALL", 1_000)
    monkeypatch.setattr(speedrun_com_api, "WALL", 1_000)
    server = start(mostly_without_video(2_940))
    table = scrape(config(server), context)
    assert table.facts["runs"] + table.facts["skipped"]["run_without_video"] == 2_940
    # Each third of the runs is one category: 980, in 5 pages.
    assert len(server.asked) == 1 + 5 + 5 + 3 * 5
    assert not server.refused


def test_runs_that_the_api_does_not_show_are_not_passed_over_in_silence(start, context, monkeypatch, caplog):
    monkeypatch.setattr(speedrun_com_server, "WALL", 400)
    monkeypatch.setattr(speedrun_com_api, "WALL", 400)
    server = start(mostly_without_video(2_700))
    scrape(config(server), context)
    assert "out of the API's reach" in caplog.text
    assert not server.refused


def test_a_bad_day_is_sat_out_and_nothing_is_lost(start, context):
    bad = [
        Answer({"status": 420, "message": "Slow down"}, 420, {"Retry-After": "1"}),
        Answer(b"", 429),
        Answer(b"<html>Internal error</html>", 500),
        Answer({"status": 503}, 503),
        DEAD,
        Answer({"data": [run(i) for i in range(200)]}, cut=5_000),
        Answer(b"<!doctype html><title>Back soon</title>"),
    ]
    # Each request comes through at its second or third try.
    script = [fault for pair in zip(bad, [None] * len(bad), strict=True) for fault in pair]
    server = start([run(i) for i in range(1505)], lambda n, _: script[n - 1] if n <= len(script) else None)
    table = scrape(config(server), context)
    assert run_ids(table) == {r["id"] for r in server.runs}
    assert len(server.asked) == 9 + len(bad)
    assert server.gaps()[0] > 1.0


def test_a_wish_for_rest_as_a_date_is_understood():
    assert 50 < seconds_to_wait("Fri, 01 Jan 2100 00:00:00 GMT") / 86400 / 365 < 80
    assert seconds_to_wait("Mon, 01 Jan 2001 00:00:00 GMT") == 0
    assert seconds_to_wait("soon") is None


def test_a_server_that_wants_rest_for_a_day_is_left_alone(start, context):
    server = start([run(0)], lambda *_: Answer({}, 429, {"Retry-After": "86400"}))
    with pytest.raises(FetchError, match="wants to be left alone for 86400 s") as error:
        scrape(config(server), context)
    assert error.value.outcome == "rate_limited"
    assert len(server.asked) == 1


def runs_are(answer: Answer) -> Callable[[int, Asked], Answer | None]:
    return lambda _, asked: answer if asked.path.endswith("/runs") else None


SAME_PAGE = {"data": [run(i) for i in range(200)], "pagination": {"max": 200, "size": 200, "links": []}}


@pytest.mark.parametrize(
    ("answer", "message", "outcome", "requests"),
    [
        (Answer(b"<html>Just a moment...</html>"), "no JSON and start with b'<html>", "unavailable", 3),
        (Answer({"data": [run(0)] * 50}, cut=700), "IncompleteRead|ProtocolError", "network", 3),
        (Answer(b'{"data": [NaN]}'), "no JSON", "unavailable", 3),
        (Answer(b"[" * 100_000), "no JSON", "unavailable", 3),
        (Answer([1, 2]), "found JSON with list, expected a list 'data'", "unsupported", 1),
        (Answer({"data": None, "pagination": None}), "expected a list 'data'", "unsupported", 1),
        (Answer({"data": [run(0)]}), "expected 'pagination'", "unsupported", 1),
        (Answer(SAME_PAGE), "repeats itself", "unavailable", 2),
        (Answer(b"", 500), "status 500", "unavailable", 3),
        (Answer({"message": "No <b>entry</b>"}, 403), r"status 403 \(No entry\)", "forbidden", 1),
        (Answer(b"", 302, {"Location": "file:///etc/passwd"}), "expected http://", "refused", 1),
        (Answer(b"", 302, {"Location": "/api/v1/runs"}), "more than 5 redirects", "unsupported", 6),
    ],
)
def test_junk_is_a_clear_error_and_publishes_nothing(start, context, answer, message, outcome, requests):
    server = start([run(0)], runs_are(answer))
    with pytest.raises(FetchError, match=message) as error:
        scrape(config(server, request_tries=3), context)
    assert error.value.outcome == outcome
    assert len(server.asked) == 1 + requests
    assert context.store.find("speedrun_runs") is None
    assert not list((context.store.home / "cache" / "speedrun_com").glob("*"))


def test_an_answer_without_end_is_cut_off(start, context, monkeypatch):
    monkeypatch.setattr(web, "BODY_BYTES", 100_000)
    server = start([run(0)], runs_are(Answer(b" " * 200_000)))
    with pytest.raises(FetchError, match="more than 100,000 bytes"):
        scrape(config(server), context)


def test_an_answer_that_only_drips_is_cut_off(start, context, monkeypatch):
    monkeypatch.setattr(web, "WHOLE_ANSWER_S", 0.3)
    server = start([run(0)], runs_are(Answer(b" " * 400, slow_s=0.02)))
    with pytest.raises(FetchError, match="no answer in time") as error:
        scrape(config(server, request_tries=1), context)
    assert error.value.outcome == "timeout"


def test_the_same_listing_is_the_same_version(start, context):
    server = start([run(i) for i in range(300)])
    first = scrape(config(server), context)
    assert scrape(config(server), context) == first
    server.runs.append(run(300))
    assert scrape(config(server), context).version != first.version


def test_a_run_that_a_listing_forgets_is_kept_and_a_changed_one_is_updated(start, context):
    server = start([run(i) for i in range(300)])
    first = scrape(config(server), context)
    server.hidden = {run(i)["id"] for i in (3, 150, 299)}
    assert scrape(config(server), context) == first
    server.runs[5] = run(5, times={"primary_t": 1234.5})
    changed = scrape(config(server), context)
    assert len(run_ids(changed)) == 300
    times = {link.run_id: link.time_s for link in read_links(changed)}
    assert times["speedrun_com-" + run(5)["id"]] == 1234.5


def test_a_run_that_is_missing_for_long_is_gone_in_the_end(tmp_path):
    def later(listed: dict[str, Json], day: date, complete: bool = True) -> set[str]:
        return set(RunMemory(tmp_path, "a listing").update(listed, complete, day))

    a, b = {"a": {"id": "a"}}, {"b": {"id": "b"}}
    assert later(a | b, date(2026, 1, 1)) == {"a", "b"}
    # The first time it is missed counts, not the last time it was seen.
    assert later(a, date(2026, 6, 1)) == {"a", "b"}
    assert later(a, date(2026, 6, FORGET_DAYS)) == {"a", "b"}
    assert later(a | b, date(2026, 6, FORGET_DAYS)) == {"a", "b"}
    assert later({}, date(2026, 8, 1), complete=False) == {"a", "b"}
    assert later(a, date(2026, 9, 1)) == {"a", "b"}
    assert later(a, date(2026, 10, 1)) == {"a"}


def test_a_damaged_memory_is_only_forgotten(start, context):
    server = start([run(i) for i in range(3)])
    first = scrape(config(server), context)
    [memory] = (context.store.home / "cache" / "speedrun_com").glob("*.json")
    memory.write_text('{"format": 1, "runs": [')
    assert scrape(config(server), context) == first


def test_categories_are_chosen_by_name_or_id(start, context):
    server = start([run(i) for i in range(90)])
    table = scrape(config(server, speedrun_categories=("any%", "xd1r0ozk")), context)
    assert {link.category for link in read_links(table)} == {"Any%", "Catch 'em All"}
    assert len(run_ids(table)) == 60
    assert {a.query.get("category") for a in server.asked} == {None, "02qvyl9d", "xd1r0ozk"}


def test_a_limit_asks_for_no_more_than_it_needs(start, context):
    server = start([run(i) for i in range(1505)])
    table = scrape(config(server, max_runs=250), context)
    assert run_ids(table) == {run(i)["id"] for i in range(250)}
    assert server.offsets() == [0, 200]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speedrun_game": "nothing/../here"}, r"no game 'nothing/\.\./here'.* set scrape.speedrun_game"),
        (
            {"speedrun_categories": ("Warpless",)},
            r"\['Warpless'\], expected some of 'Any% Glitchless' \(wk6oork1\)",
        ),
    ],
)
def test_a_wrong_game_or_category_says_so(start, context, settings, message):
    with pytest.raises(ValueError, match=message):
        scrape(config(start([run(0)]), **settings), context)


def test_a_private_host_is_not_asked_unless_a_setting_says_so(start, context):
    server = start([run(0)])
    with pytest.raises(FetchError, match="on the public internet") as error:
        scrape(config(server, allow_private_hosts=False), context)
    assert error.value.outcome == "refused"
    assert server.asked == []


def test_a_redirect_to_a_private_host_is_not_followed(start, context, monkeypatch):
    hidden = start([run(0)])
    server = start([run(0)], runs_are(Answer(b"", 301, {"Location": f"{hidden.api}/runs"})))
    real = web.check_public
    # Loopback stands for the public internet, except where the redirect leads.
    monkeypatch.setattr(web, "check_public", lambda url, _: real(url, f":{server.port}/" in url))
    with pytest.raises(FetchError, match="on the public internet"):
        scrape(config(server), context)
    assert hidden.asked == []


def test_a_machine_that_is_offline_tries_a_few_times_and_says_so(context):
    # A name that is kept free for ever.
    offline = ScrapeConfig(
        source="speedrun_com", speedrun_api="https://www.example.invalid/api/v1", retry_wait_s=0.1
    )
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"no address of the host 'www\.example\.invalid'") as error:
        scrape(offline, context)
    assert error.value.outcome == "network"
    assert 0.1 + 0.2 + 0.4 < time.monotonic() - began < 30


def videos(*uris: Any, text: Any = None) -> Json:
    return {"videos": {"text": text, "links": [{"uri": uri} for uri in uris]}}


def test_several_videos_of_a_run_keep_their_order(start, context):
    links, _ = links_of(
        start,
        context,
        run(0, **videos("https://b.example/2", "https://a.example/1", "https://B.example/2#t")),
    )
    assert sorted((link.part, link.url) for link in links) == [
        (0, "https://b.example/2"),
        (1, "https://a.example/1"),
    ]
    assert len({link.run_id for link in links}) == 1
    assert links[0].title.startswith(("Any% Glitchless in 1:40:00 by Player u0, video",))


def test_links_that_are_only_in_the_text_are_found(start, context):
    links, _ = links_of(
        start, context, run(0, videos={"text": "part 1: https://youtu.be/abcdefghijk (night)"})
    )
    assert [link.url for link in links] == ["https://www.youtube.com/watch?v=abcdefghijk"]


def test_a_video_of_two_runs_belongs_to_the_first(start, context):
    shared = videos("https://youtu.be/abcdefghijk")
    links, skipped = links_of(
        start, context, run(0, date="2020-02-02", **shared), run(1, date="2019-01-01", **shared)
    )
    assert [link.run_id for link in links] == ["speedrun_com-run000000k"]
    assert skipped == {"same_video": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"videos": None}, "run_without_video"),
        ({"videos": {"links": None, "text": "on my tape"}}, "run_without_video"),
        ({"videos": {"links": [], "text": None}}, "run_without_video"),
        ({"videos": "https://youtu.be/abcdefghijk"}, "run_without_video"),
        (videos("ftp://example.org/run.mp4"), "run_with_bad_links_only"),
        (videos("javascript:alert(1)"), "run_with_bad_links_only"),
        (videos("file:///etc/passwd"), "run_with_bad_links_only"),
        (videos("synthetic://embedded/1?layouts=demo"), "run_with_bad_links_only"),
        (videos("https://user:secret@example.org/a"), "run_with_bad_links_only"),
        (videos("https://example.org/" + "a" * 5000), "run_with_bad_links_only"),
        (videos("https://[::1"), "run_with_bad_links_only"),
        (videos(None, 17, ""), "run_with_bad_links_only"),
        ({"status": {"status": "new"}}, "not_verified"),
        ({"id": "../../../etc/cron.d/x"}, "bad_id"),
        ({"id": "a" * 500}, "bad_id"),
        ({"id": None}, "malformed"),
    ],
)
def test_a_run_that_cannot_be_kept_is_counted(start, context, changes, reason):
    links, skipped = links_of(start, context, run(0, **changes))
    assert links == []
    assert list(skipped) == [reason]


def test_nulls_and_wrong_types_everywhere_leave_a_row(start, context):
    wrong = {key: None for key in run(0) if key not in ("id", "videos")}
    odd = {
        "players": 3,
        "times": {"primary_t": "fast"},
        "date": ["2020"],
        "category": {"data": []},
        "submitted": 1,
    }
    links, _ = links_of(start, context, run(0, **wrong), run(1, **odd))
    assert [(k.players, k.time_s, k.date, k.category) for k in links] == [("", None, None, "")] * 2


def test_hostile_names_are_cleaned_and_nothing_is_written_elsewhere(start, context, tmp_path):
    evil = [
        {
            "rel": "guest",
            "name": "<img src=x onerror=alert(1)>../../etc\x00/\u202epasswd\ud800\n" + "A" * 10_000,
        },
        {
            "rel": "user",
            "id": "u1",
            "names": {"international": "&lt;script&gt;x&lt;/script&gt;Ash\t Ketchum"},
        },
    ]
    outside = {p for p in tmp_path.rglob("*") if "home" not in p.parts}
    [link], _ = links_of(start, context, run(0, players=evil, times={"primary_t": 1e300}, date="9999-99-99"))
    assert link.players.startswith("../../etc/passwd AAAA")
    assert len(link.players) <= 200
    assert link.title.startswith("Any% Glitchless in ? by ../../etc/passwd A")
    assert (link.time_s, link.date) == (None, None)
    assert {p for p in tmp_path.rglob("*") if "home" not in p.parts} == outside
    assert links_table([link]).schema == SCHEMA
    guest, user = links_of(start, context, run(0, players=evil[1:]), run(1, players=evil[:1]))[0]
    assert {guest.players, user.players} >= {"xAsh Ketchum"}


def test_entries_that_are_no_runs_are_counted(start, context):
    server = start(
        [run(0)], runs_are(Answer({"data": [None, 3, "x", {}, run(0)], "pagination": {"max": 200}}))
    )
    assert scrape(config(server), context).facts["skipped"] == {"malformed": 4}


def test_nothing_but_runs_without_video_says_what_was_left_out(start, context):
    with pytest.raises(ValueError, match=r"left out: run_without_video 5"):
        scrape(config(start([run(i, videos=None) for i in range(5)])), context)


def test_the_command_line_lists_it(start, tmp_path, capsys, caplog):
    server = start([run(i) for i in range(30)])
    arguments = [
        "--home",
        str(tmp_path / "home"),
        "scrape",
        "--source",
        "speedrun_com",
        "--speedrun-api",
        server.api,
    ]
    arguments += [
        "--requests-per-minute",
        "60000",
        "--allow-private-hosts",
        "--speedrun-categories",
        "Any%",
        "wk6oork1",
    ]
    with caplog.at_level("INFO"), pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    assert "speedrun_runs@" in capsys.readouterr().out
    assert "CC BY-NC 4.0" in caplog.text
    assert "20 videos of 20 runs; left out: nothing" in caplog.text


def test_the_memory_holds_what_is_used_and_no_more(start, context):
    scrape(config(start([run(0, comment="x" * 100)])), context)
    [memory] = (context.store.home / "cache" / "speedrun_com").glob("*.json")
    [kept] = json.loads(memory.read_text())["runs"].values()
    assert set(kept) == {"id", "category", "date", "submitted", "status", "times", "videos", "players"}
    assert CATEGORIES[kept["category"]]
