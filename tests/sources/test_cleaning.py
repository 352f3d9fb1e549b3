"""What strangers wrote is safe to keep, and one video has one address."""

import pytest

from emurl_core.sources.canonical import canonical
from emurl_core.sources.cleaning import (
    UnusableError,
    addresses_in,
    clean_date,
    clean_link,
    clean_seconds,
    clean_text,
)
from emurl_core.sources.links import VideoLink


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Any% Glitchless", "Any% Glitchless"),
        ("  two \t words\r\n", "two words"),
        ("ポケモン é 🎮", "ポケモン é 🎮"),
        ("e\u0301", "é"),
        ("I <3 this & that", "I <3 this & that"),
        ("<b>bold</b> text", "bold text"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "alert(1)"),
        ("<<b>script>alert(1)", "alert(1)"),
        ("a <img src=x onerror=alert(1)", "a"),
        ("x\x00y\x1b[31mz\u202e\ufeff\ud800", "xy[31mz"),
        ("A" * 300, "A" * 199 + "…"),
        ("<" * 2_000, "<" * 199 + "…"),
        (None, ""),
        (17, ""),
        (["a"], ""),
    ],
)
def test_a_text_is_one_clean_line(written, kept):
    assert clean_text(written) == kept
    assert clean_text(clean_text(written)) == kept


@pytest.mark.parametrize(
    "value", [None, "60", True, 0, -5, float("nan"), float("inf"), 1e12, [], {}, 10**400]
)
def test_what_is_no_length_of_time_is_none(value):
    assert clean_seconds(value) is None


def test_a_date_is_a_date_or_nothing():
    assert clean_date("2020-02-29") == clean_date("2020-02-29T12:00:00Z") == "2020-02-29"
    for junk in (None, "", "2021-02-29", "0001-01-01", "99999-01-01", 20200101, "yesterday", ["2020-01-01"]):
        assert clean_date(junk) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "http://youtube.com/watch?feature=share&v=dQw4w9WgXcQ&t=42",
        "https://youtu.be/dQw4w9WgXcQ?t=42",
        "https://m.youtube.com/watch?v=dQw4w9WgXcQ#t=1",
        "https://www.youtube.com/embed/dQw4w9WgXcQ",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?rel=0",
        "https://www.youtube.com/live/dQw4w9WgXcQ",
        "HTTPS://WWW.YOUTUBE.COM:443/shorts/dQw4w9WgXcQ",
    ],
)
def test_a_youtube_video_has_one_address(url):
    assert canonical(url) == "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.twitch.tv/videos/123456789",
        "https://twitch.tv/videos/123456789?t=1h2m",
        "http://www.twitch.tv/some_body/v/123456789",
        "https://m.twitch.tv/some_body/video/123456789/",
        "https://player.twitch.tv/?video=v123456789&parent=www.speedrun.com",
    ],
)
def test_a_twitch_video_has_one_address(url):
    assert canonical(url) == "https://www.twitch.tv/videos/123456789"


def test_other_addresses_keep_what_tells_videos_apart():
    assert canonical("https://Example.ORG:443/Run.mp4?Part=A#start") == "https://example.org/Run.mp4?Part=A"
    assert canonical("http://example.org:8080") == "http://example.org:8080/"
    assert canonical("http://[2001:db8::1]:80/a") == "http://[2001:db8::1]/a"
    assert canonical("https://youtu.be/abcdefghijK") != canonical("https://youtu.be/abcdefghijk")
    assert (
        canonical("https://www.youtube.com/playlist?list=PL1") == "https://www.youtube.com/playlist?list=PL1"
    )
    assert (
        canonical("https://notyoutube.com/watch?v=dQw4w9WgXcQ")
        == "https://notyoutube.com/watch?v=dQw4w9WgXcQ"
    )


def test_addresses_in_a_text_end_where_the_text_goes_on():
    text = "see (https://youtu.be/dQw4w9WgXcQ) and <http://a.example/x>, not ftp://b.example"
    assert addresses_in(text) == ["https://youtu.be/dQw4w9WgXcQ", "http://a.example/x"]
    assert addresses_in({"text": text}) == []


def test_a_clean_row_comes_back_equal():
    link = VideoLink(
        "local-0123", "local", "rom", "file:///videos/run%201.mp4", title="run 1", fingerprint="12-34"
    )
    assert clean_link(link) == link


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "../up"}, "bad_id"),
        ({"run_id": ""}, "bad_id"),
        ({"run_id": "a\n"}, "bad_id"),
        ({"part": -1}, "too_many_parts"),
        ({"part": 100_000}, "too_many_parts"),
        ({"url": "gopher://example.org"}, "bad_link"),
        ({"url": ""}, "no_link"),
    ],
)
def test_a_row_that_cannot_be_kept_says_under_which_word_to_count_it(changes, reason):
    row = {"run_id": "r", "source": "s", "game": "g", "url": "https://example.org/a"} | changes
    with pytest.raises(UnusableError) as error:
        clean_link(VideoLink(**row))
    assert error.value.reason == reason
