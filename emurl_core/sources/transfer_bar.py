"""Progress of one transfer: bytes, speed and the time that is left, on stderr. Counts of steps are in `runtime.track`."""

from types import TracebackType

from emurl_core.runtime import slow_bar


class TransferBar:
    """Used as a context. A terminal gets a bar; a log file a line every half minute."""

    def __init__(self, name: str) -> None:
        self._bar = slow_bar(desc=name, unit="B", unit_scale=True)
        self._first = True

    def __enter__(self) -> "TransferBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def show(self, done: int, total: int | None) -> None:
        """So many bytes are here of so many there will be."""
        self._bar.total = total
        if self._first:
            # What was here before this try must not count as speed.
            self._first = False
            self._bar.initial = self._bar.n = self._bar.last_print_n = done
        self._bar.update(done - self._bar.n)
