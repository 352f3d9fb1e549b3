"""Sources `youtube`, `twitch` and `playlist`: lists of videos that yt-dlp can read, without opening any of the videos.

What is asked of the sites is what their pages show to anybody. The lists themselves are read in `flat_list`.
"""

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emurl_core.sources.addresses import check_public
from emurl_core.sources.cleaning import UnusableError, clean_address, clean_date, clean_seconds, clean_text
from emurl_core.sources.flat_list import FlatList
from emurl_core.sources.links import VideoLink
from emurl_core.sources.scrape import ScrapeConfig

_CHANNEL = re.compile(r"[A-Za-z0-9_]{2,25}\Z")
_NOT_YET = ("is_live", "is_upcoming", "post_live")
_CLOSED = {"private", "premium_only", "subscriber_only", "needs_auth"}


class _ListedVideos:
    """What the three have in common: entries of a list become rows. `skipped` counts what the last listing left out."""

    name: str
    notice: str

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()

    def _links(self, address: str, limit: int, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        self.skipped.clear()
        links: list[VideoLink] = []
        for entry in FlatList(config, home).entries(address, limit):
            try:
                links.append(self._link(entry, len(links), config))
            except UnusableError as error:
                self.skipped[error.reason] += 1
        return links

    def _link(self, entry: Any, place: int, config: ScrapeConfig) -> VideoLink:
        if not isinstance(entry, dict):
            # Deleted videos keep their place in a list.
            raise UnusableError("removed_from_list", "found an empty place, expected a video")
        if entry.get("live_status") in _NOT_YET:
            raise UnusableError("live", "found a broadcast that is not over, expected a video")
        if entry.get("availability") in _CLOSED:
            raise UnusableError("private", "found a video that is not for everybody, expected a public one")
        if entry.get("_type") in ("playlist", "multi_video") or "entries" in entry:
            raise UnusableError("nested_list", "found a list in the list, expected a video")
        url = clean_address(entry.get("url") or entry.get("webpage_url"))
        return VideoLink(
            run_id=self._run_id(entry, url),
            source=self.name,
            game=config.game,
            url=url,
            players=clean_text(entry.get("channel") or entry.get("uploader")),
            title=clean_text(entry.get("title")) or "untitled",
            duration_s=clean_seconds(entry.get("duration")),
            date=clean_date(_dashed(entry.get("upload_date"))),
        )

    def _run_id(self, entry: dict[str, Any], url: str) -> str:
        # Of the address and not of the id, which is anything that a site gives.
        return f"{self.name}-{_short_hash(url)}"


class YoutubeSearchSource(_ListedVideos):
    """The first results of a search on YouTube."""

    name = "youtube"
    notice = (
        "YouTube: its terms of service hold; the videos belong to those who made them. See docs/sources.md"
    )

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """One link for each result, best first.

        Raises:
            ValueError: nothing to search for; FetchError: the site gave no usable list.
        """
        words = clean_text(config.search)
        if not words:
            raise ValueError("found an empty search, expected words to search for; set scrape.search")
        count = min(config.search_results, config.max_runs or config.search_results)
        return self._links(f"ytsearch{count}:{words}", count, config, home)


class TwitchSource(_ListedVideos):
    """The videos of a Twitch channel: past broadcasts, highlights and uploads."""

    name = "twitch"
    notice = (
        "Twitch: its terms of service hold; the videos belong to those who made them. See docs/sources.md"
    )

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """One link for each video of the channel, newest first.

        Raises:
            ValueError: no channel, or a name that is none; FetchError: the site gave no usable list.
        """
        channel = config.twitch_channel.strip()
        if not _CHANNEL.match(channel):
            raise ValueError(
                f"found twitch_channel={channel[:80]!r}, expected the name of a channel: 2 to 25 letters, digits and '_'; set "
                "scrape.twitch_channel to the last part of the channel's address"
            )
        address = f"https://www.twitch.tv/{channel.lower()}/videos?filter=all"
        links = self._links(address, config.max_runs, config, home)
        return [_by(link, channel) for link in links]


class PlaylistSource(_ListedVideos):
    """Any list of videos that yt-dlp knows: a playlist, a channel, a feed."""

    name = "playlist"
    notice = "playlist: the site's terms of service hold; the videos belong to those who made them. See docs/sources.md"

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """One link for each video, in the list's order; all parts of one run where the settings say so.

        Raises:
            ValueError: no address; FetchError: it must not be asked, or the site gave no usable list.
        """
        address = config.list_url.strip()
        if not urlsplit(address).scheme:
            raise ValueError(
                f"found list_url={address[:80]!r}, expected the address of a list of videos; set scrape.list_url to one that "
                "starts with https://"
            )
        check_public(address, config.allow_private_hosts)
        return self._links(address, config.max_runs, config, home)

    def _link(self, entry: Any, place: int, config: ScrapeConfig) -> VideoLink:
        link = super()._link(entry, place, config)
        if not config.list_is_one_run:
            return link
        run_id = f"{self.name}-{_short_hash(clean_address(config.list_url))}"
        return VideoLink(**{**vars(link), "run_id": run_id, "part": place})


def _by(link: VideoLink, channel: str) -> VideoLink:
    return link if link.players else VideoLink(**{**vars(link), "players": channel})


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _dashed(value: Any) -> str | None:
    """`20230517`, as yt-dlp writes dates, as `2023-05-17`."""
    fits = isinstance(value, str) and len(value) == 8
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if fits else None
