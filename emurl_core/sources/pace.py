"""How often a host is asked: never more often than agreed, by all processes of this machine together.

Every host has two small files below one folder. `<host>.last` holds when it was last asked and is locked while somebody
waits for the next turn, so that turns are taken one after the other and a killed process frees its turn. `<host>.rest`
holds until when the host asked to be left alone. Which hosts may be asked at all is in `addresses`.
"""

import fcntl
import hashlib
import json
import os
import re
import time
import uuid
from pathlib import Path
from typing import IO


def pace_folder(home: Path) -> Path:
    """Where the turns of all that work on one data folder are kept."""
    return home / "cache" / "pace"


class Pace:
    """Turns at hosts.

    Args:
        folder: where the files are; processes that share it share the turns. See `pace_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wait(self, host: str, spacing_s: float) -> None:
        """Return when it is this caller's turn: at least `spacing_s` after the turn before, and not while the host rests.

        A clock that was set back costs at most one spacing.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.file(host, "last").open("a+") as turns:
            fcntl.flock(turns, fcntl.LOCK_EX)
            last = _read_number(turns)
            began = time.time()
            # Never longer than one spacing: a time in the future is a clock that was set back.
            turn = began + min(spacing_s, max(0.0, last + spacing_s - began))
            # Looked at again after each sleep: another process may have heard meanwhile that the host wants to rest.
            while (left := max(turn, self._rest_until(host)) - time.time()) > 0:
                time.sleep(left)
            turns.truncate(0)
            turns.write(repr(time.time()))
            turns.flush()

    def rest(self, host: str, seconds: float) -> None:
        """Leave the host alone for so long, whoever asks: it said that it was asked too often."""
        self.folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        until = max(now + seconds, self._rest_until(host))
        staged = self.folder / f".{uuid.uuid4().hex}"
        staged.write_text(json.dumps({"said_at": now, "until": until}))
        os.replace(staged, self.file(host, "rest"))

    def rest_left_s(self, host: str) -> float:
        """For how long the host still wants to be left alone; 0 when it does not."""
        return max(0.0, self._rest_until(host) - time.time())

    def _rest_until(self, host: str) -> float:
        try:
            said = json.loads(self.file(host, "rest").read_text())
            said_at, until = float(said["said_at"]), float(said["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0
        # Said in the future: the clock was set back since, and the end of the rest means nothing any more.
        return until if said_at <= time.time() else 0.0

    def file(self, host: str, kind: str) -> Path:
        """The file that holds something about a host."""
        host = host.lower()
        readable = re.sub(r"[^a-z0-9.-]", "_", host)[:60].lstrip(".")
        return self.folder / f"{readable}-{hashlib.sha256(host.encode()).hexdigest()[:8]}.{kind}"


def _read_number(file: IO[str]) -> float:
    file.seek(0)
    try:
        return float(file.read() or 0.0)
    except ValueError:
        return 0.0
