"""Types of screens, told by pixels."""

import numpy as np
import pytest
from tile_speedruns import world

from emurl_core.tokenizer.screens import SCREEN_TYPES, between_tiles, has_text_box, screen_types


def map_at(y: int, x: int) -> np.ndarray:
    return world()[y : y + 144, x : x + 160].copy()


def with_box(picture: np.ndarray, inside: int = 0) -> np.ndarray:
    picture[96:] = inside
    for line in (picture[99], picture[140], picture[96:, 3], picture[96:, 156]):
        line[:] = 3 - inside
    return picture


def type_of(picture: np.ndarray) -> str:
    return SCREEN_TYPES[screen_types(picture[None])[0]]


@pytest.mark.parametrize("inside", [0, 3])
def test_a_box_is_a_frame_on_four_sides_around_one_shade(inside: int) -> None:
    picture = with_box(map_at(160, 160), inside)
    assert has_text_box(picture[None])[0]
    assert type_of(picture) == "talk"
    for gap in (np.s_[99, :], np.s_[140, :], np.s_[96:, 3], np.s_[96:, 156]):
        open_side = picture.copy()
        open_side[gap] = inside
        assert not has_text_box(open_side[None])[0]


def test_each_type_by_an_example() -> None:
    blank = np.zeros((144, 160), np.uint8)
    title = blank.copy()
    title[20:40, 30:130] = 3
    assert type_of(title) == "still"
    assert type_of(with_box(title.copy())) == "scene"
    assert type_of(map_at(160, 160)) == "world"
    assert type_of(map_at(160, 163)) == "scroll"


def test_scrolling_is_seen_at_every_phase_and_along_both_axes() -> None:
    still = np.stack([map_at(160 + 8 * y, 160 + 8 * x) for y in range(3) for x in range(3)])
    moved = np.stack(
        [map_at(160 + y, 160 + x) for y, x in [(0, s) for s in range(1, 8)] + [(s, 0) for s in range(1, 8)]]
    )
    assert not between_tiles(still).any()
    assert between_tiles(moved).mean() > 0.9


def test_no_frames_have_no_types() -> None:
    assert screen_types(np.zeros((0, 144, 160), np.uint8)).shape == (0,)
