"""The source lists synthetic runs like a leaderboard and records them when they are fetched."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.inspection import inspect_video
from emurl_core.sources.links import VideoLink
from emurl_core.sources.registry import FetchError, fetcher, source
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.sources.synthetic import SyntheticSource, parse_address
from emurl_core.synthetic.truth import read_truth

CONFIG = ScrapeConfig(source="synthetic", game="embedded", synthetic_runs=3, synthetic_layouts="tiny")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def links(home: Path) -> list[VideoLink]:
    return source("synthetic").list_runs(CONFIG, home)


def test_the_listing_looks_like_a_leaderboard(links: list[VideoLink]):
    assert len({link.run_id for link in links}) == len({link.video_id for link in links}) == 3
    for link in links:
        assert (link.source, link.game) == ("synthetic", "embedded")
        assert link.players
        assert link.category.startswith("any%")
        assert link.time_s is not None
        assert link.duration_s is not None
        assert 50 < link.time_s < link.duration_s
        assert date.fromisoformat(link.date or "").year >= 2023
        assert link.url.startswith("synthetic://embedded/")


def test_listing_again_gives_the_same_rows(links: list[VideoLink], home: Path):
    assert source("synthetic").list_runs(CONFIG, home) == links


def test_a_fetched_video_is_whole_as_long_as_announced_and_has_its_truth(links: list[VideoLink], home: Path):
    link = min(links, key=lambda k: k.duration_s or 0)
    destination = home / "fetched.mp4"
    fetcher(link.url).fetch(link, destination, home, DownloadConfig())
    found = inspect_video(destination)
    assert found.duration_s == pytest.approx(link.duration_s, rel=0.001)
    assert (found.codec, found.fps, found.width_px, found.height_px) == ("h264", 30, 640, 360)
    truth = read_truth(home, link.video_id)
    assert truth.table.num_rows == found.packets
    assert truth.facts["url"] == link.url
    assert truth.playthrough.finished
    assert truth.column("progress")[truth.column("scene") >= 0][-1] == 1.0


def test_an_address_that_is_none_is_a_clear_failure(links: list[VideoLink], home: Path):
    for url in (
        "synthetic://embedded/x?layouts=tiny",
        "synthetic://red/1?layouts=tiny",
        "synthetic://embedded/1",
        "synthetic://embedded/1?layouts=nope",
        "synthetic://embedded/../1?layouts=tiny",
    ):
        with pytest.raises(FetchError, match="expected"):
            SyntheticSource().fetch(replace(links[0], url=url), home / "never.mp4", home, DownloadConfig())
    assert not (home / "never.mp4").exists()


def test_a_row_listed_with_another_game_version_is_not_recorded(links: list[VideoLink], home: Path):
    with pytest.raises(FetchError, match="scrape again"):
        SyntheticSource().fetch(
            replace(links[0], fingerprint="old"), home / "never.mp4", home, DownloadConfig()
        )


def test_another_game_than_the_embedded_one_is_refused(home: Path):
    with pytest.raises(ValueError, match="only that game has a scripted player"):
        SyntheticSource().list_runs(ScrapeConfig(source="synthetic", game="pokemon_red"), home)


def test_addresses_are_read():
    assert parse_address("synthetic://embedded/17?layouts=demo") == (17, "demo")
