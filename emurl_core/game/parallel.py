"""Many emulators at once: a vector of the same game over worker processes and shared memory.

    with VectorGame(GameConfig(), envs=16, workers=2, seed=0) as game:
        frames = game.reset()                      # (16, 144, 160) uint8 in [0, 4), a live view
        for _ in range(1000):
            frames = game.step(policy(frames))     # actions (16,) integers in [0, 8); -1 waits
            ended = ...                            # decided by the caller: an episode has no end of its own
            if ended.any():
                game.reset(np.flatnonzero(ended))
        print(game.truth.progress)                 # from RAM: evaluation and logging only

A step costs one system call per worker and direction; frames and actions stay where they are. `workers=0` plays all
emulators in this process, with the same results. In a job on a Ray cluster the workers are on its machines. How rows are played is in `lanes`, by whom in `crew`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from emurl_core import cluster
from emurl_core.game.crew import Crew
from emurl_core.game.lanes import POWER_ON, Lanes
from emurl_core.game.ray_crew import RayCrew
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.game.seeding import MAX_IDLE_FRAMES, draw_idle_frames
from emurl_core.game.slots import NO_ACTION, Slots, slots_bytes
from emurl_core.screen import Button


@dataclass(frozen=True)
class TruthView:
    """What RAM says about every emulator, live. For evaluation and logging: never observe it, never reward it."""

    milestones: np.ndarray
    """(E,) uint32: bit i says that milestone i was reached in this episode. Names: `VectorGame.game.milestones`."""
    progress: np.ndarray
    """(E,) float32 in [0, 1]: true progress; 0 where the game has none."""
    place: np.ndarray
    """(E, 3) int16: map, x, y."""
    events: np.ndarray
    """(E,) int32: event flags set since the reset."""

    @property
    def milestone_counts(self) -> np.ndarray:
        """(E,) uint8: how many milestones were reached in this episode."""
        return np.bitwise_count(self.milestones)

    def reached(self, milestone: int) -> np.ndarray:
        """(E,) bool: whether the milestone of that index was reached in this episode."""
        return (self.milestones >> milestone & 1).astype(np.bool_)


class VectorGame:
    """`envs` emulators of one game, stepped together. Call `reset` before the first `step`.

    Every emulator has a random stream of its own, drawn from `seed` and its index: what it does depends on neither the
    number of workers nor on the other emulators. A worker that dies or does not answer within `timeout_s` is replaced:
    its emulators begin anew at power-on, `restarted` says which, `restarts` counts.

    Raises ValueError for a bad ROM (see `open_game`) or impossible numbers.
    """

    def __init__(
        self,
        config: GameConfig,
        envs: int,
        workers: int = 0,
        seed: int = 0,
        max_idle_frames: int = MAX_IDLE_FRAMES,
        timeout_s: float = 60.0,
    ) -> None:
        if envs < 1 or workers < 0 or max_idle_frames < 0 or timeout_s <= 0:
            raise ValueError(
                f"found envs={envs}, workers={workers}, max_idle_frames={max_idle_frames}, timeout_s={timeout_s}; expected "
                "at least one emulator, no negative number and a positive timeout; correct the configuration"
            )
        opened = open_game(config)  # Here, so that a wrong ROM is this process's clear error.
        self.game = opened.game
        self.identity = opened.identity
        self.envs = envs
        self._max_idle_frames = max_idle_frames
        self._streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(envs)]
        self._players: Lanes | Crew | RayCrew
        if workers == 0:
            self._players = Lanes(opened, Slots(envs, bytearray(slots_bytes(envs))), range(envs))
        else:
            crew = RayCrew if cluster.joined() else Crew
            self._players = crew(config, envs, min(workers, envs), timeout_s, self._draw_idle)
        self._slots = slots = self._players.slots
        self.truth = TruthView(slots.milestones, slots.progress, slots.place, slots.events)

    @property
    def frames(self) -> np.ndarray:
        """(E, 144, 160) uint8 in [0, 4), a view: overwritten by the next call. Copy to keep."""
        return self._slots.frames

    @property
    def restarted(self) -> np.ndarray:
        """(E,) bool, a view: emulators lost in the last call, which now stand at the first frame of a new episode."""
        return self._slots.restarted

    @property
    def idle_frames(self) -> np.ndarray:
        """(E,) int32, a view: frames that each emulator waited when its episode began."""
        return self._slots.idle_frames

    @property
    def restarts(self) -> int:
        """Workers replaced so far."""
        return self._players.restarts

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers; empty when the emulators live in this process."""
        return self._players.pids

    def reset(
        self,
        indices: Sequence[int] | np.ndarray | None = None,
        *,
        seeds: Sequence[int] | None = None,
        states: Sequence[bytes] | bytes = POWER_ON,
        idle: bool = True,
    ) -> np.ndarray:
        """Begin a new episode in the emulators `indices` (all of them by default) and return `frames`.

        An episode begins at power-on, or at a save state (one for all, or one each), and then waits for a random number
        of frames: drawn from the emulator's own stream, or from `seeds`, one each, for an episode that can be repeated
        (the same as `GameEnv.reset(seed=...)`). With `idle=False` it does not wait: a saved game goes on as if never
        interrupted.

        Raises ValueError when a save state does not fit the ROM; that emulator is then at power-on.
        """
        rows = self._rows(indices)
        starts = [states] * len(rows) if isinstance(states, bytes) else list(states)
        if len(starts) != len(rows) or (seeds is not None and len(seeds) != len(rows)):
            raise ValueError(
                f"found {len(rows)} emulators to reset, {len(starts)} states and {'no' if seeds is None else len(seeds)} "
                "seeds; expected one of each for every emulator; pass lists of one length"
            )
        self._slots.restarted[:] = False
        for position, row in enumerate(rows):
            stream = self._streams[row] if seeds is None else np.random.default_rng(seeds[position])
            self._slots.idle_frames[row] = draw_idle_frames(stream, self._max_idle_frames) if idle else 0
        self._players.reset(rows, starts)
        return self.frames

    def step(self, actions: np.ndarray | Sequence[int]) -> np.ndarray:
        """Play 30 frames in every emulator, pressing `actions` (E,), integers in [0, 8) or -1 to wait. Returns `frames`."""
        self.send(actions)
        return self.receive()

    def send(self, actions: np.ndarray | Sequence[int]) -> None:
        """The first half of `step`: the workers start to play. Don't read `frames` or `truth` until `receive`."""
        given = np.asarray(actions)
        if (
            given.shape != (self.envs,)
            or given.dtype.kind not in "iu"
            or given.min() < -1
            or given.max() >= len(Button)
        ):
            raise ValueError(
                f"found actions of shape {given.shape}, {given.dtype}, beginning {given.ravel()[:8].tolist()}; expected "
                f"({self.envs},) integers in [-1, {len(Button)})"
            )
        np.copyto(self._slots.actions, given, casting="unsafe")
        self._slots.actions[given < 0] = NO_ACTION
        self._slots.restarted[:] = False
        self._players.begin_step()

    def receive(self) -> np.ndarray:
        """The second half of `step`: wait until all have played. With `workers=0` this is where they play."""
        self._players.end_step()
        return self.frames

    def save_states(self, indices: Sequence[int] | np.ndarray | None = None) -> list[bytes]:
        """Save states of the emulators `indices` (all by default), to begin episodes from with `reset(states=...)`.

        Raises RuntimeError when a worker was lost on the way: what it played is gone.
        """
        self._slots.restarted[:] = False
        return self._players.save(self._rows(indices))

    def close(self) -> None:
        """Stop all workers and emulators. Safe to call twice."""
        self._players.close()

    def __enter__(self) -> "VectorGame":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, indices: Sequence[int] | np.ndarray | None) -> list[int]:
        rows = list(range(self.envs)) if indices is None else [int(i) for i in indices]
        if any(not 0 <= row < self.envs for row in rows) or len(set(rows)) < len(rows):
            raise ValueError(
                f"found the emulators {rows}, expected different indices in [0, {self.envs}); correct them"
            )
        return rows

    def _draw_idle(self, row: int) -> int:
        return draw_idle_frames(self._streams[row], self._max_idle_frames)
