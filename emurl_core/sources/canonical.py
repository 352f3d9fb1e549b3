"""One address for one video: the many forms in which people link the same one are written in one way.

So a run linked by `youtu.be` in one place and by `youtube.com/watch` in another is one row and one download. Whether an
address may be asked is in `addresses`.
"""

import re
from urllib.parse import SplitResult, parse_qs, urlunsplit

from emurl_core.sources.addresses import split_address

_YOUTUBE = re.compile(r"(?:(?:www|m|music)\.)?youtube(?:-nocookie)?\.com\Z")
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}\Z")
_YOUTUBE_PATH = re.compile(r"/(?:embed|v|live|shorts)/([^/]+)")
_TWITCH = re.compile(r"(?:(?:www|m|go|secure)\.)?twitch\.tv\Z")
_TWITCH_PATH = re.compile(r"/(?:videos|[A-Za-z0-9_]+/(?:v|video|videos))/([0-9]{1,12})/?\Z")


def canonical(url: str) -> str:
    """The address in its one form: lower-case host, no default port, no fragment, no start time on the known sites.

    Path and query keep their case: two videos may differ in nothing else.

    Raises:
        FetchError: `refused` when it is no http(s) address.
    """
    parts = split_address(url)
    host = (parts.hostname or "").rstrip(".")
    if video := _youtube_id(host, parts):
        return f"https://www.youtube.com/watch?v={video}"
    if video := _twitch_id(host, parts):
        return f"https://www.twitch.tv/videos/{video}"
    default = {"http": 80, "https": 443}[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    place = shown if parts.port in (None, default) else f"{shown}:{parts.port}"
    return urlunsplit((parts.scheme, place, parts.path or "/", parts.query, ""))


def _youtube_id(host: str, parts: SplitResult) -> str | None:
    if host == "youtu.be":
        found = parts.path.strip("/")
    elif not _YOUTUBE.match(host):
        return None
    elif match := _YOUTUBE_PATH.match(parts.path):
        found = match.group(1)
    else:
        found = parse_qs(parts.query).get("v", [""])[0]
    return found if _YOUTUBE_ID.match(found) else None


def _twitch_id(host: str, parts: SplitResult) -> str | None:
    if host == "player.twitch.tv":
        found = parse_qs(parts.query).get("video", [""])[0].removeprefix("v")
        return found if found.isascii() and found.isdecimal() else None
    match = _TWITCH_PATH.match(parts.path) if _TWITCH.match(host) else None
    return match.group(1) if match else None
