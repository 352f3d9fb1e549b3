"""Is this file a whole video? Answers from its packets and keyframes, at a tenth of the cost of decoding it."""

from dataclasses import dataclass
from pathlib import Path

import av

from emurl_core.sources.registry import FetchError


@dataclass(frozen=True)
class VideoFacts:
    """What a file says and shows.

    Attributes:
        duration_s: end of the last packet minus the start of the first one, so a cut file is found out.
        keyframes: how many were decoded.
    """

    duration_s: float
    width_px: int
    height_px: int
    fps: float
    codec: str
    packets: int
    keyframes: int


def inspect_video(path: Path) -> VideoFacts:
    """Read every packet and decode every keyframe of the first video stream.

    Raises:
        FetchError: outcome `corrupt` when the file is no video, has no picture or breaks off.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise _corrupt(path, "no video stream")
            stream = container.streams.video[0]
            first = end = None
            packets = keyframes = 0
            stream.codec_context.skip_frame = "NONKEY"
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise _corrupt(path, f"a corrupt packet after {packets} good ones")
                if packet.pts is not None and packet.size:
                    packets += 1
                    last = packet.pts + (packet.duration or 0)
                    first = packet.pts if first is None else min(first, packet.pts)
                    end = last if end is None else max(end, last)
                if packet.is_keyframe or not packet.size:
                    keyframes += len(packet.decode())
            if first is None or end is None or not keyframes or stream.time_base is None:
                raise _corrupt(path, "no picture that can be decoded")
            fps = stream.average_rate or stream.guessed_rate
            return VideoFacts(
                duration_s=float((end - first) * stream.time_base),
                width_px=stream.codec_context.width,
                height_px=stream.codec_context.height,
                fps=float(fps) if fps else 0.0,
                codec=stream.codec_context.name,
                packets=packets,
                keyframes=keyframes,
            )
    except (av.FFmpegError, OSError) as error:
        raise _corrupt(path, str(error)) from error


def _corrupt(path: Path, found: str) -> FetchError:
    return FetchError(
        "corrupt", f"{path.name}: found {found}, expected a whole video; get the file again or leave it out"
    )
