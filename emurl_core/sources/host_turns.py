"""Turns at a host that videos are fetched from: so many at once and so far apart, over all processes of this machine."""

import fcntl
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from emurl_core.sources.pace import Pace, pace_folder
from emurl_core.sources.registry import FetchError

if TYPE_CHECKING:
    from emurl_core.sources.download_configuration import DownloadConfig

_NAP_S = 0.2
LONGEST_WAIT_S = 120.0
"""A host that wants to rest for longer is not waited for."""


class HostTurns:
    """Turns for one data folder."""

    def __init__(self, home: Path, config: "DownloadConfig") -> None:
        self._pace = Pace(pace_folder(home))
        # A site that is tired of handing out videos still answers for its pages.
        self._videos = Pace(pace_folder(home) / "videos")
        self._at_once, self._spacing_s = config.per_host, config.spacing_s
        self._insists = config.retry

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for a turn and hold it. A killed process frees its own.

        Raises:
            FetchError: the host said that it wants to be left alone for longer than is worth waiting. Not asked.
        """
        slot = self._slot(host)
        try:
            if not self._insists and (left_s := self._videos.rest_left_s(host)):
                if left_s > LONGEST_WAIT_S:
                    raise FetchError(
                        "rate_limited",
                        f"found that {host} wants to be left alone for {left_s / 60:,.0f} more minutes, so it was not asked; try later",
                        retry_after_s=left_s,
                    )
                time.sleep(left_s)
            # A little irregular, as a person is.
            self._pace.wait(host, self._spacing_s * random.uniform(1.0, 1.3))
            yield
        except FetchError as error:
            if error.outcome == "rate_limited" and error.retry_after_s:
                self._videos.rest(host, error.retry_after_s)
            raise
        finally:
            slot.close()

    def _slot(self, host: str) -> IO[str]:
        self._pace.folder.mkdir(parents=True, exist_ok=True)
        while True:
            for i in range(self._at_once):
                file = self._pace.file(host, f"slot{i}").open("a")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return file
                except OSError:
                    file.close()
            time.sleep(_NAP_S)
