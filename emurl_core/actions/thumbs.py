"""Random thumbs with a person's timing: directions held for some tiles, buttons tapped again and again, pauses.

It knows no game, only whether the picture moves: who runs into a wall lets go, and who sees that directions do nothing taps.
What a person would press is not the point. All buttons must occur in every scene, with the timing of runners and with some
effect, so that a model learns what each of them looks like.
"""

import numpy as np

from emurl_core.actions.classes import DIRECTIONS
from emurl_core.screen import Button

_WALK, _TAP = 0.45, 0.4
"""Chances of held directions and of taps; the rest are pauses."""
_TURN = 0.6
"""Chance that another direction follows without letting go."""
_TILE_FRAMES = 16
_MEAN_TILES = 3.0
_TRIED_FRAMES = 7
"""What was held for so long without any effect is let go …"""
_STUCK_TAPS = 0.75
"""… and then taps follow with this chance."""
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
    """Says what is held, emulator frame by emulator frame."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._planned: list[tuple[Button | None, int]] = []
        self._button: Button | None = None
        self._held = self._left = 0

    def hold(self, frames: int) -> tuple[Button | None, int]:
        """What to hold next, and for how many emulator frames: at least 1, at most `frames`."""
        if self._left == 0:
            if not self._planned:
                self._plan(self._random.random())
            self._button, self._left = self._planned.pop(0)
            self._held = 0
        ahead = min(frames, self._left)
        self._left -= ahead
        self._held += ahead
        return self._button, ahead

    def see(self, still: bool) -> None:
        """Whether the picture is the same as the last time that it was looked at."""
        if still and self._button in DIRECTIONS and self._held >= _TRIED_FRAMES:
            self._planned, self._left = [(None, 1 + int(self._random.exponential(6)))], 0
            if self._random.random() < _STUCK_TAPS:
                self._plan(_WALK)

    def _plan(self, kind: float) -> None:
        random = self._random
        if kind < _WALK:
            while True:
                tiles = random.exponential(_MEAN_TILES)
                self._planned.append((Button(int(random.integers(4))), 3 + int(_TILE_FRAMES * tiles)))
                if random.random() > _TURN:
                    break
            self._planned.append((None, 1 + int(random.exponential(8))))
        elif kind < _WALK + _TAP:
            button = Button(int(random.choice(list(_TAPPED), p=list(_TAPPED.values()))))
            pause = random.uniform(3, 15)
            for _ in range(int(random.geometric(0.35))):
                self._planned.append((button, int(random.integers(3, 9))))
                self._planned.append((None, 3 + int(random.exponential(pause))))
        else:
            self._planned.append((None, 2 + int(random.exponential(20))))
