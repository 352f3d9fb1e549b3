"""Text on a video: whole boxes drawn now and then, and single characters cut out beforehand for what changes every frame."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]


@lru_cache(maxsize=64)
def font(height_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with Pillow, at a height."""
    return ImageFont.load_default(max(6, height_px))


def text_box(
    width_px: int,
    height_px: int,
    lines: list[tuple[float, float, str, int, Colour, str]],
    ground: Colour,
) -> np.ndarray:
    """A box of text, `(height, width, 3) uint8`.

    Args:
        lines: x, y, text, height in pixels, colour and Pillow anchor ("lm": left and middle of the text at x, y).
    """
    image = Image.new("RGB", (width_px, height_px), ground)
    draw = ImageDraw.Draw(image)
    for x, y, text, size, colour, anchor in lines:
        draw.text((x, y), text, fill=colour, font=font(size), anchor=anchor)
    return np.asarray(image)


class Characters:
    """Pictures of single characters, all as wide as the widest, on even sizes.

    Args:
        height_px: height of a cell.
    """

    def __init__(
        self, characters: str, width_px: int, height_px: int, colour: Colour, ground: Colour
    ) -> None:
        self.width_px, self.height_px = width_px, height_px
        size = height_px
        while size > 6 and max(font(size).getlength(c) for c in characters) > width_px:
            size -= 1
        self.pictures = {
            c: text_box(
                width_px,
                height_px,
                [(width_px / 2, height_px / 2, c, size, colour, "mm")] if c != " " else [],
                ground,
            )
            for c in characters
        }


def bright(rng: np.random.Generator) -> Colour:
    """A random colour for text."""
    r, g, b = (int(v) for v in rng.integers(140, 256, 3))
    return r, g, b


def dark(rng: np.random.Generator) -> Colour:
    """A random colour for the ground of a panel."""
    r, g, b = (int(v) for v in rng.integers(0, 45, 3))
    return r, g, b
