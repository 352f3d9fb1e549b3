"""Reading videos: keyframes for finding the screen, and frames at chosen times without decoding what nobody needs.

Frames are chosen by their presentation time, never by counting. Downloading and checking files is in
`emurl_core.sources`; what is done with a picture is in the neighbours here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import cv2
import numpy as np

from emurl_core.frames.packets import Cheaper, Chooser, MissingTimesError, groups


class VideoError(ValueError):
    """A video cannot be read. Says what was found, what was expected and what to do."""


@dataclass(frozen=True)
class VideoInfo:
    """What the container says. `duration_s` is 0 when it does not know."""

    width_px: int
    height_px: int
    fps: float
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Picture:
    """One decoded frame: luma at full and both chromas at half resolution, uint8, and its presentation time.

    The planes may be views of the decoder's memory: copy what must outlive the iteration.
    """

    pts_s: float
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray

    def copy(self) -> "Picture":
        return Picture(self.pts_s, self.y.copy(), self.u.copy(), self.v.copy())

    def rgb(self) -> np.ndarray:
        """`(H, W, 3) uint8`, BT.601, good enough to look at."""
        height, width = self.y.shape
        u, v = (cv2.resize(c, (width, height), interpolation=cv2.INTER_LINEAR) for c in (self.u, self.v))
        return cv2.cvtColor(np.dstack([self.y, v, u]), cv2.COLOR_YCrCb2RGB)


def probe(path: Path) -> VideoInfo:
    """Size, rate and length of a video. Raises VideoError."""
    with _open(path) as (container, stream, base):
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        start = (stream.start_time or 0) * base
        length = stream.duration * base if stream.duration else (container.duration or 0) / av.time_base
        return VideoInfo(stream.width, stream.height, fps, start, length)


def read_keyframes(path: Path, at_most: int) -> Iterator[Picture]:
    """Keyframes in time order, thinned evenly to about `at_most` by seeking. Raises VideoError."""
    info = probe(path)
    with _open(path) as (container, stream, base):
        stream.codec_context.skip_frame = "NONKEY"
        if _count_keyframes(path) <= at_most:
            yield from (_picture(frame, base) for frame in container.decode(stream))
            return
        last = -1
        for target in np.linspace(info.start_s, info.start_s + info.duration_s, at_most, endpoint=False):
            container.seek(int(target / base), stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts > last:
                    last = frame.pts
                    yield _picture(frame, base)
                break


def read_every(
    path: Path,
    interval_s: float,
    start_s: float = 0.0,
    end_s: float = float("inf"),
    *,
    exact: bool = True,
    threads: int = 1,
) -> Iterator[Picture]:
    """For each time `start_s + k * interval_s` the first frame shown at or after it. Raises VideoError.

    Cheaper than decoding everything: frames that nothing refers to are skipped unless wanted, and so is the tail of each
    group of pictures behind its last wanted frame. Memory does not grow with the length of the video.

    Args:
        exact: False lets a frame be one place off where that saves decoding it.
        threads: for decoding. They change nothing in the frames.
    """
    with _open(path, threads) as (container, stream, base):
        codec = stream.codec_context
        chooser = Chooser(max(start_s, (stream.start_time or 0) * base), interval_s, end_s, base)
        cheaper = None if exact else Cheaper(codec)
        if start_s > 0:
            container.seek(int(start_s / base), stream=stream, backward=True)
        wanted: set[int] = set()
        try:
            for group in groups(container, stream):
                stamps = [p.pts for p in group.packets if p.pts is not None]
                if min(stamps) * base > end_s:
                    break
                chosen = chooser.choose(stamps + group.ahead)
                wanted.update(cheaper.swap(chosen, group.packets) if cheaper else chosen)
                behind = max((i for i, p in enumerate(group.packets) if p.pts in wanted), default=-1)
                for packet in group.packets[: behind + 1] if group.ends else group.packets:
                    codec.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
                    yield from _wanted(codec.decode(packet), wanted, base)
                if group.ends:
                    yield from _wanted(codec.decode(None), wanted, base)
                    codec.flush_buffers()
                    wanted.clear()
            yield from _wanted(codec.decode(None), wanted, base)
        except MissingTimesError:
            yield from _read_all(path, chooser, threads)


def _wanted(frames: "list[av.VideoFrame]", wanted: set[int], base: float) -> Iterator[Picture]:
    for frame in frames:
        if frame.pts in wanted:
            wanted.discard(frame.pts)
            yield _picture(frame, base)


def _read_all(path: Path, chooser: Chooser, threads: int) -> Iterator[Picture]:
    with _open(path, threads) as (container, stream, base):
        for frame in container.decode(stream):
            if frame.pts is not None and chooser.choose([frame.pts]):
                yield _picture(frame, base)


def _count_keyframes(path: Path) -> int:
    with _open(path) as (container, stream, _):
        return sum(p.is_keyframe for p in container.demux(stream))


def _picture(frame: "av.VideoFrame", base: float) -> Picture:
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p")
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, : plane.width])
    # Not `frame.time`: frames drained at a group's end have lost their time base.
    return Picture((frame.pts or 0) * base, *planes)


@contextmanager
def _open(
    path: Path, threads: int = 1
) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream", float]]:
    """A file, its first video stream and the seconds of a tick; every PyAV failure inside becomes a VideoError."""
    if not path.is_file():
        raise VideoError(f"found no file {path}, expected a video; give the path of one")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(
                    f"found no video stream in {path}, expected one; give another file or download it again"
                )
            stream = container.streams.video[0]
            if stream.time_base is None or stream.width <= 0 or stream.height <= 0:
                raise VideoError(
                    f"found a video stream without size or clock in {path}, expected a whole file; download it again"
                )
            # PyAV would take a thread a core, and most streamers' encoders make no slices for them to share.
            stream.codec_context.thread_count = threads
            stream.codec_context.thread_type = "AUTO" if threads > 1 else "SLICE"
            yield container, stream, float(stream.time_base)
    except (av.error.FFmpegError, EOFError) as error:
        raise VideoError(
            f"cannot decode {path} ({error}), expected a video that FFmpeg reads; the file is damaged or no video: "
            "download it again or remove it"
        ) from error
