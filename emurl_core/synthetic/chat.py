"""The chat panel: what viewers write."""

import numpy as np

from emurl_core.synthetic.layout import Panel
from emurl_core.synthetic.lettering import Colour, bright, dark, text_box
from emurl_core.synthetic.picture import Picture

_WORDS = (
    "nice hello gg wow pace clip that again lol run today good luck late love this movement hype wr when "
    "first try bonk reset never ever what no yes go lamp moth owl clean route so fast welcome raid"
)


class Chat:
    """Lines that scroll up at random times."""

    def __init__(self, panel: Panel, fps: int, rng: np.random.Generator) -> None:
        self._panel, self._rng, self._fps = panel, rng, fps
        self._ground = dark(rng)
        self._size = max(8, int(panel.box.w / 13))
        self._lines: list[tuple[str, str, Colour]] = []
        self._next = 0

    def paint(self, picture: Picture, number: int, run_s: float, fresh: bool) -> None:
        if number < self._next and not fresh:
            return
        if number >= self._next:
            self._next = number + int(self._rng.uniform(0.4, 4) * self._fps)
            said = " ".join(self._rng.choice(_WORDS.split(), int(self._rng.integers(1, 4))))
            self._lines.append((f"viewer{self._rng.integers(10, 99)}:", said, bright(self._rng)))
        box, row = self._panel.box, self._size * 1.35
        self._lines = self._lines[-int(box.h / (2 * row)) or -1 :]
        lines: list[tuple[float, float, str, int, Colour, str]] = []
        for i, (who, said, colour) in enumerate(self._lines):
            lines.append((4, row * (2 * i + 0.6), who, self._size, colour, "lm"))
            lines.append((10, row * (2 * i + 1.5), said, self._size, (225, 225, 225), "lm"))
        picture.paint(int(box.x), int(box.y), text_box(int(box.w), int(box.h), lines, self._ground))
