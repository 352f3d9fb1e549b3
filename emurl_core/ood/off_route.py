"""Frames that no speedrun shows, with the truth where they are from: players who leave the way in the embedded game.

For testing the detector only. The game's memory says where the hero is; nothing that plays or learns sees it.
"""

from dataclasses import dataclass

import numpy as np

from emurl_core.game.embedded.state import EmbeddedState, Event, Scene
from emurl_core.game.embedded.world import MAPS, MapId
from emurl_core.synthetic.agents import Agent, LostAgent, ScriptedAgent
from emurl_core.synthetic.errands import Errand, Wishes, story_errand
from emurl_core.synthetic.routes import plain
from emurl_core.synthetic.watched import watched

PLACES = ("grove", "pit", "off_path")
"""A map with tiles of its own; a map that none leaves; and what lies aside of the way on a map that every speedrun crosses."""
FIRST_SEED = 50_000
"""Far from the seeds that synthetic speedruns are recorded with."""
PLAY_STEPS = 400
"""Steps of each play: the way out of town takes about 80."""
ASIDE_METATILES = 3
"""From here on a place is aside of the way; the screen shows 10 × 9 metatiles, so a third of it is new."""
_EVERY = 3
"""A lost player walks the same few tiles; what lies aside of the way is soon crossed, and all of it is looked at."""
_GUIDES = 3
"""Scripted plays whose way is the way."""
_GUIDED_STEPS = 900


@dataclass(frozen=True)
class OffRoute:
    """Frames of players who leave the way.

    Attributes:
        frames: `(N, 144, 160) uint8`, one every 90 emulator frames, aside of the way one every 30; those that repeat the one before left out.
        place: `(N,)`, one of `PLACES`, or empty for everywhere else; battles, menus and texts over a place count as the place.
    """

    frames: np.ndarray
    place: np.ndarray


def off_route_frames(rom: bytes, plays: int) -> OffRoute:
    """Play and look: `plays` players who get lost, half as many who stroll on the route."""
    way = _way(rom)
    frames: list[np.ndarray] = []
    places: list[str] = []
    agents: list[Agent] = [LostAgent(FIRST_SEED + i) for i in range(plays)]
    agents += [_Stroller(FIRST_SEED + plays + i) for i in range((plays + 1) // 2)]
    for agent in agents:
        for step, (shades, state) in enumerate(watched(rom, agent, PLAY_STEPS)):
            place = _place(state, way) if state.scene >= Scene.OVERWORLD else ""
            skipped = place != "off_path" and step % _EVERY
            if skipped or (frames and np.array_equal(shades, frames[-1])):
                continue
            frames.append(shades)
            places.append(place)
    return OffRoute(np.stack(frames), np.array(places))


def _place(state: EmbeddedState, way: np.ndarray) -> str:
    if state.map in (MapId.GROVE, MapId.PIT):
        return "grove" if state.map == MapId.GROVE else "pit"
    if state.map != MapId.ROUTE:
        return ""
    return "off_path" if np.abs(way - [state.x, state.y]).max(1).min() >= ASIDE_METATILES else ""


def _way(rom: bytes) -> np.ndarray:
    """Where scripted players stand on the route: `(n, 2)` x and y."""
    stood = {
        (state.x, state.y)
        for seed in range(_GUIDES)
        for _, state in watched(rom, ScriptedAgent(seed), _GUIDED_STEPS)
        if state.map == MapId.ROUTE
    }
    return np.array(sorted(stood))


class _Strolls(Wishes):
    """Out of the first town as everyone does, then anywhere on the route."""

    _errand: Errand | None = None

    def next(self, state: EmbeddedState) -> Errand | None:
        if not state.events & Event.LEFT_TOWN:
            return story_errand(state.events)
        if self._errand is None:
            here = MAPS[MapId.ROUTE]
            spots = [s for s in (*here.spots("walk"), *here.spots("grass")) if s not in here.warps]
            x, y = spots[int(self._rng.integers(len(spots)))]
            self._errand = Errand(plain((MapId.ROUTE, x, y)), None, once=True)
        return self._errand

    def done(self) -> None:
        self._errand = None


class _Stroller(ScriptedAgent):
    """Has no hurry on the route."""

    def _make_wishes(self) -> Wishes:
        return _Strolls(self.temper, self._rng)
