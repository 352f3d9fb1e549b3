"""Real play of the embedded game that notes start states: random buttons, and progress that is plain to see."""

import hashlib

import numpy as np

from emurl_core.game import GameConfig, VectorGame, open_game
from emurl_core.screen import Button
from emurl_core.starts import FromArchive, StartLibrary
from emurl_core.starts.beginnings import Played
from emurl_core.starts.publishing import publish

GAME = GameConfig()
ROM = open_game(GAME).rom
SHA1 = open_game(GAME).sha1
BUTTONS = [Button.A, Button.A, Button.START, Button.DOWN, Button.RIGHT, Button.LEFT, Button.UP]


class Play:
    """What a `Collector` does with beginnings, without models: tokens are sums of patches, progress counts distinct pictures."""

    def __init__(self, game: VectorGame, starts: FromArchive, seed: int, episode_steps: int = 40) -> None:
        self.game, self.starts, self._episode_steps = game, starts, episode_steps
        self.stream = np.random.default_rng(seed)
        self.age = np.zeros(game.envs, np.int64)
        self.known: dict[bytes, float] = {}
        self.began_at_power_on: list[bool] = []
        everyone = np.ones(game.envs, bool)
        self._begin(everyone, ~everyone)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            actions = self.stream.choice(BUTTONS, self.game.envs)
            frames = self.game.step(actions)
            lost = self.game.restarted.copy()
            progress = self.progress(frames)
            late = self.starts.step(
                self.game, Played(actions, tokens_of(frames), progress, np.ones(len(lost)), lost)
            )
            lost |= late
            self.age += 1
            ended = lost | (self.age >= self._episode_steps)
            if ended.any():
                self.starts.end(ended & ~lost)
                self._begin(ended, lost)

    def progress(self, frames: np.ndarray) -> np.ndarray:
        """The later a picture was first seen, the farther on it is."""
        found = []
        for frame in frames:
            digest = hashlib.sha256(frame.tobytes()).digest()
            found.append(self.known.setdefault(digest, len(self.known) / 1000))
        return np.array(found)

    def _begin(self, rows: np.ndarray, lost: np.ndarray) -> None:
        self.starts.begin(self.game, rows, lost, self.stream)
        self.began_at_power_on += self.starts.at_power_on[rows].tolist()
        self.age[rows] = 0


def tokens_of(frames: np.ndarray) -> np.ndarray:
    """`(E, 144, 160) -> (E, 90)` in [0, 512)."""
    sums = frames.reshape(len(frames), 9, 16, 10, 16).astype(np.int64).sum((2, 4)).reshape(len(frames), 90)
    return (sums * 7 % 512).astype(np.int16)


def beginnings(envs: int, **changes: float) -> FromArchive:
    settings = {
        "share": 0.5,
        "capacity": 24,
        "saves": 4,
        "rollout_steps": 10,
        "gain": 0.01,
        "settle_steps": 1,
    } | changes
    return FromArchive(envs, **settings)  # type: ignore[arg-type]


def library_of(starts: FromArchive, library: StartLibrary) -> StartLibrary:
    publish(starts.archive, library, SHA1, "a-policy")
    return library
