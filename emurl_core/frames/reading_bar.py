"""Progress of reading videos: seconds of video read, of all there are to read, and the time that is left; on stderr."""

import sys
from types import TracebackType

from tqdm import tqdm

from emurl_core.runtime import slow_bar


class ReadingBar:
    """Used as a context. A terminal gets a bar; a log file a line every half minute.

    Args:
        lengths_s: seconds of each video, by its id.
    """

    def __init__(self, lengths_s: dict[str, float]) -> None:
        self._left = dict(lengths_s)
        self._bar = slow_bar(
            desc="reading",
            total=sum(lengths_s.values()),
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of video [{elapsed}<{remaining}, {rate_fmt}]",
            unit=" s of video",
        )

    def __enter__(self) -> "ReadingBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def read(self, video: str, seconds: float) -> None:
        """So many more seconds of a video are read."""
        seconds = min(seconds, self._left[video])
        self._left[video] -= seconds
        self._bar.update(seconds)

    def ended(self, video: str, skipped: bool) -> None:
        """A video is done. `skipped`: there was nothing to do, and it says nothing about the time that the others take."""
        left = self._left.pop(video)
        if skipped:
            self._bar.total -= left
            self._bar.refresh()
        else:
            self._bar.update(left)

    def say(self, line: str) -> None:
        """Print a line to stdout, above the bar."""
        with tqdm.external_write_mode(file=sys.stdout):
            print(line, flush=True)
