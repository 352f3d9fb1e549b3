"""One process at a time brings a video in or takes it away."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(home: Path, video_id: str) -> Iterator[None]:
    """Wait for the others that work on this video; a killed one lets go."""
    folder = home / "cache" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"video-{video_id}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
