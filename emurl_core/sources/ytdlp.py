"""yt-dlp, embedded: it finds out where a page's video is. It never writes a file and never opens a connection of its own.

The bytes are fetched by `transfer` and `fragments`, which know how to resume for sure; everything that yt-dlp asks goes
through the reins of `connections`. What its errors mean is in `verdicts`.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import LoadError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yt_dlp
from yt_dlp.cookies import YoutubeDLCookieJar
from yt_dlp.utils import YoutubeDLError, determine_protocol

from emurl_core.sources.connections import ReinedRH, Reins
from emurl_core.sources.outcomes import safe_text
from emurl_core.sources.registry import FetchError
from emurl_core.sources.verdicts import judge

if TYPE_CHECKING:
    from emurl_core.sources.download_configuration import DownloadConfig

"""How EmuRL calls itself where it speaks HTTP itself. On a site's own pages yt-dlp speaks as it must to be answered."""
_KINDS = {
    "http": "file",
    "https": "file",
    "m3u8": "hls",
    "m3u8_native": "hls",
    "http_dash_segments": "dash",
}
_COOKIE = re.compile(r"([^\t]*\t){4}([0-9]+(\.[0-9]+)?)?\t[^\t]*\t[^\t]*")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Media:
    """Where a video's bytes are.

    Attributes:
        kind: `file`, `hls` (the address of a playlist) or `dash` (fragments).
        identity: the same as long as it is the same video in the same encoding, though its address may carry a new token.
        duration_s: as the site announces it, None where it does not.
        chunk_bytes: largest piece to ask for in one request; 0 is no limit. Some servers throttle whole files.
        fragments: of `dash`, as yt-dlp lists them.
    """

    url: str
    kind: str
    identity: str
    headers: Mapping[str, str] = field(default_factory=dict)
    duration_s: float | None = None
    chunk_bytes: int = 0
    fragments: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class ReinedYoutubeDL(yt_dlp.YoutubeDL):
    """yt-dlp whose every request is held by the reins, and whose cookies are never written."""

    def __init__(
        self, parameters: dict[str, Any], reins: Reins, cookies: YoutubeDLCookieJar | None = None
    ) -> None:
        self._reins = reins
        # Known before the constructor: there it would load, and later write, a file.
        self.__dict__["cookiejar"] = cookies if cookies is not None else YoutubeDLCookieJar()
        super().__init__(parameters)

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        return super().build_request_director([lambda **settings: ReinedRH(reins=self._reins, **settings)])


def open_ytdlp(config: "DownloadConfig", reins: Reins, home: Path) -> ReinedYoutubeDL:
    """yt-dlp with the manners of the settings. Close it, or use it as a context.

    Raises:
        ValueError: the cookie file is there and can't be read.
    """
    cache = home / "cache" / "yt-dlp"
    # The JavaScript runtime that solves YouTube's puzzles keeps its cache where everything else is.
    os.environ.setdefault("DENO_DIR", str(home / "cache" / "deno"))
    height = config.max_height_px
    return ReinedYoutubeDL(
        {
            "format": f"bv[height<=?{height}][vcodec^=avc1]/bv[height<=?{height}]/b[height<=?{height}]",
            "quiet": True,
            "noprogress": True,
            "logger": _Talk(),
            "noplaylist": True,
            "extract_flat": "in_playlist",
            "playlist_items": "1-2",
            "socket_timeout": config.timeout_s,
            "sleep_interval_requests": config.request_spacing_s,
            "extractor_retries": 1,
            # By default it makes up an address of another country when a site asks for one.
            "geo_bypass": False,
            "proxy": "",
            "cachedir": str(cache),
            "paths": {"home": str(cache), "temp": str(cache)},
        },
        reins,
        read_cookies(config.cookies_file),
    )


