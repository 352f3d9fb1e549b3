"""The embedded game, and a few whole plays of it, made once for all tests of this stage."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import pytest

from emurl_core.game.registry import GameConfig, open_game
from emurl_core.synthetic.player import play
from emurl_core.synthetic.playthrough import Playthrough

cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def rom() -> bytes:
    return open_game(GameConfig(game="embedded")).rom


@pytest.fixture(scope="session")
def played(rom: bytes) -> Callable[[int], Playthrough]:
    """The scripted player's run with a seed."""
    return lru_cache(maxsize=None)(lambda seed: play(rom, seed))
