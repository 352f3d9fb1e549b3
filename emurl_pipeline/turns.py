"""Two runs that make the same at once take turns: the second one waits, and then finds what the first one made.

So they don't train twice, nor write one another's resume state; and a step that outlived its killed run is waited for, not
raced. The turn is a lock that the kernel frees when its process ends, however that ends.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def turn(home: Path, what: str, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the turn for `what` (an asset, its partition, its settings) in a data folder, after waiting for it if need be.

    Args:
        say: is told once when there is somebody to wait for.
    """
    path = home / "work" / f".turn-{what.replace('/', '~')}"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    say(
                        f"another run is making {what.rpartition('/')[0]} with these settings; waiting for it"
                    )
                    told = True
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_there_still(lock.fileno(), path):
                # Its holder has just cleared it away: whoever comes next would lock another file.
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_there_still(opened: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(opened), path.stat())
    return False
