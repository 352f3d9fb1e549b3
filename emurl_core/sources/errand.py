"""What one fetch of bytes needs to know, the note beside its unfinished part, and its patience with a server that fails."""

import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import HTTPError, RequestError

from emurl_core.sources.connections import CountedResponse, Reins
from emurl_core.sources.verdicts import judge, retry_after_s

Open = Callable[[Request], CountedResponse]

_LONGEST_WAIT_S = 120.0


@dataclass(frozen=True)
class Errand:
    """Bytes to bring into a part, whether they are one file (`transfer`) or many (`fragments`).

    Attributes:
        open_url: asks, within the reins.
        headers: sent with each request.
        identity: changes when it is another video or another encoding, though the address may be the same.
        part: where the bytes go; `<name>.json` beside it is the note of what they are.
        name: how to call the video in messages.
        retries: failures in a row without a new byte before it is given up.
        first_wait_s: wait after the first of them; doubles with each.
        progress: told the bytes that are there and the bytes there will be (None: unknown).
    """

    open_url: Open
    headers: Mapping[str, str]
    identity: str
    part: Path
    name: str
    reins: Reins
    retries: int
    first_wait_s: float
    progress: Callable[[int, int | None], None]

    def read_note(self) -> dict[str, Any]:
        """What is known of the part; nothing where there is no note, or none that can be read."""
        try:
            note = json.loads(self._note_file.read_text())
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def write_note(self, note: dict[str, Any]) -> None:
        """Replace the note, whole or not at all."""
        staged = self._note_file.with_name(f".{uuid.uuid4().hex}")
        staged.write_text(json.dumps(note))
        os.replace(staged, self._note_file)

    def drop_part(self) -> None:
        """Forget the part and its note."""
        self.part.unlink(missing_ok=True)
        self._note_file.unlink(missing_ok=True)

    def wait_or_raise(self, error: RequestError, failures: int, heals: bool) -> None:
        """Wait before the next try, longer with each failure in a row and as long as the server asks for.

        Raises:
            FetchError: it does not heal, failed too often, or asks for more patience than this one has.
        """
        wait_s = min(self.first_wait_s * 2 ** (failures - 1), _LONGEST_WAIT_S)
        if isinstance(error, HTTPError):
            wait_s = max(wait_s, retry_after_s(error) or 0.0)
            error.close()
        if failures > self.retries or wait_s > _LONGEST_WAIT_S or not heals:
            raise judge(error, self.name) from error
        self.reins.flow(False)
        self.reins.nap(wait_s)

    @property
    def _note_file(self) -> Path:
        return self.part.with_name(self.part.name + ".json")
