"""Walking: which direction, or when to press A in front of something. Wrong turns and stops included."""

import numpy as np

from emurl_core.game.embedded.state import EmbeddedState, Facing
from emurl_core.game.embedded.world import Place
from emurl_core.screen import Button
from emurl_core.synthetic.errands import Errand, Wishes
from emurl_core.synthetic.routes import SHUNNED, Taste, ahead, exits, find_way, plain
from emurl_core.synthetic.temper import Temper

DIRECTION = {
    Facing.UP: Button.UP,
    Facing.DOWN: Button.DOWN,
    Facing.LEFT: Button.LEFT,
    Facing.RIGHT: Button.RIGHT,
}
IDLE = Button.SELECT
"""Does nothing in this game."""


class Walker:
    """Decides in the overworld."""

    def __init__(
        self, temper: Temper, wishes: Wishes, rng: np.random.Generator, shunned: frozenset[int] = SHUNNED
    ) -> None:
        self._temper, self._wishes, self._rng, self._shunned = temper, wishes, rng, shunned
        self._taste = Taste(rng, temper.route_noise, temper.grass_aversion)
        self._goal: Errand | None = None
        self._way: list[tuple[Facing, Place]] = []
        self._at: Place | None = None
        self._bumps = 0
        self._astray = 0
        self._idle = 0

    def act(self, state: EmbeddedState) -> Button:
        """The button for a hero who stands at (or is about to arrive at) the state's place."""
        here = plain((state.map, state.x, state.y))
        if self._idle:
            self._idle -= 1
            return IDLE
        new_tile = here != self._at
        self._bumps = 0 if new_tile else self._bumps + 1
        self._at = here
        if new_tile and self._rng.random() < self._temper.dither:
            self._idle = int(self._rng.integers(1, 5))
            return IDLE
        if self._bumps > 6:
            # Somebody or something stands where the map says nobody does: try any way round.
            self._bumps, self._way = 0, []
            return DIRECTION[Facing(int(self._rng.integers(4)))]
        if self._astray or (new_tile and self._rng.random() < self._temper.wrong_turn):
            stray = self._stray(here, state)
            if stray is not None:
                return stray
        return self._pursue(here, state)

    def forget(self) -> None:
        """Something interrupted the walk: look for the way anew."""
        self._way = []

    def _pursue(self, here: Place, state: EmbeddedState) -> Button:
        errand = self._wishes.next(state)
        if errand is None:
            return IDLE
        if here == errand.place:
            if errand.facing is None or errand.once:
                if errand.facing is None or state.facing == errand.facing:
                    self._wishes.done()
                    return Button.A if errand.facing is not None else IDLE
                return DIRECTION[errand.facing]
            return Button.A if state.facing == errand.facing else DIRECTION[errand.facing]
        facing = self._follow(here, errand, state)
        if facing is None:
            self._wishes.done()
            return IDLE
        return DIRECTION[facing]

    def _follow(self, here: Place, errand: Errand, state: EmbeddedState) -> Facing | None:
        while self._way and self._way[0][1] == here:
            self._way.pop(0)
        if errand != self._goal or not self._way or self._way[0] not in exits(here, state.events):
            self._goal = errand
            self._way = find_way(here, errand.place, state.events, self._taste, self._shunned) or []
        return self._way[0][0] if self._way else None

    def _stray(self, here: Place, state: EmbeddedState) -> Button | None:
        """A step in some direction that is open and leads to no other map."""
        open_ways = [
            facing
            for facing, after in exits(here, state.events)
            if after[0] == here[0] and after == ahead(here, facing)  # no doors, no ledges
        ]
        if not open_ways:
            self._astray = 0
            return None
        if not self._astray:
            self._astray = int(self._rng.integers(1, 4))
            self._stray_facing = open_ways[int(self._rng.integers(len(open_ways)))]
        self._astray -= 1
        self._way = []
        if self._stray_facing not in open_ways:
            self._astray = 0
            return None
        return DIRECTION[self._stray_facing]
