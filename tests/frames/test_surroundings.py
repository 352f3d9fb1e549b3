import cv2
import numpy as np
from tile_world import Layout, TileWorld, draw

from emurl_core.frames.decode import Picture
from emurl_core.frames.rectangle import Rect
from emurl_core.frames.surroundings import Surroundings

HERE = Layout(size=(480, 270), rect=(20.3, 12.6, 272.0, 244.8), webcam=(320, 150, 140, 100), seed=1)
THERE = Layout(size=(480, 270), rect=HERE.rect, webcam=(320, 20, 140, 100), timer=(320, 200), seed=9)


def picture(layout: Layout, step: int) -> Picture:
    rgb = draw(TileWorld(3).frame(step), layout, step / 30)
    y, u, v = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV))
    return Picture(step / 30, y, u[::2, ::2].copy(), v[::2, ::2].copy())


def test_a_layout_is_known_by_what_stands_still_around_the_game() -> None:
    known = Surroundings.learn([picture(HERE, 97 * i) for i in range(12)], Rect(*HERE.rect))
    assert known.known
    assert known.same(picture(HERE, 5000))
    assert not known.same(picture(THERE, 5000))
    white = np.full((270, 480), 235, np.uint8)
    assert not known.same(Picture(0.0, white, white[::2, ::2], white[::2, ::2]))


def test_without_surroundings_nothing_is_ruled_out() -> None:
    whole = Layout(size=(320, 288), rect=(0, 0, 320, 288), webcam=None, timer=None)
    unknown = Surroundings.learn([picture(whole, 97 * i) for i in range(8)], Rect(*whole.rect))
    assert not unknown.known
    assert unknown.same(picture(whole, 3))
