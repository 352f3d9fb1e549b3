"""From a video picture to the Game Boy frame in it: undo the scaling, then name each pixel's shade."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emurl_core.frames.decode import Picture
from emurl_core.frames.palette import Palette, fit_palette
from emurl_core.frames.rectangle import Rect
from emurl_core.frames.resample import Kernel, inverse, upsampling
from emurl_core.screen import FRAME_SHAPE, HEIGHT_PX, WIDTH_PX


class Unscaler:
    """Undoes the scaling of one rectangle."""

    def __init__(self, rect: Rect, kernel: Kernel, shape: tuple[int, int]) -> None:
        """Args: shape: (height, width) of the video."""
        left, top, right, bottom = rect.box(0, shape)
        self.luma_box = (slice(top, bottom), slice(left, right))
        self.chroma_box = (slice(top // 2, bottom // 2), slice(left // 2, right // 2))
        self._up = _up(rect, kernel, left, top, right, bottom)
        self._luma = _pair(*self._up)
        # The video's pixels that show the game, within the box.
        self._inside = tuple(_span(up) for up in self._up)
        half = Rect(rect.x / 2, rect.y / 2, rect.w / 2, rect.h / 2)
        # Chroma was averaged over 2×2 pixels before it was stored, whatever scaled the picture.
        soft: Kernel = "area" if kernel in ("nearest", "area") else "linear"
        self._chroma = _pair(*_up(half, soft, left // 2, top // 2, right // 2, bottom // 2))

    def luma(self, picture: Picture) -> np.ndarray:
        """`(144, 160) float32`, about 0..255."""
        down, across = self._luma
        return down @ picture.y[self.luma_box].astype(np.float32) @ across

    def misfit(self, picture: Picture) -> float:
        """The share of detail that no Game Boy picture explains: small for a game, near 1 for anything else."""
        rows, columns = self._inside
        up_y, up_x = self._up
        rest = up_y[rows] @ self.luma(picture) @ up_x[columns].T
        seen = picture.y[self.luma_box][rows, columns].astype(np.float32)
        rest -= seen
        detail = _mean_square(seen[1:] - seen[:-1]) + _mean_square(seen[:, 1:] - seen[:, :-1]) + 2.0
        return _mean_square(rest) / detail

    def yuv(self, picture: Picture) -> np.ndarray:
        """`(3, 144, 160) float32`."""
        down, across = self._chroma
        chroma = [down @ c[self.chroma_box].astype(np.float32) @ across for c in (picture.u, picture.v)]
        return np.stack([self.luma(picture), *chroma])


def _span(up: np.ndarray) -> slice:
    used = np.flatnonzero(up.any(1))
    return slice(int(used[0]), int(used[-1]) + 1)


def _mean_square(values: np.ndarray) -> float:
    flat = values.ravel()
    return float(flat @ flat) / flat.size


def _up(
    rect: Rect, kernel: Kernel, left: int, top: int, right: int, bottom: int
) -> tuple[np.ndarray, np.ndarray]:
    sx, sy = rect.scale
    down = upsampling(kernel, rect.y, sy, HEIGHT_PX, top, bottom - top)
    return down, upsampling(kernel, rect.x, sx, WIDTH_PX, left, right - left)


def _pair(up_y: np.ndarray, up_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return inverse(up_y), np.ascontiguousarray(inverse(up_x).T)


@dataclass(frozen=True)
class Reading:
    """A Game Boy frame as read.

    Attributes:
        shades: `(144, 160) uint8 in [0, 4)`.
        residual: mean distance from the palette in units of a quarter of the distance between shades: about 0.1 to 0.5
            for a game, about 1 for any other picture.
        blank: only one shade shows, as in a fade.
    """

    shades: np.ndarray
    residual: float
    blank: bool


class ScreenReader:
    """Reads the frames of one segment: rectangle, scaling and palette together."""

    def __init__(self, unscaler: Unscaler, palette: Palette) -> None:
        self.unscaler, self.palette = unscaler, palette

    @classmethod
    def fit(cls, pictures: Sequence[Picture], unscaler: Unscaler) -> "ScreenReader":
        """Learn the palette from some pictures of the segment."""
        return cls(unscaler, fit_palette(np.stack([unscaler.yuv(p) for p in pictures])))

    def misfit(self, picture: Picture) -> float:
        """See `Unscaler.misfit`."""
        return self.unscaler.misfit(picture)

    def read(self, picture: Picture) -> Reading:
        """The frame in a picture."""
        if len(self.palette.colours) == 1:
            shades, distance = self.palette.shades(self.unscaler.luma(picture)[None])
        else:
            shades, distance = self.palette.shades(self.unscaler.yuv(picture))
        residual = float(np.minimum(distance, 255).mean()) / (self.palette.gap / 4)
        most = np.bincount(shades.ravel(), minlength=4).max()
        return Reading(shades, residual, bool(most >= 0.995 * FRAME_SHAPE[0] * FRAME_SHAPE[1]))
