"""Videos that were taken back, each with a reason: the next dataset leaves them out, and nothing fetches or cuts them again.

    <home>/retractions/<video id>.json

One small record a video, replaced atomically, as outcomes are. What a retraction makes stale, and how files are deleted, is in
`emurl_core.lineage.retracting`.
"""

import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from emurl_core.artifacts import ArtifactError
from emurl_core.sources.registry import FetchError

Files = Literal["kept", "going", "gone"]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")


class RetractedError(FetchError):
    """The video was retracted: it is neither fetched nor cut."""

    def __init__(self, retraction: "Retraction") -> None:
        video = retraction.video_id
        super().__init__(
            "retracted",
            f"{video}: retracted on {retraction.at_utc[:10]} ({retraction.reason}), expected a video that may be used; leave it "
            f"out, or take that back with `emurl retract {video} --undo`",
        )


@dataclass(frozen=True)
class Retraction:
    """The record of one video.

    Attributes:
        at_utc: when, ISO 8601.
        files: `kept`; `going` while they are deleted, and after a deletion that was killed; `gone`.
    """

    video_id: str
    reason: str
    at_utc: str
    files: Files = "kept"


class RetractionBook:
    """The retractions below a data folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "retractions"

    def find(self, video_id: str) -> Retraction | None:
        """The retraction of a video; None when it is not retracted.

        Raises:
            ArtifactError: its record can't be read: counting that as none would bring the video back.
        """
        path = self._file(video_id)
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _damaged(path, error) from error
        try:
            return Retraction(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise _damaged(path, error) from error

    def everything(self) -> list[Retraction]:
        """All retractions, in the order of their video ids."""
        found = (self.find(path.stem) for path in sorted(self.folder.glob("[!.]*.json")))
        return [retraction for retraction in found if retraction is not None]

    def reasons(self, video_ids: Iterable[str] | None = None) -> dict[str, str]:
        """`{video id: reason}` of all retracted videos, or of those among the given ones."""
        wanted = None if video_ids is None else set(video_ids)
        return {r.video_id: r.reason for r in self.everything() if wanted is None or r.video_id in wanted}

    def refuse(self, video_id: str) -> None:
        """Raise RetractedError when the video is retracted."""
        if (retraction := self.find(video_id)) is not None:
            raise RetractedError(retraction)

    def note(self, video_id: str, reason: str = "", files: Files | None = None) -> Retraction:
        """Write a retraction, or change one. What is left empty stays as it was.

        Raises:
            ValueError: a first retraction without a reason.
        """
        with self._locked():
            before = self.find(video_id)
            reason = " ".join(reason.split()) or (before.reason if before else "")
            if not reason:
                raise ValueError(
                    f'found no reason for the retraction of {video_id}, expected one; add --reason "..."'
                )
            record = Retraction(
                video_id=video_id,
                reason=reason,
                at_utc=before.at_utc if before else datetime.now(UTC).isoformat(timespec="seconds"),
                files=files or (before.files if before else "kept"),
            )
            staged = self.folder / f".{video_id}-{uuid.uuid4().hex}"
            try:
                staged.write_text(json.dumps(asdict(record), indent=1))
                os.replace(staged, self._file(video_id))
            finally:
                staged.unlink(missing_ok=True)
            return record

    def undo(self, video_id: str) -> Retraction | None:
        """Take a retraction back. Returns what was taken back, None when there was nothing."""
        with self._locked():
            before = self.find(video_id)
            self._file(video_id).unlink(missing_ok=True)
            return before

    def version(self) -> str:
        """16 hex digits that change when a video is retracted, a reason changes, or one is taken back."""
        told = sorted(self.reasons().items())
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def _file(self, video_id: str) -> Path:
        if not _ID.match(video_id):
            raise ArtifactError(
                f"found the video id {video_id[:80]!r}, expected letters, digits, '.', '_', '-'; `emurl videos` lists ids"
            )
        return self.folder / f"{video_id}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _damaged(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"cannot read {path} ({error}), expected the retraction of a video; delete the file and retract the video again"
    )
