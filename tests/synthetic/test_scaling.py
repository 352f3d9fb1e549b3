"""Scaling puts every game pixel exactly where the rectangle says."""

import numpy as np
import pytest

from emurl_core.synthetic.layout import Rect
from emurl_core.synthetic.scaling import covered, scale, scale_into


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (144, 160, 3)).astype(np.uint8)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_nearest_at_a_whole_scale_repeats_pixels(noise: np.ndarray, k: int):
    scaled = scale(noise, Rect(7, 3, 160 * k, 144 * k), "nearest")
    assert np.array_equal(scaled, noise.repeat(k, axis=0).repeat(k, axis=1))


def test_a_rectangle_covers_the_pixels_whose_centres_it_holds():
    assert covered(Rect(0, 0, 4, 4)) == (0, 0, 4, 4)
    assert covered(Rect(0.4, 0.6, 4, 4)) == (0, 1, 4, 5)


@pytest.mark.parametrize("rect", [Rect(10.3, 5.8, 368.4, 331.0), Rect(0.9, 20.2, 250.1, 233.7)])
def test_nearest_at_a_fraction_takes_the_pixel_under_each_centre(noise: np.ndarray, rect: Rect):
    x0, y0, x1, y1 = covered(rect)
    scaled = scale(noise, rect, "nearest")
    assert scaled.shape[:2] == (y1 - y0, x1 - x0)
    for y in range(y0, y1, 17):
        for x in range(x0, x1, 13):
            column = int((x + 0.5 - rect.x) / rect.w * 160)
            row = int((y + 0.5 - rect.y) / rect.h * 144)
            assert np.array_equal(scaled[y - y0, x - x0], noise[row, column])


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_smooth_scaling_is_not_shifted(interpolation: str):
    # A straight ramp must stay the same ramp; half a pixel of shift would show as an offset.
    ramp = np.broadcast_to(np.arange(160, dtype=np.float32), (144, 160)).copy()
    rect = Rect(10.3, 5.0, 400.0, 360.0)
    x0, _, x1, _ = covered(rect)
    centres = (np.arange(x0, x1) + 0.5 - rect.x) / rect.w * 160 - 0.5
    scaled = scale(ramp, rect, interpolation)[100]
    assert np.abs(scaled - centres)[8:-8].max() < 0.05


def test_what_hangs_over_the_edge_is_cut(noise: np.ndarray):
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    scale_into(image, noise, Rect(-20, -10, 320, 288), "nearest")
    assert np.array_equal(image, noise.repeat(2, axis=0).repeat(2, axis=1)[10:210, 20:320])
