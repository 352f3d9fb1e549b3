"""The book of champions: who leads a game, since when, by what, and who did before. Who takes the title is in `champion`."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from emurl_core.artifacts import ArtifactError

FOLDER = "champions"


@dataclass(frozen=True)
class Reign:
    """A champion, from when it took the title until the next one did."""

    policy: str
    """Id of the artifact, `policy@version`."""
    evaluation: str | None
    """The evaluation it won by; None where it was set by hand."""
    by: Literal["evaluation", "hand"]
    reason: str
    since_utc: str


class ChampionBook:
    """The champions of all games below a data folder, one file a game with every reign, the oldest first."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def games(self) -> list[dict[str, str]]:
        """Identities (`game`, `rom_sha1`) of the games that have or had a champion."""
        found = (_read(path) for path in sorted(self.folder.glob("[!.]*.json")))
        return [{"game": record["game"], "rom_sha1": record["rom_sha1"]} for record in found]

    def reigns(self, rom_sha1: str) -> list[Reign]:
        """All reigns in a game, the oldest first. Raises ArtifactError when the file is damaged."""
        path = self._file(rom_sha1)
        if not path.is_file():
            return []
        try:
            return [Reign(**reign) for reign in _read(path)["reigns"]]
        except (TypeError, KeyError) as error:
            raise _damaged(path, error) from error

    def champion(self, rom_sha1: str) -> Reign | None:
        """The reign that lasts; None before the first."""
        reigns = self.reigns(rom_sha1)
        return reigns[-1] if reigns else None

    def crown(self, game: Mapping[str, str], reign: Reign, instead_of: Reign | None) -> bool:
        """Begin a reign, unless another one than `instead_of` has begun meanwhile: then False, and nothing is changed."""
        with self._locked():
            reigns = self.reigns(game["rom_sha1"])
            if (reigns[-1] if reigns else None) != instead_of:
                return False
            record = {**game, "reigns": [asdict(r) for r in (*reigns, reign)]}
            staged = self.folder / f".{uuid.uuid4().hex}"
            try:
                with staged.open("w") as file:
                    json.dump(record, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(staged, self._file(game["rom_sha1"]))
            finally:
                staged.unlink(missing_ok=True)
        return True

    def _file(self, rom_sha1: str) -> Path:
        return self.folder / f"{rom_sha1}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        _ = record["game"], record["rom_sha1"], record["reigns"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return record


def _damaged(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"cannot read the book of champions {path} ({type(error).__name__}: {error}), expected what emurl wrote there; "
        "move the file away and say who it was by `emurl champion --set VERSION --reason TEXT`"
    )
