"""All workers of a vector as one, with lost ones replaced.

A single worker is in `processes`, what it does in `worker`; the interface for the rest of EmuRL is `parallel`.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise

from emurl_core.game.lanes import POWER_ON
from emurl_core.game.processes import (
    STEP_REQUEST,
    Mother,
    SharedSlots,
    WorkerLostError,
    WorkerProcess,
    reset_request,
    save_request,
)
from emurl_core.game.registry import GameConfig
from emurl_core.game.slots import Slots

MAX_LOSSES_IN_A_ROW = 3
"""Replacements of one worker that may be lost before a step succeeds; more is an error that restarting won't cure."""

_log = logging.getLogger(__name__)


class Crew:
    """`workers` processes that share the rows of the slots, contiguous and as even as can be.

    A row whose emulator was lost begins anew at power-on after `draw_idle(row)` frames, and its `restarted` is set.
    Raises RuntimeError when replacing a worker does not help. Same interface as `Lanes`.
    """

    def __init__(
        self, config: GameConfig, envs: int, workers: int, timeout_s: float, draw_idle: Callable[[int], int]
    ) -> None:
        self._config = config
        self._mother = Mother(timeout_s)
        self._draw_idle = draw_idle
        self._memory = SharedSlots(envs)
        self.restarts = 0
        cuts = [envs * i // workers for i in range(workers + 1)]
        self._workers: list[WorkerProcess] = []
        for a, b in pairwise(cuts):
            try:
                self._workers.append(self._mother.bear(config, self._memory, range(a, b)))
            except WorkerLostError as lost:
                self.close()
                raise RuntimeError(
                    f"{lost} while starting; see what it wrote to stderr, or use workers=0 to play in this process"
                ) from lost
        self._losses = [0] * len(self._workers)
        for index, worker in enumerate(self._workers):
            try:
                worker.receive()
            except WorkerLostError as lost:
                self._replace(index, lost)

    @property
    def slots(self) -> Slots:
        return self._memory.slots

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(w.pid for w in self._workers)

    def begin_step(self) -> None:
        """Let all workers play one step."""
        for worker in self._workers:
            # A worker that can't be written to is noticed and replaced by `end_step`.
            with suppress(WorkerLostError):
                worker.send(STEP_REQUEST)

    def end_step(self) -> None:
        """Wait until all have played it."""
        for index, worker in enumerate(self._workers):
            try:
                worker.receive()
                self._losses[index] = 0
            except WorkerLostError as lost:
                self._replace(index, lost)

    def reset(self, rows: Sequence[int], states: Sequence[bytes]) -> None:
        """Begin an episode in each row. Raises ValueError when a state does not fit."""
        self._exchange({row: reset_request(row, state) for row, state in zip(rows, states, strict=True)})

    def save(self, rows: Sequence[int]) -> list[bytes]:
        """Save states of the rows. Raises RuntimeError when a worker was lost meanwhile."""
        states = self._exchange({row: save_request(row) for row in rows})
        if not set(rows) <= set(states):
            raise RuntimeError(
                f"found a lost worker while the emulators {list(rows)} were saved, expected all to answer; it was "
                "restarted: save again"
            )
        return [states[row] for row in rows]

    def close(self) -> None:
        """Stop all workers. Safe to call twice."""
        for worker in self._workers:
            worker.close()
        self._workers = []
        self._mother.close()
        self._memory.close()

    def _exchange(self, requests: dict[int, bytes]) -> dict[int, bytes]:
        """Send each row's request and collect the answers; rows of a lost worker have none."""
        answers: dict[int, bytes] = {}
        refused: ValueError | None = None
        for worker in self._workers:
            with suppress(WorkerLostError):
                for row in filter(requests.__contains__, worker.rows):
                    worker.send(requests[row])
        for index, worker in enumerate(self._workers):
            try:
                for row in filter(requests.__contains__, worker.rows):
                    try:
                        answers[row] = worker.receive()
                    except ValueError as error:
                        refused = error
            except WorkerLostError as lost:
                self._replace(index, lost)
        if refused is not None:
            raise refused
        return answers

    def _replace(self, index: int, lost: WorkerLostError) -> None:
        """Start a new worker for the rows of a lost one, at the first frame of new episodes."""
        rows = self._workers[index].rows
        self._workers[index].close(force=True)
        while True:
            self._losses[index] += 1
            if self._losses[index] > MAX_LOSSES_IN_A_ROW:
                raise RuntimeError(
                    f"{lost}; found {MAX_LOSSES_IN_A_ROW} replacements lost before one finished a step, expected none; "
                    "see what the workers wrote to stderr, or use workers=0 to get the error in this process"
                )
            _log.warning("%s; starting another one for the emulators %s", lost, list(rows))
            self.restarts += 1
            try:
                self._workers[index] = worker = self._mother.bear(self._config, self._memory, rows)
                worker.receive()
                for row in rows:
                    self.slots.idle_frames[row] = self._draw_idle(row)
                    worker.send(reset_request(row, POWER_ON))
                    worker.receive()
            except WorkerLostError as again:
                self._workers[index].close(force=True)
                lost = again
            else:
                self.slots.restarted[rows.start : rows.stop] = True
                return
