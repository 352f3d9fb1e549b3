"""Many videos at once, each cut in one of some processes: all cores work, and a decoder that crashes takes no other video along.

What is done with one video is in `retention`. A killed run leaves nothing half done: run it again, and what was published
is found again.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from emurl_core.artifacts import ArtifactStore
from emurl_core.frames.extract import FramesConfig
from emurl_core.frames.retention import cut_frames
from emurl_core.game.registry import GameConfig
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.stage import StageContext

_TELL_EVERY_S = 10.0
"""Seconds of video between two reports of a process."""


@dataclass(frozen=True)
class Job:
    """What is done with each video."""

    home: Path
    config: FramesConfig
    download: DownloadConfig
    game: GameConfig | None = None


@dataclass(frozen=True)
class Ended:
    """What became of a video: the id of its frames, or why there are none. `reused`: they were there already."""

    video: str
    frames_id: str | None
    message: str = ""
    reused: bool = False


@dataclass(frozen=True)
class Read:
    """A video was read so much further."""

    video: str
    seconds: float


def cut_all(videos: Sequence[str], job: Job, processes: int) -> Iterator[Read | Ended]:
    """Cut the frames of all these videos. An `Ended` comes for each of them, in the order they end.

    Args:
        videos: ids of downloaded videos.
        processes: how many work at once.
    """
    waiting, workers = deque(videos), list[_Worker]()
    try:
        while waiting or workers:
            while waiting and len(workers) < processes:
                workers.append(_Worker(job))
                workers[-1].begin(waiting.popleft())
            for ready in connection.wait([w.pipe for w in workers]):
                worker = next(w for w in workers if w.pipe is ready)
                news = worker.news()
                yield news
                if isinstance(news, Ended):
                    if waiting and worker.alive:
                        worker.begin(waiting.popleft())
                    else:
                        workers.remove(worker)
                        worker.close()
    finally:
        for worker in workers:
            worker.close()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cut_one(video: str, job: Job, watch: Callable[[float], None] | None = None) -> Ended:
    """Cut one video's frames in this process. What is wrong with the video comes back as a message."""
    began = datetime.now(UTC).isoformat(timespec="microseconds")
    try:
        store = ArtifactStore(job.home)
        source = store.get("video", partition=video)
        context = StageContext(store)
        frames = cut_frames(source, job.config, job.download, context, watch=watch, game=job.game)
    except (ValueError, OSError) as error:
        return Ended(video, None, str(error))
    return Ended(video, frames.id, reused=frames.record["created_utc"] < began)


class _Worker:
    """The owner's end of a process that cuts one video after the other."""

    def __init__(self, job: Job) -> None:
        # A fresh interpreter: a fork of one with threads may hang.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()
        self._video = ""
        self.alive = True

    def begin(self, video: str) -> None:
        """Hand it a video."""
        self._video = video
        self.process.name = f"cut {video}"
        with suppress(OSError):  # It died meanwhile: `news` tells.
            self.pipe.send(video)

    def news(self) -> Read | Ended:
        """What it has to say, once its pipe is ready."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.alive = False
            self.process.join()
            code = self.process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"status {code}"
            return Ended(
                self._video,
                None,
                f"{self._video}: its process ended with {how}, expected frames; the decoder crashed or memory ran out: "
                "look at the file, or run again with fewer in parallel",
            )

    def close(self) -> None:
        """End the process; politely, so that it removes what it was writing."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(pipe: Connection, job: Job) -> None:
    # Ctrl-C reaches all of a terminal's processes at once; the owner decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=_end_with_owner, daemon=True).start()
    cv2.setNumThreads(1)
    with suppress(EOFError, OSError):
        while True:
            video = pipe.recv()
            pipe.send(cut_one(video, job, _watch(pipe, video)))
    # It ends by itself now: an exit raised while Python shuts down would only print a traceback.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _watch(pipe: Connection, video: str) -> Callable[[float], None]:
    told = 0.0

    def watch(pts_s: float) -> None:
        nonlocal told
        if pts_s - told >= _TELL_EVERY_S:
            pipe.send(Read(video, pts_s - told))
            told = pts_s

    return watch


def _end_with_owner() -> None:
    """Without its owner nobody would stop a process that reads a video of hours."""
    owner = multiprocessing.parent_process()
    assert owner is not None
    connection.wait([owner.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
