"""Players as decisions: the true state in, one button out. How fast thumbs are is the business of `player`.

`ScriptedAgent` finishes the game; also an expert baseline for evaluation, one button an RL step. `LostAgent` and
`RandomAgent` do not finish it: what they play is for testing rewards against the truth.
"""

from typing import Protocol

import numpy as np

from emurl_core.game.embedded.state import EmbeddedState, Event, Foe, Menu, Scene
from emurl_core.game.embedded.world import MAPS, Goal, MapId
from emurl_core.screen import Button
from emurl_core.synthetic.errands import Errand, Wishes, errand_for, story_errand
from emurl_core.synthetic.fighting import Fighter
from emurl_core.synthetic.menus import MenuHand
from emurl_core.synthetic.randomness import stream
from emurl_core.synthetic.routes import SHUNNED, plain
from emurl_core.synthetic.temper import Temper, temper_of
from emurl_core.synthetic.walking import IDLE, Walker


class Agent(Protocol):
    """Chooses buttons by the true state."""

    def act(self, state: EmbeddedState) -> Button:
        """The button to press now. SELECT stands for nothing."""


def takes_input(state: EmbeddedState) -> bool:
    """Whether a button pressed now does something."""
    if not state.booted or state.scene == Scene.BOOT:
        return False
    if state.menu != Menu.NONE or state.waits_for_a or state.text_open:
        return True
    if state.scene in (Scene.TITLE, Scene.ATTRACT, Scene.THE_END):
        return True
    return state.scene == Scene.OVERWORLD and state.control


class ScriptedAgent:
    """Finishes the embedded game from power-on, with the habits of its seed.

    Args:
        skill: 0 to 1; None draws one.
    """

    def __init__(self, seed: int, skill: float | None = None, temper: Temper | None = None) -> None:
        self.temper = temper or temper_of(seed, skill)
        self._rng = stream(seed, "agent")
        self._wishes = self._make_wishes()
        self._walker = Walker(self.temper, self._wishes, self._rng, self._shunned())
        self._menus = MenuHand(self.temper, self._rng)
        self._fighter = Fighter(self.temper, self._rng)
        self._foe = Foe.NONE
        self._title_idle = int(self._rng.integers(2, 25)) if self._rng.random() < 0.3 else 0

    def act(self, state: EmbeddedState) -> Button:
        """The button for this state; SELECT while nothing can be done."""
        self._note_battles(state)
        if not takes_input(state) or state.scene == Scene.THE_END:
            return IDLE
        if state.menu == Menu.BATTLE:
            return self._fighter.act(state)
        if state.menu != Menu.NONE:
            return self._menus.act(state)
        if state.scene in (Scene.TITLE, Scene.ATTRACT):
            if self._title_idle:
                self._title_idle -= 1
                return IDLE
            return Button.START
        if state.waits_for_a or state.text_open:
            self._walker.forget()
            return Button.A
        return self._walker.act(state)

    def _make_wishes(self) -> Wishes:
        return Wishes(self.temper, self._rng)

    def _shunned(self) -> frozenset[int]:
        return SHUNNED

    def _note_battles(self, state: EmbeddedState) -> None:
        if state.foe != Foe.NONE and self._foe == Foe.NONE:
            self._fighter.begin()
        if state.foe == Foe.NONE and self._foe != Foe.NONE:
            self._wishes.note_battle(state, self._foe == Foe.KEEPER)
            self._walker.forget()
        self._foe = state.foe


class _LostWishes(Wishes):
    """Leaves the first town as everyone does, then strolls about, into the grove and, if told so, into the pit."""

    def __init__(self, temper: Temper, rng: np.random.Generator, into_pit: bool) -> None:
        super().__init__(temper, rng)
        self._into_pit = into_pit
        self._stroll: Errand | None = None

    def next(self, state: EmbeddedState) -> Errand | None:
        if not state.events & Event.LEFT_TOWN:
            return story_errand(state.events)
        if not state.events & Event.GROVE_SEEN:
            return errand_for(Goal(MapId.ROUTE, 2, 13, None, Event.GROVE_SEEN))
        if self._into_pit and state.map == MapId.GROVE:
            hole = next(spot for spot, to in MAPS[MapId.GROVE].warps.items() if to[0] == MapId.PIT)
            return errand_for(Goal(MapId.GROVE, *hole, None, Event.FELL_IN_PIT))
        if self._stroll is None or self._stroll.place[0] != state.map:
            here = MAPS[state.map]
            spots = [s for s in (*here.spots("walk"), *here.spots("grass")) if s not in here.warps]
            self._stroll = Errand(
                plain((state.map, *spots[int(self._rng.integers(len(spots)))])), None, once=True
            )
        return self._stroll

    def done(self) -> None:
        self._stroll = None


class LostAgent(ScriptedAgent):
    """Plays until out of the first town, then gets lost in the hidden grove; every second seed ends in the pit."""

    def __init__(self, seed: int, skill: float | None = None) -> None:
        self._into_pit = bool(seed % 2)
        super().__init__(seed, skill)

    def _make_wishes(self) -> Wishes:
        return _LostWishes(self.temper, self._rng, self._into_pit)

    def _shunned(self) -> frozenset[int]:
        return frozenset() if self._into_pit else frozenset({int(MapId.PIT)})


class RandomAgent:
    """Presses any of the eight buttons."""

    def __init__(self, seed: int) -> None:
        self._rng = stream(seed, "random")

    def act(self, state: EmbeddedState) -> Button:
        return Button(int(self._rng.integers(len(Button))))