def read_cookies(path: str) -> YoutubeDLCookieJar | None:
    """The cookies of a file in Netscape's format, in memory only; None without a path.

    Raises:
        ValueError: no such file, or not that format. The message holds nothing out of the file.
    """
    if not path:
        return None
    file = Path(path).expanduser()
    advice = "expected cookies in Netscape's format; export them anew, or leave cookies_file empty"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read cookies_file {file} ({type(error).__name__}), {advice}") from None
    # Lines that do not fit are refused here, because yt-dlp would print them.
    rows = [line.removeprefix("#HttpOnly_") for line in lines]
    rows = [row for row in rows if row.strip() and not row.startswith("#")]
    if bad := [row for row in rows if not _COOKIE.fullmatch(row)]:
        raise ValueError(f"found {len(bad)} lines in cookies_file {file} that are no cookies, {advice}")
    jar = YoutubeDLCookieJar(str(file))
    try:
        jar.load()
    except (LoadError, OSError, ValueError) as error:
        raise ValueError(f"cannot read cookies_file {file} ({type(error).__name__}), {advice}") from None
    jar.filename = None
    return jar


def resolve(reader: ReinedYoutubeDL, url: str, video: str, config: "DownloadConfig") -> Media:
    """Find the video of a page.

    Raises:
        FetchError: there is none, or not one that can be fetched.
    """
    info = _single(reader, url, video)
    found = info.get("live_status")
    if info.get("is_live") or found in ("is_live", "is_upcoming"):
        raise FetchError(
            "unavailable", f"{video}: found a stream that has not ended, expected a video; try again later"
        )
    if info.get("has_drm"):
        raise FetchError(
            "unsupported", f"{video}: found a protected video (DRM), expected an open one; leave it out"
        )
    protocol = determine_protocol(info)
    fragments = info.get("fragments")
    kind = _KINDS.get(protocol)
    if kind is None or not info.get("url") or (kind == "dash") != isinstance(fragments, list):
        raise FetchError(
            "unsupported",
            f"{video}: found a video by {protocol!r}, expected one of {', '.join(sorted(_KINDS))}; leave it out",
        )
    size = info.get("filesize") or info.get("filesize_approx")
    if isinstance(size, int | float) and size > config.max_gigabytes * 1e9:
        raise FetchError(
            "too_large",
            f"{video}: found a video of {size / 1e9:,.3g} GB, expected at most {config.max_gigabytes:g}; leave it out or raise "
            "max_gigabytes",
        )
    options = info.get("downloader_options") or {}
    duration = info.get("duration")
    return Media(
        url=str(info["url"]),
        kind=kind,
        identity="|".join(
            str(info.get(k)) for k in ("extractor_key", "id", "format_id", "filesize", "duration")
        ),
        headers={str(k): str(v) for k, v in (info.get("http_headers") or {}).items()},
        duration_s=float(duration) if isinstance(duration, int | float) and duration > 0 else None,
        chunk_bytes=int(options.get("http_chunk_size") or 0),
        fragments=tuple(
            {**part, "base": info.get("fragment_base_url")}
            for part in fragments or ()
            if isinstance(part, dict)
        ),
        facts={
            "extractor": safe_text(str(info.get("extractor_key"))),
            "format": safe_text(str(info.get("format_id")))[:60],
        },
    )


def _single(reader: ReinedYoutubeDL, url: str, video: str) -> Mapping[str, Any]:
    for _ in range(3):
        try:
            info = reader.extract_info(url, download=False)
        except (YoutubeDLError, OSError) as error:
            raise judge(error, video) from error
        except Exception as error:
            # Readers of a thousand sites meet pages that nobody expected.
            _log.debug("yt-dlp stumbled", exc_info=True)
            raise FetchError(
                "unsupported",
                f"{video}: yt-dlp stumbled over the page ({type(error).__name__}); leave it out",
            ) from error
        if not isinstance(info, dict):
            break
        if info.get("_type") not in ("playlist", "multi_video"):
            return info
        entries = [e for e in info.get("entries") or () if isinstance(e, dict)]
        if len(entries) != 1 or not entries[0].get("url"):
            raise FetchError(
                "unsupported",
                f"{video}: found a page with {len(entries) or 'no'} videos, expected one; link the video itself",
            )
        if entries[0].get("_type", "video") == "video" and entries[0].get("formats"):
            return entries[0]
        url = str(entries[0]["url"])
    raise FetchError("unsupported", f"{video}: found no video behind its page, expected one; leave it out")


class _Talk:
    """yt-dlp's logger: debug only, and without what may be secret in addresses."""

    def debug(self, message: str) -> None:
        _log.debug("yt-dlp: %s", safe_text(message))

    info = warning = error = debug
