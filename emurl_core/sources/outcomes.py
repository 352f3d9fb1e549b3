"""What became of each video: one small record a video, replaced atomically, and when it may be asked for again.

    <home>/outcomes/<video id>.json

The record is a note beside the artifacts, not one of them: it changes with each try. It never holds a secret: addresses
are kept without their query. What raises these outcomes is in `web_video`, `verdicts` and `inspection`; the names that a
site's own words are sorted into are the keys of `KINDS`.
"""

import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emurl_core.artifacts import ArtifactError

_MINUTE_S = 60.0
_HOUR_S = 60 * _MINUTE_S
_LONGEST_WAIT = timedelta(days=7)
_MESSAGE_LETTERS = 600
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_UNPRINTABLE = re.compile(
    r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+"
)


@dataclass(frozen=True)
class Kind:
    """What an outcome means.

    Attributes:
        means: for people.
        first_wait_s: pause before the second try; doubles with each failure. None: trying again can't help.
        tries: after so many failures in a row it counts as hopeless; 0 is no limit.
    """

    means: str
    first_wait_s: float | None = None
    tries: int = 0


KINDS: Mapping[str, Kind] = {
    "ok": Kind("here, whole, and as long as announced"),
    "private": Kind("its owner does not show it"),
    "removed": Kind("deleted, or its account is gone (HTTP 404, 410)"),
    "geo": Kind("not shown in this country (HTTP 451); no tricks are played"),
    "login": Kind("only for people who are logged in (HTTP 401); cookies_file may help"),
    "unsupported": Kind("no single video that can be read: another kind of page, a list, DRM, encrypted"),
    "refused": Kind("the address, or one it leads to, is not on the public internet"),
    "too_large": Kind("more bytes than max_gigabytes"),
    "no_game_screen": Kind("a video without a game, or with too little of it"),
    "forbidden": Kind("the server says no (HTTP 403) without saying why", _HOUR_S, tries=3),
    "corrupt": Kind(
        "cut short, spliced, no video, or of another length than announced", 10 * _MINUTE_S, tries=3
    ),
    "rate_limited": Kind("asked too often (HTTP 420, 429), or taken for a robot", 10 * _MINUTE_S),
    "network": Kind("no connection, or it broke", _MINUTE_S),
    "timeout": Kind("the server stalled, or the whole took too long", 2 * _MINUTE_S),
    "unavailable": Kind("not now: server error (HTTP 5xx), not yet shown, still live", 5 * _MINUTE_S),
    "disk_full": Kind("no space left here", 0.0),
    "interrupted": Kind("stopped by hand", 0.0),
}
"""Every outcome there is."""

TRANSIENT = frozenset({"network", "timeout", "rate_limited", "unavailable", "interrupted"})
"""Outcomes that another try within minutes may change."""


@dataclass(frozen=True)
class Outcome:
    """The record of one video.

    Attributes:
        stage: `videos` or `frames`, whichever said the last word.
        failures: failed tries in a row.
        next_retry_utc: not before; None when it is here, or when trying again can't help.
        circumstances: changes when something changed that could change the outcome (the row, a setting, the finder).
        artifact: of `ok`, the id of the video that these circumstances led to.
        same_as: the artifact that has the same bytes under another address.
    """

    video_id: str
    outcome: str
    stage: str = "videos"
    run_id: str = ""
    source: str = ""
    title: str = ""
    url: str = ""
    message: str = ""
    attempts: int = 0
    failures: int = 0
    last_utc: str = ""
    next_retry_utc: str | None = None
    circumstances: str = ""
    artifact: str | None = None
    same_as: str | None = None

    @property
    def hopeless(self) -> bool:
        """Whether trying again, as things are, can't help."""
        return self.outcome != "ok" and self.next_retry_utc is None

    def waits(self, circumstances: str, now: datetime | None = None) -> bool:
        """Whether this is no time to ask: it is hopeless or not yet due, and nothing changed that could help."""
        if self.outcome == "ok" or self.circumstances != circumstances:
            return False
        due = self.next_retry_utc
        return due is None or datetime.fromisoformat(due) > (now or datetime.now(UTC))


