"""The record of what became of each video, when it is asked for again, and that it holds no secret."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yt_dlp
from video_server import Page, video
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UserNotLive

from emurl_core.artifacts import ArtifactError
from emurl_core.frames import FramesConfig, NoGameScreenError, cut_frames
from emurl_core.sources.download import download
from emurl_core.sources.outcomes import KINDS, OutcomeBook, as_rows, counts, safe_text
from emurl_core.sources.standing import NotAskedError
from emurl_core.sources.verdicts import judge


@pytest.fixture
def book(tmp_path):
    return OutcomeBook(tmp_path)


def wait_of(found):
    return datetime.fromisoformat(found.next_retry_utc) - datetime.fromisoformat(found.last_utc)


def test_waits_grow_with_each_failure_and_end(book):
    waits = [wait_of(book.note("v", {}, "network")) for _ in range(20)]
    assert waits[:4] == [timedelta(minutes=n) for n in (1, 2, 4, 8)]
    assert waits[-1] == timedelta(days=7)
    assert book.find("v").attempts == book.find("v").failures == 20
    assert book.note("v", {}, "ok").failures == 0


def test_what_is_corrupt_is_tried_a_few_times_only(book):
    assert [book.note("v", {}, "corrupt").hopeless for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "outcome", ["private", "removed", "geo", "login", "refused", "too_large", "unsupported", "no_game_screen"]
)
def test_what_cannot_heal_is_hopeless_until_something_changes(book, outcome):
    found = book.note("v", {}, outcome, circumstances="as listed")
    assert found.hopeless
    assert found.waits("as listed", datetime.now(UTC) + timedelta(days=999))
    assert not found.waits("another row")


def test_a_server_that_asks_for_a_longer_rest_gets_it(book):
    assert wait_of(book.note("v", {}, "rate_limited", retry_after_s=7200)) == timedelta(hours=2)
    assert wait_of(book.note("w", {}, "rate_limited", retry_after_s=1)) == timedelta(minutes=10)


def test_records_are_replaced_whole_and_damaged_ones_are_forgotten(book):
    book.note("a", {"title": "A"}, "ok")
    book.note("b", {"title": "B"}, "private")
    (book.folder / "c.json").write_text('{"video_id": "c", "outco')
    (book.folder / "d.json").write_text('{"video_id": "d", "outcome": "made up"}')
    assert [o.video_id for o in book.everything()] == ["a", "b"]
    assert counts(book.everything()) == {"ok": 1, "private": 1}
    assert [r["video"] for r in as_rows(book.everything())] == ["b", "a"], "what needs a look first"
    assert sorted(p.name for p in book.folder.iterdir()) == ["a.json", "b.json", "c.json", "d.json"]
    with pytest.raises(ArtifactError, match="video id"):
        book.note("../../etc/passwd", {}, "ok")


def test_no_secret_and_no_control_character_is_kept(book):
    url = "https://user:hunter2@cdn.example/v/a.mp4?token=hunter2&x=1#hunter2"
    title = "safe\x1b[31m\u202e title\n" + url
    found = book.note(
        "v", {"url": url, "title": title, "run_id": "r"}, "network", f"found {url}, expected 'it' ({url})"
    )
    kept = (book.folder / "v.json").read_text()
    assert "hunter2" not in kept
    assert found.url == "https://cdn.example/v/a.mp4?…"
    assert found.title.startswith("safe title https://cdn.example/")
    assert all(c.isprintable() for v in json.loads(kept).values() if isinstance(v, str) for c in v)
    assert len(safe_text("x" * 10_000)) < 1_000


# What a site says in words only, through yt-dlp as it is.


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Private video. Sign in if you've been granted access to this video", "private"),
        ("This video is private", "private"),
        ("Video unavailable. This video has been removed by the uploader", "removed"),
        (
            "This video is no longer available because the YouTube account associated with this video has been terminated.",
            "removed",
        ),
        ("Video 123 does not exist", "removed"),
        ("Sign in to confirm your age. This video may be inappropriate for some users", "login"),
        ("Join this channel to get access to members-only content like this video", "login"),
        ("This video is only available for registered users. Use --cookies to log in", "login"),
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies", "rate_limited"),
        ("Your account has been rate-limited by YouTube for up to an hour", "rate_limited"),
        ("The uploader has not made this video available in your country", "geo"),
        ("This live event will begin in 3 days", "unavailable"),
        ("Premieres in 2 hours", "unavailable"),
        ("This video is DRM protected", "unsupported"),
        ("No video formats found!", "unsupported"),
        ("Something never heard of", "unavailable"),
        (GeoRestrictedError("Not here", countries=["JP"]), "geo"),
        (UserNotLive("nobody"), "unavailable"),
    ],
)
def test_what_a_site_says_is_sorted_into_an_outcome(said, outcome):
    class Says(InfoExtractor):
        IE_NAME = "says"
        _VALID_URL = r"says:.*"

        def _real_extract(self, url):
            raise said if isinstance(said, Exception) else ExtractorError(said, expected=True)

    with yt_dlp.YoutubeDL({"quiet": True, "logger": Quiet()}, auto_init=False) as reader:
        reader.add_info_extractor(Says())
        with pytest.raises(yt_dlp.utils.DownloadError) as error:
            reader.extract_info("says:it", download=False)
    found = judge(error.value, "v")
    assert found.outcome == outcome
    assert outcome in KINDS
    assert "--cookies" not in str(found)
    assert str(found).startswith("v: found ")


class Quiet:
    def debug(self, message):
        pass

    info = warning = error = debug


# Asking again.


@pytest.mark.parametrize(
    ("status", "again"),
    [(404, False), (410, False), (401, False), (451, False), (403, True), (503, True), (429, True)],
)
def test_a_later_scrape_asks_again_when_it_is_due_and_never_for_what_is_hopeless(
    server, desk, link, status, again
):
    server.pages["/run.mp4"] = Page(video(), status=status)
    one = link("/run.mp4")
    found = desk.bring(one, retries=0)
    assert (found.next_retry_utc is not None) == again
    asked = len(server.log)
    with pytest.raises(NotAskedError, match="not asked again"):
        download(one.video_id, desk.runs(one), desk.config(), desk.context)
    assert len(server.log) == asked, "no request is made"
    assert desk.book.find(one.video_id) == found
    server.pages["/run.mp4"].status = 200
    if again:
        make_due(desk.book, one.video_id)
    assert desk.bring(one, retry=not again).outcome == "ok"


def make_due(book, video_id):
    file = book.folder / f"{video_id}.json"
    record = json.loads(file.read_text())
    record["next_retry_utc"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="seconds")
    file.write_text(json.dumps(record))


def test_a_setting_that_could_change_the_outcome_asks_again(server, desk, link):
    server.pages["/run.mp4"] = Page(video())
    one = link("/run.mp4")
    small = 100_000 / 1e9
    assert desk.bring(one, max_gigabytes=small).outcome == "too_large"
    assert desk.bring(one, max_gigabytes=small).attempts == 1
    assert desk.bring(one).outcome == "ok"


def test_cookies_given_later_ask_again_for_what_wanted_a_login(server, desk, link, tmp_path):
    server.pages["/run.mp4"] = Page(video(), status=401)
    one = link("/run.mp4")
    assert desk.bring(one).outcome == "login"
    assert desk.bring(one).attempts == 1
    (tmp_path / "cookies.txt").write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb\n"
    )
    server.pages["/run.mp4"].status = 200
    assert desk.bring(one, cookies_file=str(tmp_path / "cookies.txt")).outcome == "ok"


def test_a_video_without_a_game_is_read_once_until_something_changes(
    server, desk, link, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    server.pages["/run.mp4"] = Page(video())
    one = link("/run.mp4")
    made = download(one.video_id, desk.runs(one), desk.config(), desk.context)
    config = FramesConfig(min_frames=5_000)
    for retry, attempts in ((False, 2), (False, 2), (True, 3)):
        with pytest.raises(NoGameScreenError):
            cut_frames(made, config, desk.config(retry=retry), desk.context)
        found = desk.book.find(one.video_id)
        assert (found.outcome, found.stage, found.attempts, found.next_retry_utc) == (
            "no_game_screen",
            "frames",
            attempts,
            None,
        )
    assert download(one.video_id, desk.runs(one), desk.config(), desk.context) == made
    # A crop by hand, or other settings, are worth a look.
    with pytest.raises(NoGameScreenError):
        cut_frames(made, FramesConfig(min_frames=4_000), desk.config(), desk.context)
    assert desk.book.find(one.video_id).attempts == 4
    crop = {
        "videos": {one.video_id: {"segments": [{"t0_s": 0, "rect": {"x": 0, "y": 0, "w": 160, "h": 144}}]}}
    }
    (tmp_path / "crops.json").write_text(json.dumps(crop))
    frames = cut_frames(
        made, FramesConfig(min_frames=5, crop_config="crops.json"), desk.config(), desk.context
    )
    assert frames.facts["kept"] >= 5
    assert desk.book.find(one.video_id).outcome == "ok"
