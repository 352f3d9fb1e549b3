"""Which runs earlier listings held: a run that a listing forgets for a while is not lost.

speedrun.com's listings are cached and do not always agree. So every run seen is remembered by its id, and one that is
missing is still counted as there, until it has been missing for `FORGET_DAYS`.
"""

import hashlib
import json
import logging
import os
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any

FORGET_DAYS = 30
"""Much longer than any cache lives; so a run that was really taken down goes in the end."""
_FORMAT = 1
_log = logging.getLogger(__name__)


class RunMemory:
    """The runs of one listing.

    Args:
        folder: where memories are kept.
        listing: what was listed (API, game, categories): each listing has a memory of its own.
    """

    def __init__(self, folder: Path, listing: str) -> None:
        self._file = folder / f"{hashlib.sha256(listing.encode()).hexdigest()[:16]}.json"
        self._runs: dict[str, dict[str, Any]] = {}
        self._missing_since: dict[str, str] = {}
        self._load()

    def __len__(self) -> int:
        return len(self._runs)

    def update(
        self, listed: dict[str, dict[str, Any]], complete: bool, today: date
    ) -> dict[str, dict[str, Any]]:
        """Remember what was listed; the runs there are, by id: the listed ones and those missed not too long.

        Args:
            complete: whether the listing was read to its end, so that what is not in it is missing.
        """
        self._runs |= listed
        self._missing_since = {id: day for id, day in self._missing_since.items() if id not in listed}
        if complete:
            for id in self._runs.keys() - listed.keys():
                self._missing_since.setdefault(id, today.isoformat())
        limit = (today - timedelta(days=FORGET_DAYS)).isoformat()
        for id in [id for id, day in self._missing_since.items() if day <= limit]:
            del self._runs[id], self._missing_since[id]
        self._save()
        return dict(self._runs)

    def _load(self) -> None:
        try:
            known = json.loads(self._file.read_text())
            if known["format"] == _FORMAT:
                self._runs, self._missing_since = dict(known["runs"]), dict(known["missing_since"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("found no readable memory of runs in %s (%s); starting anew", self._file, error)

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        staged = self._file.with_name(f".{uuid.uuid4().hex}")
        staged.write_text(
            json.dumps({"format": _FORMAT, "runs": self._runs, "missing_since": self._missing_since})
        )
        os.replace(staged, self._file)
