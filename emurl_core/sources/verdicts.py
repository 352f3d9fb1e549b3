"""Which outcome an error means. Sites and yt-dlp say it by status, by class, and often in words only."""

import errno
import re
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from emurl_core.sources.connections import CutError
from emurl_core.sources.courtesy import seconds_to_wait
from emurl_core.sources.outcomes import safe_text
from emurl_core.sources.registry import FetchError

_BY_STATUS = {
    401: "login",
    402: "login",
    403: "forbidden",
    404: "removed",
    408: "timeout",
    410: "removed",
    420: "rate_limited",
    429: "rate_limited",
    451: "geo",
}
# The order matters: "Sign in to confirm you're not a bot" is about robots, not about an account.
_BY_WORDS = (
    ("rate_limited", r"not a bot|captcha|rate.?limit|too many requests|try again later"),
    ("geo", r"geo.?restrict|in your (country|region|location)|from your location|not available in your"),
    ("private", r"\bprivate\b|privacy setting"),
    (
        "login",
        r"sign in|log ?in|logged in|registered users|members.only|subscriber|password|age.?restrict|confirm your age|authenticat",
    ),
    (
        "unavailable",
        r"premieres? in|will begin|not (yet )?started|is (currently )?live|livestream|still (being )?process|offline",
    ),
    (
        "unsupported",
        r"\bdrm\b|requested format is not available|no video formats|unsupported url|no video could be found",
    ),
    (
        "removed",
        r"removed|deleted|terminated|does not exist|doesn't exist|no longer (available|exists)|not found|has expired|"
        r"video unavailable|video is unavailable|is not available|isn't available",
    ),
    ("timeout", r"timed? ?out"),
)
_DO = {
    "private": "leave it out",
    "removed": "leave it out",
    "geo": "leave it out",
    "login": "leave it out, or set cookies_file to the cookies of an account of yours that may see it",
    "forbidden": "try again later, or leave it out",
    "unsupported": "leave it out",
    "rate_limited": "wait, and raise spacing_s",
    "unavailable": "try again later",
    "network": "try again later",
    "timeout": "try again later",
}


def judge(error: BaseException, video: str) -> FetchError:
    """The FetchError that an error of yt-dlp or of a transfer means. An OSError about a full disk is raised again.

    Args:
        video: how to call the video in the message.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, CutError):
            return cause.error
        if isinstance(cause, FetchError):
            return cause
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise cause
    words = _words(causes)
    for cause in causes:
        if isinstance(cause, HTTPError):
            outcome = _BY_STATUS.get(cause.status) or ("unavailable" if cause.status >= 500 else "")
            # A page that says no may say in words why.
            outcome = outcome or _by_words(words) or "unavailable"
            return _verdict(outcome, video, f"HTTP {cause.status}", retry_after_s(cause))
        if isinstance(cause, GeoRestrictedError):
            return _verdict("geo", video, words)
        if isinstance(cause, UserNotLive):
            return _verdict("unavailable", video, words)
        if isinstance(cause, UnsupportedError):
            return _verdict("unsupported", video, words)
    if any(isinstance(cause, TransportError | TimeoutError) for cause in causes):
        slow = any(isinstance(c, TimeoutError) for c in causes) or re.search(r"timed? ?out", words, re.I)
        return _verdict("timeout" if slow else "network", video, words)
    if any(isinstance(cause, RequestError) for cause in causes):
        return _verdict("unsupported", video, words)
    return _verdict(_by_words(words) or "unavailable", video, words)


def retry_after_s(error: HTTPError) -> float | None:
    """Seconds that the server asked to wait; None when it did not."""
    return seconds_to_wait(error.response.headers.get("Retry-After"))


def _verdict(outcome: str, video: str, found: str, wait_s: float | None = None) -> FetchError:
    return FetchError(
        outcome,
        f"{video}: found {safe_text(found)}, expected a video that can be had; {_DO[outcome]}",
        retry_after_s=wait_s,
    )


def _by_words(words: str) -> str | None:
    return next((outcome for outcome, pattern in _BY_WORDS if re.search(pattern, words, re.I)), None)


def _words(causes: list[BaseException]) -> str:
    """What the site said, without yt-dlp's advice to its own users."""
    said = next((c.orig_msg for c in causes if isinstance(c, ExtractorError)), None) or str(causes[-1])
    return (
        re.sub(r";? *(please report this issue|Use --|See  ?https|Try using --).*", "", said, flags=re.S)
        or "an error"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, outermost first; yt-dlp keeps causes in attributes of its own."""
    todo, seen = [error], set()
    while todo:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        info = getattr(one, "exc_info", None)
        inner = [getattr(one, "cause", None), info[1] if isinstance(info, tuple) and len(info) > 1 else None]
        inner += [*getattr(one, "unexpected_errors", ()), one.__cause__]
        todo += [e for e in inner if isinstance(e, BaseException)]
