"""An episode as a GIF, sped up, with the learned progress score drawn in."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from emurl_core.screen import BUTTON_NAMES, HEIGHT_PX, SHADE_TO_GREY, WIDTH_PX

SCALE = 2
STRIP_PX = 30
FRAME_MS = 60
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
    pictures = []
    for step, frame in enumerate(frames):
        if step % every == 0 or step == len(actions):
            button = BUTTON_NAMES[actions[step - 1]] if step else ""
            pictures.append(_picture(frame, f"{title}  {step / 2:.0f} s  {button}", float(progress[step])))
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[FRAME_MS] * (len(pictures) - 1) + [1500],
        loop=0,
        optimize=False,
    )


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
