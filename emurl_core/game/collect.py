"""Frames the emulator draws under random play, to mix into the training of models that must also see what videos lack.

Speedrunners don't open every menu or walk into every wall; a random player does. What is done with the frames is up to
`emurl_core.tokenizer`.
"""

import hashlib

import numpy as np

from emurl_core.game.parallel import VectorGame
from emurl_core.game.registry import GameConfig
from emurl_core.screen import FRAME_SHAPE, Button

_PATIENCE = 16
"""Looks of one emulator that find nothing new before it keeps what it sees: nobody waits forever for a frozen game."""


def random_frames(
    config: GameConfig,
    count: int,
    seed: int,
    *,
    envs: int = 8,
    workers: int = 0,
    sticky: float = 0.5,
    gap_steps: int = 3,
    mean_episode_steps: int = 500,
) -> np.ndarray:
    """Decorrelated frames of random play from power-on: `(count, 144, 160) uint8 in [0, 4)`, in random order.

    Each of `envs` emulators looks every `gap_steps` steps and keeps a frame that nobody has kept yet. A
    button is repeated with probability `sticky`, else drawn anew: repeating walks further. Episodes end at random, after
    `mean_episode_steps` on average. The same arguments give the same frames, whatever `workers` is.
    """
    if count < 0 or not 0 <= sticky < 1 or gap_steps < 1 or mean_episode_steps < 1:
        raise ValueError(
            f"found count={count}, sticky={sticky}, gap_steps={gap_steps}, mean_episode_steps={mean_episode_steps}; expected "
            "a count of at least 0, sticky in [0, 1) and at least one step; correct the numbers"
        )
    random = np.random.default_rng(seed)
    kept = np.empty((count, *FRAME_SHAPE), dtype=np.uint8)
    seen: set[bytes] = set()
    waited = np.zeros(envs, dtype=np.int64)
    phases = random.integers(0, gap_steps, envs)
    filled = step = 0
    with VectorGame(config, envs, workers, seed) as game:
        game.reset()
        actions = random.integers(0, len(Button), envs)
        while filled < count:
            fresh = random.random(envs) >= sticky
            actions = np.where(fresh, random.integers(0, len(Button), envs), actions)
            frames = game.step(actions)
            step += 1
            for row in np.flatnonzero((step + phases) % gap_steps == 0):
                waited[row] += 1
                digest = hashlib.blake2b(frames[row].data, digest_size=16).digest()
                if filled < count and (digest not in seen or waited[row] > _PATIENCE):
                    kept[filled] = frames[row]
                    seen.add(digest)
                    filled += 1
                    waited[row] = 0
            ended = np.flatnonzero(random.random(envs) < 1 / mean_episode_steps)
            if len(ended):
                game.reset(ended)
    return random.permutation(kept)
