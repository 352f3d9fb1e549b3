"""What streamers put beside the game, and who paints it: timer and splits, chat, face, captions."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emurl_core.synthetic.chat import Chat
from emurl_core.synthetic.layout import Panel
from emurl_core.synthetic.lettering import bright, dark, text_box
from emurl_core.synthetic.picture import Picture
from emurl_core.synthetic.story import Story
from emurl_core.synthetic.timing_panels import Splits, Timer
from emurl_core.synthetic.webcam import Webcam


class Painter(Protocol):
    """Keeps one panel up to date."""

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        """Paint what changed at video frame `number`, `run_s` seconds into the run; all of it when `fresh`."""


class Caption:
    """A line of text that stays."""

    def __init__(self, panel: Panel, story: Story, rng: np.random.Generator) -> None:
        width, height = int(panel.box.w), int(panel.box.h)
        text = f"{story.player} · {story.category}"
        size = max(7, int(min(height * 0.7, 1.7 * width / len(text))))
        self._x, self._y = int(panel.box.x), int(panel.box.y)
        self._image = text_box(
            width, height, [(width / 2, height / 2, text, size, bright(rng), "mm")], dark(rng)
        )

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        if fresh:
            picture.paint(self._x, self._y, self._image)


class Face:
    """A `Webcam` in a panel."""

    def __init__(self, panel: Panel, fps: int, rng: np.random.Generator) -> None:
        box = panel.box
        self._webcam = Webcam(int(box.x), int(box.y), int(box.w), int(box.h), fps // 15, rng)

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        self._webcam.paint(picture, number, fresh)


def painters(panels: Sequence[Panel], story: Story, fps: int, rng: np.random.Generator) -> list[Painter]:
    """What paints each panel of a scene."""
    made: list[Painter] = []
    for panel in panels:
        if panel.kind == "timer":
            made.append(Timer(panel, story.length_s, rng))
        elif panel.kind == "splits":
            made.append(Splits(panel, story, rng))
        elif panel.kind == "chat":
            made.append(Chat(panel, fps, rng))
        elif panel.kind == "webcam":
            made.append(Face(panel, fps, rng))
        else:
            made.append(Caption(panel, story, rng))
    return made
