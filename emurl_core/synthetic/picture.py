"""The picture being sent: planes of 4:2:0 video of which only the parts that changed are painted again."""

import cv2
import numpy as np


class Picture:
    """A video frame kept between frames.

    Converting a whole RGB frame costs as much as encoding it; painting what changed costs a fraction.

    Attributes:
        planes: `(height * 3 / 2, width) uint8`, the Y, U and V planes one after another (I420).
    """

    def __init__(self, width_px: int, height_px: int) -> None:
        self.width_px = width_px
        self.height_px = height_px
        self.planes = np.zeros((height_px * 3 // 2, width_px), dtype=np.uint8)
        chroma = self.planes[height_px:].reshape(2, height_px // 2, width_px // 2)
        self._luma, self._u, self._v = self.planes[:height_px], chroma[0], chroma[1]

    def paint(self, x: int, y: int, rgb: np.ndarray) -> None:
        """Paint `(h, w, 3) uint8` with its upper left corner at (x, y). All four numbers must be even."""
        self.paint_converted(x, y, converted(rgb))

    def paint_converted(self, x: int, y: int, planes: np.ndarray) -> None:
        """Paint what `converted` made, at even (x, y)."""
        h, w = planes.shape[0] * 2 // 3, planes.shape[1]
        chroma = planes[h:].reshape(2, h // 2, w // 2)
        self._luma[y : y + h, x : x + w] = planes[:h]
        self._u[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2] = chroma[0]
        self._v[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2] = chroma[1]


def converted(rgb: np.ndarray) -> np.ndarray:
    """`(h, w, 3) uint8` RGB, h and w even, as I420 planes `(h * 3 / 2, w) uint8`: BT.601, limited range."""
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2YUV_I420)
