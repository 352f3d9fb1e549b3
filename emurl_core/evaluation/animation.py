"""An episode as a film, sped up, with the learned progress score drawn in: a GIF for pages, an MP4 with every step."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image, ImageDraw

from emurl_core.screen import BUTTON_NAMES, HEIGHT_PX, SHADE_TO_GREY, WIDTH_PX

SCALE = 2
STRIP_PX = 30
FRAME_MS = 60
MP4_FPS = 16
"""As fast as the GIF."""
_LAST_S = 1.5
LONGEST_FRAMES = 400
_INK, _PAPER, _BAR = 0, 1, 2
_PALETTE = [
    25,
    25,
    25,
    245,
    245,
    245,
    60,
    140,
    220,
    *(v for grey in SHADE_TO_GREY.tolist() for v in (grey,) * 3),
]
_FIRST_SHADE = 3


Film = Literal["gif", "mp4", "both"]


def write_films(
    frames: list[np.ndarray], actions: np.ndarray, progress: np.ndarray, path: Path, title: str, film: Film
) -> None:
    """`<path>.gif`, `<path>.mp4` or both; see `write_gif`."""
    if film in ("gif", "both"):
        write_gif(frames, actions, progress, path.with_suffix(".gif"), title)
    if film in ("mp4", "both"):
        write_mp4(frames, actions, progress, path.with_suffix(".mp4"), title)


def write_mp4(
    frames: Iterable[np.ndarray], actions: np.ndarray, progress: np.ndarray, path: Path, title: str
) -> None:
    """Like `write_gif`, as H.264 with every step, which takes less room than a GIF with some of them."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        # One x264 thread: the same bytes on every machine.
        stream = container.add_stream("libx264", rate=MP4_FPS, options={"crf": "23", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = (
            SCALE * WIDTH_PX,
            SCALE * HEIGHT_PX + STRIP_PX,
            "yuv420p",
        )
        stream.codec_context.time_base = Fraction(1, MP4_FPS)
        number = 0
        for picture in _pictures(frames, actions, progress, title, every=1):
            last = number == len(actions)
            for _ in range(round(_LAST_S * MP4_FPS) if last else 1):
                frame = av.VideoFrame.from_image(picture.convert("RGB"))
                frame.pts, frame.time_base = number, stream.codec_context.time_base
                container.mux(stream.encode(frame))
                number += 1
        container.mux(stream.encode())


def write_gif(
    frames: Iterable[np.ndarray], actions: np.ndarray, progress: np.ndarray, path: Path, title: str
) -> None:
    """Write an episode of S steps.

    Args:
        frames: S + 1 frames, `(144, 160) uint8 in [0, 4)`.
        actions: `(S,)` buttons; the one that led to a frame is drawn beside it.
        progress: `(S + 1,) float in [0, 1]`, the learned progress of each frame.
        title: a few words, drawn first in the strip.

    Long episodes skip frames, so that the file stays small enough for a report.
    """
    every = max(1, -(-(len(actions) + 1) // LONGEST_FRAMES))
    pictures = list(_pictures(frames, actions, progress, title, every))
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[FRAME_MS] * (len(pictures) - 1) + [round(1000 * _LAST_S)],
        loop=0,
        optimize=False,
    )


def _pictures(
    frames: Iterable[np.ndarray], actions: np.ndarray, progress: np.ndarray, title: str, every: int
) -> Iterator[Image.Image]:
    """Every so many frames, and the last one, with what was pressed and what it is worth."""
    for step, frame in enumerate(frames):
        if step % every == 0 or step == len(actions):
            button = BUTTON_NAMES[actions[step - 1]] if step else ""
            yield _picture(frame, f"{title}  {step / 2:.0f} s  {button}", float(progress[step]))


def _picture(frame: np.ndarray, text: str, progress: float) -> Image.Image:
    width, height = SCALE * WIDTH_PX, SCALE * HEIGHT_PX
    canvas = np.full((height + STRIP_PX, width), _INK, np.uint8)
    canvas[:height] = (frame + _FIRST_SHADE).repeat(SCALE, 0).repeat(SCALE, 1)
    picture = Image.fromarray(canvas, "P")
    picture.putpalette(_PALETTE)
    draw = ImageDraw.Draw(picture)
    draw.text((4, height + 2), text, fill=_PAPER)
    score = f"progress {progress:.2f}"
    draw.text((width - 4 - draw.textlength(score), height + 2), score, fill=_PAPER)
    draw.rectangle((4, height + 18, width - 5, height + 26), outline=_PAPER)
    filled = round(min(1.0, max(0.0, progress)) * (width - 13))
    if filled:
        draw.rectangle((6, height + 20, 6 + filled, height + 24), fill=_BAR)
    return picture
