"""Who we say that we are, and how long a server asks to be left alone. How often a host is asked is in `pace`."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

USER_AGENT = f"emurl/{version('emurl')}"


def seconds_to_wait(retry_after: str | None, now: datetime | None = None) -> float | None:
    """What a `Retry-After` header asks for, be it seconds or a date (RFC 9110, 10.2.3); None without one that can be read."""
    said = (retry_after or "").strip()
    if said.isascii() and said.isdecimal():
        return float(said[:9])
    try:
        until = parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
