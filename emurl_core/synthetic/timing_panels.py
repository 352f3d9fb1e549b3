"""Panels that tell the time: the running timer and the splits."""

import numpy as np

from emurl_core.synthetic.layout import Panel
from emurl_core.synthetic.lettering import Characters, Colour, bright, dark, text_box
from emurl_core.synthetic.picture import Picture, converted
from emurl_core.synthetic.story import Story, clock

_CLOCK = "0123456789:. "


class Timer:
    """A running clock with hundredths. Only the characters that changed are painted."""

    def __init__(self, panel: Panel, length_s: float, rng: np.random.Generator) -> None:
        box = panel.box
        colour = (90, 230, 120) if rng.random() < 0.5 else bright(rng)
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
        self._ground: Colour = dark(rng)
        self._colour = bright(rng)
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
