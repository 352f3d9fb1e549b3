"""What a player wants next: the story's goal, or something by the way."""

from dataclasses import dataclass

import numpy as np

from emurl_core.game.embedded import atlas
from emurl_core.game.embedded.state import EmbeddedState, Event, Facing
from emurl_core.game.embedded.world import GOALS, MAPS, MILESTONES, Goal, MapId, Place, Script
from emurl_core.synthetic.routes import SHUNNED, plain
from emurl_core.synthetic.temper import Temper

HEALER_COUNTER = Goal(MapId.HEALER, 4, 4, Facing.UP, Event.RESTED)


@dataclass(frozen=True)
class Errand:
    """Go somewhere; with `facing`, then turn and press A.

    Attributes:
        once: over after one A (a sign, a chat); else over when what it is for has happened.
    """

    place: Place
    facing: Facing | None
    once: bool


def story_errand(events: Event) -> Errand | None:
    """What the story wants next; None when it is finished."""
    for name in MILESTONES:
        for goal in GOALS.get(name, ()):
            if not events & goal.event:
                return errand_for(goal)
    return None


def errand_for(goal: Goal) -> Errand:
    return Errand(plain((goal.map, goal.x, goal.y)), goal.facing, once=False)


def sights(number: int, events: Event) -> list[Errand]:
    """Signs that can be read and people that just talk on a map, each from where one stands before it."""
    here = MAPS[number]
    spots = [
        *here.signs,
        *((n.x, n.y) for n in here.npcs if n.present(events) and n.script in (Script.TALK, Script.REST)),
    ]
    found = []
    for x, y in spots:
        for facing in (Facing.UP, Facing.LEFT, Facing.RIGHT, Facing.DOWN):
            dx, dy = facing.step
            if here.walkable(x - dx, y - dy, events) and (x - dx, y - dy) not in here.warps:
                found.append(Errand(plain((number, x - dx, y - dy)), facing, once=True))
                break
    return found


class Wishes:
    """Chooses errands by temper: curiosity on entering a map, healing and training before the keeper."""

    def __init__(self, temper: Temper, rng: np.random.Generator) -> None:
        self._temper = temper
        self._rng = rng
        self._seen: set[int] = set()
        self._queue: list[Errand] = []
        self._healing = False
        self._keeper_losses = 0
        self._faints = 0
        self._wanted_level = 0
        self._patch: Errand | None = None

    def next(self, state: EmbeddedState) -> Errand | None:
        """What to do now."""
        if state.map not in self._seen:
            self._seen.add(state.map)
            self._look_round(state)
        if self._queue and self._queue[0].place[0] != state.map:
            self._queue.clear()
        if self._queue:
            return self._queue[0]
        return self._preparation(state) or story_errand(state.events)

    def done(self) -> None:
        """The errand by the way is over."""
        self._patch = None
        if self._queue:
            self._queue.pop(0)

    def note_battle(self, state: EmbeddedState, against_keeper: bool) -> None:
        """A battle is over. Losing against the keeper makes most people train."""
        if state.faints > self._faints:
            self._faints = state.faints
            self._queue.clear()
            if against_keeper:
                self._keeper_losses += 1
                if self._keeper_losses > 1 or self._rng.random() < 0.5:
                    self._wanted_level = state.level + 1

    def _look_round(self, state: EmbeddedState) -> None:
        if state.map in SHUNNED:
            return
        for errand in sights(state.map, state.events):
            if self._rng.random() < self._temper.curiosity:
                self._queue.append(errand)
        self._rng.shuffle(self._queue)

    def _preparation(self, state: EmbeddedState) -> Errand | None:
        events = state.events
        if not events & Event.SECOND_TOWN or events & Event.BADGE:
            return None
        if state.level < self._wanted_level and state.hp > 0.4 * state.max_hp:
            if self._patch is None:
                near = [s for s in MAPS[MapId.ROUTE].spots(atlas.GRASS) if s[1] < 6]
                x, y = near[int(self._rng.integers(len(near)))]
                self._patch = Errand(plain((MapId.ROUTE, x, y)), None, once=True)
            return self._patch
        worn = state.hp < self._temper.heal_below * state.max_hp and state.map != MapId.GYM
        if worn or (self._healing and state.hp < state.max_hp):
            self._healing = True
            return errand_for(HEALER_COUNTER)
        self._healing = False
        return None
