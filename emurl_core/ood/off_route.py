"""Frames that no speedrun shows, with the truth where they are from: a lost player in the embedded game's grove and pit.

For testing the detector only. The game's memory says where the hero is; nothing that plays or learns sees it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emurl_core.game import Emulator
from emurl_core.game.embedded.state import STATE_ADDRESS, STATE_BYTES, Scene, read_state
from emurl_core.game.embedded.world import MapId
from emurl_core.screen import STEP_FRAMES
from emurl_core.synthetic.player import cached_play
from emurl_core.synthetic.playthrough import Replay

PLACES = {"grove": MapId.GROVE, "pit": MapId.PIT}
FIRST_SEED = 50_000
"""Far from the seeds that synthetic speedruns are recorded with."""
_EVERY = 5
"""A lost player walks the same few tiles for ten minutes."""


@dataclass(frozen=True)
class OffRoute:
    """Frames of lost players.

    Attributes:
        frames: `(N, 144, 160) uint8`, one every 30 or 150 emulator frames, those that repeat the one before left out.
        place: `(N,)`, `grove`, `pit`, or empty for everywhere else; battles, menus and texts over a place count as the place.
    """

    frames: np.ndarray
    place: np.ndarray


def off_route_frames(rom: bytes, plays: int, cache: Path) -> OffRoute:
    """Play, or replay from the cache, and look: every step on the way there, every `_EVERY` steps once lost."""
    frames: list[np.ndarray] = []
    places: list[str] = []
    names = {int(number): name for name, number in PLACES.items()}
    for seed in range(FIRST_SEED, FIRST_SEED + plays):
        held = cached_play(rom, seed, cache, "lost").held
        with Emulator(rom) as emulator:
            replay = Replay(emulator, held)
            for frame in range(STEP_FRAMES, len(held), STEP_FRAMES):
                shades = replay.advance(frame)
                state = read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES))
                place = names.get(state.map, "") if state.scene >= Scene.OVERWORLD else ""
                if (place and frame // STEP_FRAMES % _EVERY) or (
                    frames and np.array_equal(shades, frames[-1])
                ):
                    continue
                frames.append(shades.copy())
                places.append(place)
    return OffRoute(np.stack(frames), np.array(places))
