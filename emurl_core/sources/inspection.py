"""Is this file a whole video? Answers from its packets and keyframes, at a tenth of the cost of decoding it.

A file whose bytes may be spliced is decoded frame by frame instead. Whether it is as long as announced is asked in `download`.
"""

from dataclasses import dataclass
from pathlib import Path

import av

from emurl_core.sources.registry import FetchError

_SUFFIXES = {
    "mov": ".mp4",
    "mp4": ".mp4",
    "matroska": ".mkv",
    "webm": ".webm",
    "mpegts": ".ts",
    "avi": ".avi",
    "flv": ".flv",
}
_WITHOUT_INDEX = frozenset({"mpegts", "h264", "hevc", "mpegvideo"})
"""Formats whose length FFmpeg reads off their end, so that a cut one seems as long as it should be."""


@dataclass(frozen=True)
class VideoFacts:
    """What a file says and shows.

    Attributes:
        duration_s: end of the last packet minus the start of the first one, so a cut file is found out.
        stated_s: length of the picture as the file's own index says, None where it says nothing.
        keyframes: how many were decoded; all frames when every one was.
        suffix: the usual ending of such a file's name.
    """

    duration_s: float
    width_px: int
    height_px: int
    fps: float
    codec: str
    packets: int
    keyframes: int
    stated_s: float | None = None
    suffix: str = ".mp4"


def inspect_video(path: Path, every_frame: bool = False, pieces: int = 1) -> VideoFacts:
    """Read every packet and decode every keyframe of the first video stream.

    Args:
        every_frame: decode all of it, and take any error of the decoder for damage.
        pieces: of how many the file was put together; a stream may count anew at their seams, which looks like damage.

    Raises:
        FetchError: outcome `corrupt` when the file is no video, has no picture or breaks off.
    """
    with path.open("rb") as file:
        if looks_like_page(file.read(512), ""):
            raise _corrupt(path, "a web page")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise _corrupt(path, "no video stream")
            stream = container.streams.video[0]
            first = end = None
            packets = pictures = broken = 0
            if every_frame:
                stream.codec_context.options = {"err_detect": "explode"}
            else:
                stream.codec_context.skip_frame = "NONKEY"
            for packet in container.demux(stream):
                broken += packet.is_corrupt
                if broken > 2 * (pieces - 1):
                    raise _corrupt(path, f"a corrupt packet after {packets} good ones")
                if packet.pts is not None and packet.size:
                    packets += 1
                    last = packet.pts + (packet.duration or 0)
                    first = packet.pts if first is None else min(first, packet.pts)
                    end = last if end is None else max(end, last)
                if every_frame or packet.is_keyframe or not packet.size:
                    frames = packet.decode()
                    pictures += len(frames)
                    if every_frame and any(frame.is_corrupt for frame in frames):
                        raise _corrupt(path, f"a damaged picture after {pictures} others")
            if first is None or end is None or not pictures or stream.time_base is None:
                raise _corrupt(path, "no picture that can be decoded")
            fps = stream.average_rate or stream.guessed_rate
            form = container.format.name.split(",")
            stated = None
            if stream.duration and not _WITHOUT_INDEX & set(form):
                stated = float(stream.duration * stream.time_base)
            elif container.duration and not _WITHOUT_INDEX & set(form):
                stated = container.duration / av.time_base
            return VideoFacts(
                duration_s=float((end - first) * stream.time_base),
                width_px=stream.codec_context.width,
                height_px=stream.codec_context.height,
                fps=float(fps) if fps else 0.0,
                codec=stream.codec_context.name,
                packets=packets,
                keyframes=pictures,
                stated_s=stated,
                suffix=next((_SUFFIXES[f] for f in form if f in _SUFFIXES), ".mp4"),
            )
    except (av.FFmpegError, OSError) as error:
        raise _corrupt(path, str(error)) from error


def looks_like_page(beginning: bytes, content_type: str) -> bool:
    """Whether bytes are HTML (or say to be), whatever the address promised."""
    start = beginning.lstrip()[:64].lower()
    return content_type.startswith(("text/html", "application/xhtml")) or start.startswith(
        (b"<!doctype html", b"<html", b"<?xml")
    )


def _corrupt(path: Path, found: str) -> FetchError:
    return FetchError(
        "corrupt", f"{path.name}: found {found}, expected a whole video; get the file again or leave it out"
    )
