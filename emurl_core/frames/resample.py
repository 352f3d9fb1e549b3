"""How a 160-pixel line became a line of video, and the way back.

Scaling a picture is linear and separable: video row = U · Game Boy row, with U known once the rectangle and the
interpolation are. Its pseudo-inverse P undoes blur and fractional scale at once, and what P cannot explain
(`y − U P y`) says how well rectangle and interpolation fit. Who uses it: `refine` and `shades`.
"""

from typing import Literal

import numpy as np

Kernel = Literal["nearest", "area", "linear", "cubic"]
KERNELS: tuple[Kernel, ...] = ("nearest", "area", "linear", "cubic")

RIDGE = 0.01
"""Damping of the inverse relative to the scale; keeps noise down where the scale is below 2."""


def upsampling(kernel: Kernel, start: float, scale: float, lines: int, first: int, count: int) -> np.ndarray:
    """The matrix U of one axis: `(count, lines) float32`, rows summing to 1, or to 0 outside the screen.

    Args:
        kernel: the interpolation of the streamer's software.
        start: position of the screen's edge in video pixels.
        scale: video pixels for one Game Boy pixel.
        lines: 160 or 144.
        first, count: the video pixels wanted, by their indices.
    """
    columns, weights = taps(kernel, start, scale, lines, first, count)
    matrix = np.zeros((count, lines), np.float32)
    np.add.at(matrix, (np.arange(count)[:, None], columns), weights)
    return matrix


def taps(
    kernel: Kernel, start: float, scale: float, lines: int, first: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """U by what is not zero in it: each video pixel's Game Boy pixels `(count, t) int64` and their weights, `float32`.

    A column may come twice in a row: its weights add up. Arguments as for `upsampling`.
    """
    position = (np.arange(first, first + count) + 0.5 - start) / scale - 0.5
    inside = (position >= -0.5) & (position <= lines - 0.5)
    position = np.clip(position, -0.499999, lines - 0.500001)
    if kernel == "nearest":
        return np.round(position).astype(np.int64)[:, None], inside.astype(np.float32)[:, None]
    base = np.floor(position).astype(np.int64)
    offsets = np.arange(-1, 3)
    columns = base[:, None] + offsets
    weights = _weight(kernel, np.abs(position[:, None] - columns), scale)
    weights *= (inside / weights.sum(1))[:, None]
    return np.clip(columns, 0, lines - 1), weights.astype(np.float32)


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The damped pseudo-inverse P of U: `(count, lines) -> (lines, count) float32`."""
    gram = matrix.T @ matrix
    gram[np.diag_indices_from(gram)] += RIDGE * max(1.0, matrix.shape[0] / matrix.shape[1])
    return np.linalg.solve(gram.astype(np.float64), matrix.T.astype(np.float64)).astype(np.float32)


def _weight(kernel: Kernel, distance: np.ndarray, scale: float) -> np.ndarray:
    if kernel == "area":
        # A pixel of a sharp picture that a video pixel's own width straddles.
        half = 0.5 / scale
        return np.clip((0.5 + half - distance) / (2 * half), 0, 1)
    if kernel == "linear":
        return np.clip(1 - distance, 0, 1)
    a = -0.6  # between the -0.5 and -0.75 that software uses
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
