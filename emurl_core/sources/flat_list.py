"""The entries of a list of videos, read by yt-dlp without opening the videos.

It is the same program that finds the videos later, held by the same reins. Lists have a danger of their own: some sites'
readers take a page that can't be had for the end of the list, with a warning. Here such a warning fails the listing.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.utils import YoutubeDLError

from emurl_core.runtime import track
from emurl_core.sources.cleaning import clean_text
from emurl_core.sources.connections import Reins
from emurl_core.sources.outcomes import safe_text
from emurl_core.sources.pace import Pace, pace_folder
from emurl_core.sources.registry import FetchError
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.sources.verdicts import judge
from emurl_core.sources.ytdlp import ReinedYoutubeDL

READ_TIMEOUT_S = 30.0
WHOLE_LIST_S = 3600.0
UNKNOWN_LENGTH = 1_000
"""Lists do not say how long they are; where no limit is set, the progress runs to so many."""
_LISTS = frozenset({"YoutubeTab", "YoutubePlaylist"})
"""A channel's address gives a list of its lists."""
_BROKEN_OFF = ("unable to download", "incomplete data", "giving up", "failed to", "timed out")

_log = logging.getLogger(__name__)


class FlatList:
    """Reads lists with the manners of the settings."""

    def __init__(self, config: ScrapeConfig, home: Path) -> None:
        self._config = config
        self._home = home

    def entries(self, address: str, limit: int) -> list[Any]:
        """The entries in their order, each a dictionary as yt-dlp gives it, or None where a video was deleted.

        Args:
            address: of a list, or a search such as `ytsearch20:words`. A single video is a list of one.
            limit: at most so many; 0 is all.

        Raises:
            FetchError: the list can't be had, or broke off.
        """
        heard = _Heard()
        reins = Reins(self._config.allow_private_hosts, WHOLE_LIST_S, READ_TIMEOUT_S)
        with reins, _PacedReader(self._parameters(limit, heard), reins, self._config, self._home) as reader:
            entries = _read(reader, address)
            lists = [entry["url"] for entry in entries if _is_list(entry)]
            if lists and len(lists) == len(entries):
                entries = [video for inner in lists for video in _read(reader, inner)]
        if heard.broken_off:
            raise FetchError(
                "network",
                f"{safe_text(address)}: found a list that broke off after {len(entries)} entries ({heard.broken_off}), expected "
                "all of it; try again later",
            )
        return entries[:limit] if limit else entries

    def _parameters(self, limit: int, heard: "_Heard") -> dict[str, Any]:
        cache = str(self._home / "cache" / "yt-dlp")
        return {
            "extract_flat": "in_playlist",
            "lazy_playlist": True,
            "playlistend": limit or None,
            "match_filter": _progress(limit),
            "quiet": True,
            "noprogress": True,
            "logger": heard,
            "socket_timeout": READ_TIMEOUT_S,
            "extractor_retries": 3,
            # By default it makes up an address of another country when a site asks for one.
            "geo_bypass": False,
            "proxy": "",
            "cachedir": cache,
            "paths": {"home": cache, "temp": cache},
        }


class _PacedReader(ReinedYoutubeDL):
    """yt-dlp that waits its turn before each request, beside all processes of this machine."""

    def __init__(self, parameters: dict[str, Any], reins: Reins, config: ScrapeConfig, home: Path) -> None:
        self._pace = Pace(pace_folder(home))
        self._spacing_s = 60 / config.requests_per_minute
        super().__init__(parameters, reins)

    def urlopen(self, req: Any) -> Any:
        host = urlsplit(req if isinstance(req, str) else req.url).hostname
        self._pace.wait(host or "", self._spacing_s)
        return super().urlopen(req)


class _Heard:
    """yt-dlp's logger: its talk goes to the debug log, and that a list broke off is remembered."""

    def __init__(self) -> None:
        self.broken_off = ""

    def debug(self, message: str) -> None:
        _log.debug("yt-dlp: %s", safe_text(message))

    info = error = debug

    def warning(self, message: str) -> None:
        self.debug(message)
        if any(sign in message.lower() for sign in _BROKEN_OFF):
            self.broken_off = clean_text(safe_text(message))


def _read(reader: ReinedYoutubeDL, address: str) -> list[Any]:
    try:
        info = reader.extract_info(address, download=False)
    except (YoutubeDLError, OSError) as error:
        verdict = judge(error, safe_text(address))
        raise FetchError(
            verdict.outcome,
            f"{safe_text(address)}: found no list that can be read ({clean_text(safe_text(str(error)))}), expected one; check the "
            "address, or try again later",
            verdict.retry_after_s,
        ) from error
    except Exception as error:
        # Readers of a thousand sites meet pages that nobody expected.
        _log.debug("yt-dlp stumbled", exc_info=True)
        raise FetchError(
            "unsupported",
            f"{safe_text(address)}: yt-dlp stumbled over the list ({type(error).__name__}), expected one it can read; give "
            "another one",
        ) from error
    if not isinstance(info, dict):
        raise FetchError(
            "unsupported", f"{safe_text(address)}: found no list, expected one; check the address"
        )
    entries = info.get("entries")
    if entries is None:
        # A video by itself: its page, not the passing address of its bytes.
        return [{**info, "url": info.get("webpage_url") or info.get("url")}]
    return list(entries)


def _progress(limit: int) -> Callable[..., None]:
    """A filter that keeps every entry and counts it on the progress bar."""
    total = limit or UNKNOWN_LENGTH
    label = "listed videos" if limit else f"listed videos, of unknown number; the first {total}"
    steps = track(total, label)

    def seen(info: dict[str, Any], *_: Any, **__: Any) -> None:
        if info.get("playlist_autonumber"):
            next(steps, None)

    return seen


def _is_list(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("ie_key") in _LISTS and isinstance(entry.get("url"), str)
