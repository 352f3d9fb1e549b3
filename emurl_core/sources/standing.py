"""When not to ask again: an earlier outcome that stands, and the circumstances under which it does."""

import hashlib
from pathlib import Path

from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import VideoLink
from emurl_core.sources.outcomes import Outcome, OutcomeBook
from emurl_core.sources.registry import FetchError


class NotAskedError(FetchError):
    """The outcome is known from an earlier try and asking again now would not help, so nothing was asked."""

    def __init__(self, known: Outcome) -> None:
        super().__init__(known.outcome, _message(known))


def standing(link: VideoLink, config: DownloadConfig, book: OutcomeBook) -> Outcome | None:
    """The earlier outcome that says not to ask now; None when it is time to ask. What costs no request is always tried."""
    if not link.url.lower().startswith(("http://", "https://")):
        return None
    known = book.find(link.video_id)
    if (
        known is None
        or known.stage != "videos"
        or not known.waits(circumstances(link, config, known.outcome))
    ):
        return None
    return known


def circumstances(link: VideoLink, config: DownloadConfig, outcome: str) -> str:
    """Changes when the row changes, or a setting that this outcome depends on."""
    told: list[object] = [link.row_hash]
    if outcome in ("login", "forbidden"):
        file = Path(config.cookies_file).expanduser()
        told.append(file.stat().st_mtime_ns if config.cookies_file and file.is_file() else 0)
    elif outcome == "refused":
        told.append(config.allow_private_hosts)
    elif outcome == "too_large":
        told += [config.max_gigabytes, config.max_height_px]
    elif outcome == "corrupt":
        told.append(config.duration_tolerance)
    elif outcome == "unsupported":
        from yt_dlp.version import __version__

        told += [config.max_height_px, __version__]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _message(known: Outcome) -> str:
    when = (
        f"not before {known.next_retry_utc[:16].replace('T', ' ')} UTC"
        if known.next_retry_utc
        else "as things are, asking again can't help"
    )
    return (
        f"{known.video_id}: {known.outcome}, not asked again ({when}; --retry asks at once): {known.message}"
    )
