"""What strangers wrote, made safe to keep: texts, numbers, dates and addresses out of JSON that may hold anything.

Each function takes any JSON value. A value that is no such thing becomes empty or None; what a row can't do without is
`UnusableError`, with a word to count it under. `clean_link` is the gate that every row of every source passes.
"""

import html
import re
import unicodedata
from dataclasses import replace
from datetime import date
from typing import Any

from emurl_core.sources.canonical import canonical
from emurl_core.sources.links import VideoLink
from emurl_core.sources.registry import FetchError

TEXT_LENGTH = 200
ADDRESS_LENGTH = 2_000
LONGEST_S = 14 * 24 * 3600.0
"""No run and no video is longer; such a number is a mistake or malice."""
PARTS = 100
"""No run has more videos."""
_TAG = re.compile(r"<[A-Za-z/!?][^<>]*(?:>|\Z)")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,159}\Z")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"')\]]+", re.IGNORECASE)
_LOCAL_SCHEMES = ("file", "synthetic")


class UnusableError(ValueError):
    """A row can't be kept. `reason` is one word to count it under."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def clean_text(value: Any, length: int = TEXT_LENGTH) -> str:
    """One line of text without tags, control characters, direction marks and half characters; cut to the length."""
    if not isinstance(value, str):
        return ""
    # Far more than is kept, so that a text of megabytes costs nothing.
    text = html.unescape(value[: 20 * length])
    while (stripped := _TAG.sub("", text)) != text:
        text = stripped
    kept = (" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(unicodedata.normalize("NFC", "".join(kept)).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def clean_seconds(value: Any) -> float | None:
    """A length of time between nothing and `LONGEST_S`; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= LONGEST_S else None


def clean_date(value: Any) -> str | None:
    """An ISO date out of a date or a time stamp; None for everything else."""
    try:
        found = date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.isoformat() if found and 1990 <= found.year <= 2100 else None


def clean_address(value: Any) -> str:
    """An http(s) address in its one form.

    Raises:
        UnusableError: `no_link` when there is none, `bad_link` when it is no http(s) address or absurdly long.
    """
    if not isinstance(value, str) or not value.strip():
        raise UnusableError("no_link", f"found {value!r:.80}, expected an address")
    if len(value) > ADDRESS_LENGTH:
        raise UnusableError(
            "bad_link", f"found an address of {len(value):,} characters, expected {ADDRESS_LENGTH:,}"
        )
    try:
        return canonical(value.strip())
    except FetchError as error:
        raise UnusableError("bad_link", str(error)) from error


def addresses_in(value: Any) -> list[str]:
    """The http(s) addresses written in a text, in their order, uncleaned."""
    return _WEB_ADDRESS.findall(value[:20_000]) if isinstance(value, str) else []


def clean_link(link: VideoLink) -> VideoLink:
    """The row with every text, number and date cleaned. A clean row comes back equal.

    Raises:
        UnusableError: its address or the id of its run can't be kept.
    """
    if not isinstance(link.run_id, str) or not _RUN_ID.match(link.run_id):
        raise UnusableError(
            "bad_id", f"found the run id {link.run_id!r:.80}, expected letters, digits, '.', '_', '-'"
        )
    if not 0 <= link.part < PARTS:
        raise UnusableError(
            "too_many_parts", f"found part {link.part} of {link.run_id}, expected at most {PARTS}"
        )
    local = isinstance(link.url, str) and link.url.split(":", 1)[0] in _LOCAL_SCHEMES
    return replace(
        link,
        url=link.url if local else clean_address(link.url),
        category=clean_text(link.category),
        players=clean_text(link.players),
        title=clean_text(link.title),
        time_s=clean_seconds(link.time_s),
        duration_s=clean_seconds(link.duration_s),
        date=clean_date(link.date),
        fingerprint=clean_text(link.fingerprint),
    )
