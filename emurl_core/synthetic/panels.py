"""What streamers put beside the game: running timer, splits, chat, captions. The face is in `webcam`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emurl_core.synthetic.layout import Panel
from emurl_core.synthetic.lettering import Characters, Colour, text_box
from emurl_core.synthetic.picture import Picture, converted
from emurl_core.synthetic.webcam import Webcam

_CLOCK = "0123456789:. "
_WORDS = [
    "nice",
    "hello",
    "gg",
    "wow",
    "pace",
    "clip",
    "that",
    "again",
    "lol",
    "run",
    "today",
    "good",
    "luck",
    "late",
    "love",
    "this",
    "movement",
    "hype",
    "wr",
    "when",
    "first",
    "try",
    "bonk",
    "reset",
    "never",
    "ever",
    "what",
    "no",
    "yes",
    "go",
    "lamp",
    "moth",
    "owl",
    "clean",
    "route",
    "so",
    "fast",
    "welcome",
    "raid",
]


@dataclass(frozen=True)
class Story:
    """What the panels tell about the run.

    Attributes:
        splits: name and run time in seconds of every milestone, in order.
        length_s: the run's length.
    """

    game: str
    category: str
    player: str
    splits: tuple[tuple[str, float], ...]
    length_s: float


class Painter(Protocol):
    """Keeps one panel up to date."""

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        """Paint what changed at video frame `number`, `run_s` seconds into the run; all of it when `fresh`."""


class Timer:
    """A running clock with hundredths. Only the characters that changed are painted."""

    def __init__(self, panel: Panel, length_s: float, rng: np.random.Generator) -> None:
        box = panel.box
        colour = (90, 230, 120) if rng.random() < 0.5 else _bright(rng)
        # A real timer overlay draws its digits at one width, so that they do not dance.
        cell = max(6, int(min(box.w / 8, box.h * 0.62)) // 2 * 2)
        height = int(min(box.h, cell * 1.9)) // 2 * 2
        self._characters = {
            c: converted(p) for c, p in Characters(_CLOCK, cell, height, colour, (0, 0, 0)).pictures.items()
        }
        self._cell = cell
        self._x = int(box.x + box.w - 8 * cell) // 2 * 2
        self._y = int(box.y + (box.h - height) / 2) // 2 * 2
        self._length_s = length_s
        self._shown = " " * 8
        self._ground = (panel, np.zeros((int(box.h), int(box.w), 3), dtype=np.uint8))

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        if fresh:
            panel, ground = self._ground
            picture.paint(int(panel.box.x), int(panel.box.y), ground)
            self._shown = ""
        text = clock(min(run_s, self._length_s)).rjust(8)
        for i, character in enumerate(text):
            if self._shown[i : i + 1] != character:
                picture.paint_converted(self._x + i * self._cell, self._y, self._characters[character])
        self._shown = text


class Splits:
    """Milestones with the times at which they were reached, and how far ahead of the best run that was."""

    def __init__(self, panel: Panel, story: Story, rng: np.random.Generator) -> None:
        self._panel, self._story = panel, story
        self._ground: Colour = _dark(rng)
        self._colour = _bright(rng)
        pace = float(rng.uniform(0.93, 1.07))
        self._best = [time_s * pace * float(rng.uniform(0.97, 1.03)) for _, time_s in story.splits]
        self._reached = -1

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        reached = sum(time_s <= run_s for _, time_s in self._story.splits)
        if fresh or reached != self._reached:
            self._reached = reached
            picture.paint(int(self._panel.box.x), int(self._panel.box.y), self._draw(reached))

    def _draw(self, reached: int) -> np.ndarray:
        width, height = int(self._panel.box.w), int(self._panel.box.h)
        row = height / (len(self._story.splits) + 2)
        size = max(7, int(min(row * 0.75, width / 13)))
        lines: list[tuple[float, float, str, int, Colour, str]] = [
            (width / 2, row * 0.6, self._story.game, size + 1, self._colour, "mm"),
            (width / 2, row * 1.5, self._story.category, size, (170, 170, 170), "mm"),
        ]
        for i, (name, time_s) in enumerate(self._story.splits):
            y = row * (i + 2.5)
            here = i == reached
            lines.append((4, y, name, size, (255, 255, 255) if i <= reached else (150, 150, 150), "lm"))
            if i < reached:
                ahead = time_s - self._best[i]
                shade = (90, 220, 110) if ahead < 0 else (230, 90, 80)
                lines.append((width * 0.72, y, f"{ahead:+.1f}", size, shade, "rm"))
                lines.append((width - 4, y, clock(time_s)[:-3], size, (255, 255, 255), "rm"))
            else:
                lines.append(
                    (
                        width - 4,
                        y,
                        clock(self._best[i])[:-3],
                        size,
                        self._colour if here else (150, 150, 150),
                        "rm",
                    )
                )
        return text_box(width, height, lines, self._ground)


class Chat:
    """Lines that scroll up at random times."""

    def __init__(self, panel: Panel, fps: int, rng: np.random.Generator) -> None:
        self._panel, self._rng, self._fps = panel, rng, fps
        self._ground = _dark(rng)
        self._size = max(8, int(panel.box.w / 13))
        self._lines: list[tuple[str, str, Colour]] = []
        self._next = 0

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        if number < self._next and not fresh:
            return
        if number >= self._next:
            self._next = number + int(self._rng.uniform(0.4, 4) * self._fps)
            said = " ".join(self._rng.choice(_WORDS, int(self._rng.integers(1, 4))))
            self._lines.append((f"viewer{self._rng.integers(10, 99)}:", said, _bright(self._rng)))
        box, row = self._panel.box, self._size * 1.35
        self._lines = self._lines[-int(box.h / (2 * row)) or -1 :]
        lines: list[tuple[float, float, str, int, Colour, str]] = []
        for i, (who, said, colour) in enumerate(self._lines):
            lines.append((4, row * (2 * i + 0.6), who, self._size, colour, "lm"))
            lines.append((10, row * (2 * i + 1.5), said, self._size, (225, 225, 225), "lm"))
        picture.paint(int(box.x), int(box.y), text_box(int(box.w), int(box.h), lines, self._ground))


class Caption:
    """A line of text that stays."""

    def __init__(self, panel: Panel, story: Story, rng: np.random.Generator) -> None:
        width, height = int(panel.box.w), int(panel.box.h)
        text = f"{story.player} · {story.category}"
        size = max(7, int(min(height * 0.7, 1.7 * width / len(text))))
        self._x, self._y = int(panel.box.x), int(panel.box.y)
        self._image = text_box(
            width, height, [(width / 2, height / 2, text, size, _bright(rng), "mm")], _dark(rng)
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


def clock(seconds: float) -> str:
    """`m:ss.hh`."""
    hundredths = round(max(0.0, seconds) * 100)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _bright(rng: np.random.Generator) -> Colour:
    r, g, b = (int(v) for v in rng.integers(140, 256, 3))
    return r, g, b


def _dark(rng: np.random.Generator) -> Colour:
    r, g, b = (int(v) for v in rng.integers(0, 45, 3))
    return r, g, b
