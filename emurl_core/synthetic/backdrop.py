"""Backgrounds and the borders around the game: drawn once a scene."""

import cv2
import numpy as np

from emurl_core.synthetic.families import SGB_CORNER, SGB_SIZE
from emurl_core.synthetic.layout import Rect
from emurl_core.synthetic.scaling import covered, scale_into


def draw_backdrop(kind: str, width_px: int, height_px: int, rng: np.random.Generator) -> np.ndarray:
    """A background of a kind: `(height, width, 3) uint8`. Kinds: plain, gradient, stripes, stars, blobs, tiles."""
    a, b = _colour(rng, 10, 90), _colour(rng, 20, 150)
    y, x = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    if kind == "plain":
        return np.broadcast_to(a.astype(np.uint8), (height_px, width_px, 3)).copy()
    if kind == "gradient":
        angle = rng.uniform(0, np.pi)
        share = (x * np.cos(angle) / width_px + y * np.sin(angle) / height_px) * 0.7 + 0.15
    elif kind == "stripes":
        period, angle = rng.uniform(0.05, 0.15) * width_px, rng.uniform(0.2, 1.3)
        share = 0.5 + 0.5 * np.tanh(4 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period))
    elif kind == "stars":
        image = np.broadcast_to(a * 0.4, (height_px, width_px, 3)).astype(np.uint8).copy()
        for _ in range(int(rng.integers(80, 240))):
            centre = (int(rng.integers(width_px)), int(rng.integers(height_px)))
            cv2.circle(
                image,
                centre,
                int(rng.integers(1, 3)),
                [int(v) for v in _colour(rng, 120, 255)],
                -1,
                cv2.LINE_AA,
            )
        return image
    elif kind == "blobs":
        small = rng.random((6, 10)).astype(np.float32)
        share = cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    elif kind == "tiles":
        # Blocky on purpose: it has the comb of edges that a screen finder looks for.
        tile = int(rng.integers(8, 25)) * 2
        pattern = np.kron(rng.integers(0, 2, (8, 8)), np.ones((tile // 8 + 1, tile // 8 + 1)))
        repeats = (height_px // len(pattern) + 1, width_px // len(pattern) + 1)
        share = np.tile(pattern, repeats)[:height_px, :width_px].astype(np.float32) * 0.5
    else:
        raise ValueError(
            f"found the backdrop {kind!r}, expected one of plain, gradient, stripes, stars, blobs, tiles"
        )
    return (a + (b - a) * share[..., None]).clip(0, 255).astype(np.uint8)


def draw_border(
    image: np.ndarray, kind: str, game: Rect, interpolation: str, rng: np.random.Generator
) -> None:
    """Draw a border around the game into the image, in place. Kinds: none, line, bevel, shadow, sgb, sgb_painted."""
    x0, y0, x1, y1 = covered(game)
    if kind in ("sgb", "sgb_painted"):
        scale_x, scale_y = game.scale
        outer = Rect(
            game.x - SGB_CORNER[0] * scale_x,
            game.y - SGB_CORNER[1] * scale_y,
            SGB_SIZE[0] * scale_x,
            SGB_SIZE[1] * scale_y,
        )
        art = sgb_border(rng) if kind == "sgb" else painted_border(rng)
        scale_into(image, art, outer, interpolation)
    elif kind == "line":
        thick = int(rng.integers(1, 5))
        colour = [int(v) for v in _colour(rng, 0, 255)]
        cv2.rectangle(image, (x0 - thick, y0 - thick), (x1 + thick - 1, y1 + thick - 1), colour, -1)
    elif kind == "bevel":
        thick = int(rng.integers(6, 13))
        base = _colour(rng, 40, 200)
        for i in range(thick):
            shade = base * (0.45 + 0.9 * i / thick)
            corners = (x0 - thick + i, y0 - thick + i), (x1 + thick - 1 - i, y1 + thick - 1 - i)
            cv2.rectangle(image, *corners, [int(v) for v in shade.clip(0, 255)], -1)
    elif kind == "shadow":
        dark = image.copy()
        cv2.rectangle(dark, (x0 + 6, y0 + 6), (x1 + 6, y1 + 6), [0, 0, 0], -1)
        image[:] = np.minimum(image, cv2.GaussianBlur(dark, (0, 0), 5))
    elif kind != "none":
        raise ValueError(
            f"found the border {kind!r}, expected one of none, line, bevel, shadow, sgb, sgb_painted"
        )


def sgb_border(rng: np.random.Generator) -> np.ndarray:
    """A border in the manner of the Super Game Boy, own art: `(224, 256, 3) uint8`."""
    a, b, c = _colour(rng, 30, 110), _colour(rng, 60, 200), _colour(rng, 120, 255)
    motif = rng.integers(0, 2, (8, 4))
    motif = np.concatenate([motif, motif[:, ::-1]], axis=1)
    pattern = np.tile(motif, (SGB_SIZE[1] // 8, SGB_SIZE[0] // 8))
    image = (a + (b - a) * 0.5 * pattern[..., None]).astype(np.uint8)
    for distance, thick in ((30, 2), (26, 1), (10, 3), (3, 3)):
        left, top = SGB_CORNER[0] - distance, SGB_CORNER[1] - distance
        colour = [int(v) for v in (c if thick > 1 else b * 0.6)]
        cv2.rectangle(image, (left, top), (SGB_SIZE[0] - left - 1, SGB_SIZE[1] - top - 1), colour, thick)
    for x, y in ((16, 14), (240, 14), (16, 210), (240, 210)):
        cv2.circle(image, (x, y), 9, [int(v) for v in c], -1)
        cv2.circle(image, (x, y), 5, [int(v) for v in a], -1)
    return image


def painted_border(rng: np.random.Generator) -> np.ndarray:
    """A border with a picture in it, tile by tile up to the game's edge, own art: `(224, 256, 3) uint8`.

    Its pixels lie on the game's own lattice, so only motion tells where the game begins.
    """
    colours = np.stack([_colour(rng, 10, 250) for _ in range(12)])
    tiles = rng.integers(0, len(colours), (10, 8, 8))
    tiles[:5] = tiles[:5, :4, :4].repeat(2, 1).repeat(2, 2)
    hills = cv2.resize(rng.random((5, 6)).astype(np.float32), (SGB_SIZE[0] // 8, SGB_SIZE[1] // 8))
    board = np.clip((hills * len(tiles)).astype(int), 0, len(tiles) - 1)
    index = tiles[board].transpose(0, 2, 1, 3).reshape(SGB_SIZE[1], SGB_SIZE[0])
    return colours[index].astype(np.uint8)


def _colour(rng: np.random.Generator, low: int, high: int) -> np.ndarray:
    return rng.integers(low, high + 1, 3).astype(np.float32)
