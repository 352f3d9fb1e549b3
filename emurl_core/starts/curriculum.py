"""From how far on episodes begin: at the frontier first, then further and further back (Salimans & Chen 2018, arXiv:1812.03381).

Progress is cut into bands (`cells`). Episodes begin in one band until enough of them gain from there, then in the next one
below in which there are states: what follows is known by then, so the same gain is enough. Below the lowest band it begins at
the frontier again, and also as soon as the frontier moves on: new ground is where there is most to learn.
"""

import torch
from torch import Tensor

from emurl_core.starts.cells import BANDS

EPISODES = 8
"""That began in a band are judged together."""
SUCCESS_SHARE = 0.2
"""Of them must have gained, for beginning further back."""
PATIENCE = 2
"""Times that a band is judged without success before it is left nevertheless: what the reward model takes for the frontier may
be a dead end, or no place on the way at all."""

_FRONTIER = -1


class Curriculum:
    """Which band episodes begin in now, and what becomes of them."""

    def __init__(self) -> None:
        self._band = self._farthest = _FRONTIER
        self._ended = self._gained = self._failures = 0

    def band(self, held: set[int]) -> int:
        """The band to begin in, of those in `held`, not empty: the nearest from the present one down, else the frontier."""
        frontier = max(held)
        below = [b for b in held if b <= self._band]
        chosen = max(below) if below and frontier <= self._farthest else frontier
        self._farthest = max(self._farthest, frontier)
        if chosen != self._band:
            self._move_to(chosen)
        return chosen

    @property
    def level(self) -> float | None:
        """Learned progress at which the present band begins; None while it is open."""
        return None if self._band == _FRONTIER else self._band / BANDS

    def ended(self, band: int, gained: bool) -> None:
        """An episode that began in `band` ended. Those that began before the last move don't count."""
        if band != self._band:
            return
        self._ended += 1
        self._gained += gained
        if self._ended < EPISODES:
            return
        enough = self._gained >= SUCCESS_SHARE * EPISODES
        self._failures += not enough
        self._ended = self._gained = 0
        if enough or self._failures == PATIENCE:
            # Below 0 lies the frontier.
            self._move_to(self._band - 1)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        return {
            "numbers": torch.tensor([self._band, self._farthest, self._ended, self._gained, self._failures])
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        numbers = state["numbers"].tolist()
        self._band, self._farthest, self._ended, self._gained, self._failures = numbers

    def _move_to(self, band: int) -> None:
        self._band = band
        self._ended = self._gained = self._failures = 0
