"""Scaling a picture into a rectangle whose edges may lie between pixels, as a graphics card draws a textured rectangle."""

import math

import cv2
import numpy as np

from emurl_core.synthetic.layout import Rect

INTERPOLATIONS = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


def covered(rect: Rect) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of the pixels whose centres lie in the rectangle."""
    return (
        math.ceil(rect.x - 0.5),
        math.ceil(rect.y - 0.5),
        math.ceil(rect.x + rect.w - 0.5),
        math.ceil(rect.y + rect.h - 0.5),
    )


def scale(picture: np.ndarray, rect: Rect, interpolation: str) -> np.ndarray:
    """The pixels of `covered(rect)`: each takes the value at its centre, edges repeat outwards."""
    x0, y0, x1, y1 = covered(rect)
    across, down = picture.shape[1] / rect.w, picture.shape[0] / rect.h
    # A pixel centre at i + 0.5 in the video is at (i + 0.5 - x) * across in the picture, whose own centres are at + 0.5.
    shift_x, shift_y = (x0 + 0.5 - rect.x) * across - 0.5, (y0 + 0.5 - rect.y) * down - 0.5
    if interpolation == "nearest":
        # cv2's warp rounds to 1/32 pixel first, which misplaces edges between texels: index exactly instead.
        columns = (
            np.floor((np.arange(x1 - x0)) * across + shift_x + 0.5)
            .astype(np.intp)
            .clip(0, picture.shape[1] - 1)
        )
        rows = (
            np.floor((np.arange(y1 - y0)) * down + shift_y + 0.5)
            .astype(np.intp)
            .clip(0, picture.shape[0] - 1)
        )
        return picture.take(columns, axis=1).take(rows, axis=0)
    matrix = np.array([[across, 0, shift_x], [0, down, shift_y]])
    return cv2.warpAffine(
        picture,
        matrix,
        (x1 - x0, y1 - y0),
        flags=INTERPOLATIONS[interpolation] | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def scale_into(image: np.ndarray, picture: np.ndarray, rect: Rect, interpolation: str) -> None:
    """Draw the scaled picture into the image, in place, cut at the image's edges."""
    x0, y0, x1, y1 = covered(rect)
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x1, image.shape[1]), min(y1, image.shape[0])
    scaled = scale(picture, rect, interpolation)
    image[top:bottom, left:right] = scaled[top - y0 : bottom - y0, left - x0 : right - x0]
