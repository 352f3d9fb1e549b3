"""Random thumbs with a person's timing: directions held for some tiles, buttons tapped again and again, pauses.

It knows no game. What a person would press is not the point: all buttons must occur in every scene, with the timing of
runners, so that a model learns what each of them looks like.
"""

import numpy as np

from emurl_core.screen import Button

_HOLD, _MASH = 0.4, 0.4
"""Chances of a held direction and of taps; the rest are pauses."""
_TURN = 0.5
"""Chance that another direction follows without letting go."""
_TILE_FRAMES = 16
_MEAN_TILES = 3.0
_TAPPED = {
    # People mash A; a B too many only closes what they opened.
    Button.A: 0.62,
    Button.B: 0.12,
    Button.START: 0.05,
    Button.SELECT: 0.01,
    Button.UP: 0.05,
    Button.DOWN: 0.08,
    Button.LEFT: 0.035,
    Button.RIGHT: 0.035,
}


class RandomThumbs:
    """An endless stream of what is held in each emulator frame."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._planned: list[tuple[Button | None, int]] = []

    def next(self) -> tuple[Button | None, int]:
        """What to hold, and for how many emulator frames (at least 1)."""
        if not self._planned:
            self._plan()
        return self._planned.pop(0)

    def _plan(self) -> None:
        kind = self._random.random()
        if kind < _HOLD:
            while True:
                tiles = self._random.exponential(_MEAN_TILES)
                button = Button(int(self._random.integers(4)))
                self._planned.append((button, 3 + int(_TILE_FRAMES * tiles)))
                if self._random.random() > _TURN:
                    break
            self._planned.append((None, 1 + int(self._random.exponential(8))))
        elif kind < _HOLD + _MASH:
            button = Button(int(self._random.choice(list(_TAPPED), p=list(_TAPPED.values()))))
            pause = self._random.uniform(3, 15)
            for _ in range(int(self._random.geometric(0.25))):
                self._planned.append((button, int(self._random.integers(3, 9))))
                self._planned.append((None, 3 + int(self._random.exponential(pause))))
        else:
            self._planned.append((None, 2 + int(self._random.exponential(25))))