class OutcomeBook:
    """The records of all videos below a data folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "outcomes"

    def find(self, video_id: str) -> Outcome | None:
        """The record of a video; None when it was never tried. A damaged record counts as none."""
        return _read(self._file(video_id))

    def everything(self) -> list[Outcome]:
        """All records, in the order of their video ids."""
        found = [_read(path) for path in sorted(self.folder.glob("[!.]*.json"))]
        return [outcome for outcome in found if outcome is not None]

    def of(self, video_ids: Iterable[str]) -> list[Outcome]:
        """The records of these videos, as far as there are any."""
        found = (self.find(video_id) for video_id in video_ids)
        return [outcome for outcome in found if outcome is not None]

    def note(
        self,
        video_id: str,
        about: Mapping[str, Any],
        outcome: str,
        message: str = "",
        *,
        stage: str = "videos",
        circumstances: str = "",
        retry_after_s: float | None = None,
        artifact: str | None = None,
        same_as: str | None = None,
    ) -> Outcome:
        """Write what became of a try.

        Args:
            about: facts of the video or its row: `run_id`, `source`, `title` and `url` are kept.
            retry_after_s: how long the server asked to be left alone; a longer wait of our own stays.
        """
        before = self.find(video_id)
        now = datetime.now(UTC)
        failures = 0
        if outcome != "ok":
            again = before is not None and before.outcome == outcome and before.circumstances == circumstances
            failures = 1 + (before.failures if before is not None and again else 0)
        due = _due(outcome, failures, retry_after_s, now)
        record = Outcome(
            video_id=video_id,
            outcome=outcome,
            stage=stage,
            run_id=str(about.get("run_id") or ""),
            source=str(about.get("source") or ""),
            title=safe_text(str(about.get("title") or ""))[:160],
            url=safe_text(str(about.get("url") or "")),
            message=safe_text(message),
            attempts=1 + (before.attempts if before else 0),
            failures=failures,
            last_utc=now.isoformat(timespec="seconds"),
            next_retry_utc=due.isoformat(timespec="seconds") if due else None,
            circumstances=circumstances,
            artifact=artifact,
            same_as=same_as,
        )
        self._write(record)
        return record

    def settle(self, video_id: str) -> None:
        """The frames of a video are here: what the stage `frames` said of it before is over."""
        before = self.find(video_id)
        if before is not None and before.stage == "frames":
            self._write(
                replace(
                    before,
                    outcome="ok",
                    stage="videos",
                    message="",
                    failures=0,
                    next_retry_utc=None,
                    circumstances="",
                )
            )

    def _file(self, video_id: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", video_id):
            raise ArtifactError(
                f"found the video id {video_id[:80]!r}, expected letters, digits, '.', '_', '-'; scrape again"
            )
        return self.folder / f"{video_id}.json"

    def _write(self, record: Outcome) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = self.folder / f".{record.video_id}-{uuid.uuid4().hex}"
        try:
            staged.write_text(json.dumps(asdict(record), indent=1))
            os.replace(staged, self._file(record.video_id))
        finally:
            staged.unlink(missing_ok=True)


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How often each outcome is there: `ok` first, then the most frequent ones."""
    found = Counter(outcome.outcome for outcome in outcomes)
    return dict(sorted(found.items(), key=lambda item: (item[0] != "ok", -item[1], item[0])))


def as_rows(outcomes: Iterable[Outcome]) -> list[dict[str, str]]:
    """Rows for a table: what needs a look first."""
    ordered = sorted(outcomes, key=lambda o: (o.outcome == "ok", o.outcome, o.video_id))
    return [
        {
            "video": o.video_id,
            "outcome": o.outcome,
            "tries": str(o.attempts),
            "last": o.last_utc[:16].replace("T", " "),
            "next": "" if o.outcome == "ok" else (o.next_retry_utc or "never")[:16].replace("T", " "),
            "title": o.title,
            "message": o.message or (f"same bytes as {o.same_as}" if o.same_as else ""),
        }
        for o in ordered
    ]


def safe_text(text: str) -> str:
    """Text to show and keep: one line, no control characters, addresses without user, query and fragment, not endless."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return _ADDRESS.sub(lambda found: safe_address(found.group()), line)[:_MESSAGE_LETTERS]


def safe_address(url: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    # The query of a synthetic address is its layout set; any other may be a token.
    shown = parts.query if parts.scheme == "synthetic" else "…"
    tail = f"?{shown}" if parts.query else ""
    return f"{parts.scheme}://{host}{parts.path}{tail}"


def _due(outcome: str, failures: int, retry_after_s: float | None, now: datetime) -> datetime | None:
    kind = KINDS[outcome]
    if outcome == "ok" or kind.first_wait_s is None or (kind.tries and failures >= kind.tries):
        return None
    own = timedelta(seconds=kind.first_wait_s * 2 ** min(failures - 1, 20))
    asked = timedelta(seconds=retry_after_s or 0.0)
    return now + min(max(own, asked), _LONGEST_WAIT)


def _read(path: Path) -> Outcome | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        known = {f.name for f in fields(Outcome)}
        found = Outcome(**{k: v for k, v in record.items() if k in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return found if found.outcome in KINDS else None
