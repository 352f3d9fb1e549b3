"""Emulator workers on the machines of a Ray cluster: as `crew`, with actors instead of processes of this machine.

What a step shows and knows travels over the network, 23 kB an emulator; so a worker should have some emulators to play.
`VectorGame` chooses these workers in a process that has joined a cluster (`emurl_core.cluster`).
"""

import logging
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from emurl_core.game.lanes import POWER_ON, Lanes
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.game.slots import Slots, slots_bytes

_SHOWN = ("frames", "milestones", "progress", "place", "events")
"""Fields of the slots that an emulator writes."""
_MAX_LOSSES_IN_A_ROW = 3
_START_TIMEOUT_S = 300.0
"""A cluster may first have to start a machine."""

_log = logging.getLogger(__name__)
Shown = dict[str, np.ndarray]


class RayPlayer:
    """What runs on the cluster: a few emulators, numbered from 0."""

    def __init__(self, config: dict[str, Any], emulators: int) -> None:
        slots = Slots(emulators, bytearray(slots_bytes(emulators)))
        self._lanes = Lanes(open_game(GameConfig.model_validate(config)), slots, range(emulators))

    def ready(self) -> bool:
        """Answers once it can play."""
        return True

    def step(self, actions: np.ndarray) -> Shown:
        """Play one step, `actions (emulators,) uint8`."""
        self._lanes.slots.actions[:] = actions
        self._lanes.end_step()
        return self._shown()

    def reset(self, rows: list[int], states: list[bytes], idle_frames: np.ndarray) -> tuple[Shown, str]:
        """Begin episodes; the message of a state that does not fit, or nothing."""
        self._lanes.slots.idle_frames[:] = idle_frames
        refused = ""
        try:
            self._lanes.reset(rows, states)
        except ValueError as error:
            refused = str(error)
        return self._shown(), refused

    def save(self, rows: list[int]) -> list[bytes]:
        """Save states."""
        return self._lanes.save(rows)

    def _shown(self) -> Shown:
        return {name: getattr(self._lanes.slots, name) for name in _SHOWN}


class RayCrew:
    """`workers` actors, one core each, that share the rows of the slots, contiguous and as even as can be.

    Same interface as `Crew`: a row whose emulator was lost begins anew at power-on after `draw_idle(row)` frames, and its
    `restarted` is set. Raises RuntimeError when there are no cores for them, or replacing one does not help.
    """

    pids: tuple[int, ...] = ()

    def __init__(
        self, config: GameConfig, envs: int, workers: int, timeout_s: float, draw_idle: Callable[[int], int]
    ) -> None:
        import ray

        self._ray = ray
        self._told = config.model_dump(mode="json")
        self._timeout_s = timeout_s
        self._draw_idle = draw_idle
        self.slots = Slots(envs, bytearray(slots_bytes(envs)))
        self.restarts = 0
        cuts = [envs * i // workers for i in range(workers + 1)]
        self._rows = [range(a, b) for a, b in pairwise(cuts)]
        self._losses = [0] * workers
        self._actors = [self._bear(rows) for rows in self._rows]
        self._playing: list[Any] = []
        started = [actor.ready.remote() for actor in self._actors]
        _, missing = ray.wait(started, num_returns=workers, timeout=_START_TIMEOUT_S)
        try:
            ray.get([s for s in started if s not in missing])
        except ray.exceptions.RayActorError as error:
            self.close()
            raise RuntimeError(
                f"an emulator worker on the Ray cluster could not start: {str(error).strip().splitlines()[-1]}; expected the ROM and "
                "EmuRL on every machine, under the same paths as here"
            ) from error
        if missing:
            self.close()
            raise RuntimeError(
                f"found {workers - len(missing)} of {workers} emulator workers on the Ray cluster after {_START_TIMEOUT_S:g} s, "
                "expected all: each takes a core; give the cluster more cores, or lower workers"
            )

    def begin_step(self) -> None:
        """Let all workers play one step."""
        self._playing = [
            actor.step.remote(self.slots.actions[rows.start : rows.stop].copy())
            for actor, rows in zip(self._actors, self._rows, strict=True)
        ]

    def end_step(self) -> None:
        """Wait until all have played it."""
        for index, reference in enumerate(self._playing):
            shown = self._answer(index, reference)
            if shown is not None:
                self._show(index, shown)
                self._losses[index] = 0
        self._playing = []

    def reset(self, rows: Sequence[int], states: Sequence[bytes]) -> None:
        """Begin an episode in each row. Raises ValueError when a state does not fit."""
        states_of = dict(zip(rows, states, strict=True))
        refused = ""
        asked = {}
        for index, own in enumerate(self._rows):
            if mine := [row for row in own if row in states_of]:
                local, given = [row - own.start for row in mine], [states_of[row] for row in mine]
                idle = self.slots.idle_frames[own.start : own.stop].copy()
                asked[index] = self._actors[index].reset.remote(local, given, idle)
        for index, reference in asked.items():
            answer = self._answer(index, reference)
            if answer is not None:
                shown, message = answer
                self._show(index, shown)
                refused = refused or message
        if refused:
            raise ValueError(refused)

    def save(self, rows: Sequence[int]) -> list[bytes]:
        """Save states of the rows. Raises RuntimeError when a worker was lost meanwhile."""
        asked = {}
        for index, own in enumerate(self._rows):
            if mine := [row for row in own if row in rows]:
                asked[index] = mine, self._actors[index].save.remote([row - own.start for row in mine])
        states: dict[int, bytes] = {}
        for index, (mine, reference) in asked.items():
            answer = self._answer(index, reference)
            if answer is not None:
                states |= dict(zip(mine, answer, strict=True))
        if not set(rows) <= set(states):
            raise RuntimeError(
                f"found a lost worker while the emulators {list(rows)} were saved, expected all to answer; it was restarted: save again"
            )
        return [states[row] for row in rows]

    def close(self) -> None:
        """Stop all workers. Safe to call twice."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def _bear(self, rows: range) -> Any:
        return self._ray.remote(num_cpus=1)(RayPlayer).remote(self._told, len(rows))

    def _answer(self, index: int, reference: Any) -> Any:
        """What the worker says; None when it was lost, and is replaced."""
        try:
            return self._ray.get(reference, timeout=self._timeout_s)
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError) as lost:
            self._replace(index, lost)
            return None

    def _show(self, index: int, shown: Shown) -> None:
        rows = self._rows[index]
        for name, values in shown.items():
            getattr(self.slots, name)[rows.start : rows.stop] = values

    def _replace(self, index: int, lost: Exception) -> None:
        """Start a new worker for the rows of a lost one, at the first frame of new episodes."""
        rows = self._rows[index]
        reason = str(lost).strip().splitlines()[0]
        while True:
            self._ray.kill(self._actors[index])
            self._losses[index] += 1
            if self._losses[index] > _MAX_LOSSES_IN_A_ROW:
                raise RuntimeError(
                    f"{reason}; found {_MAX_LOSSES_IN_A_ROW} replacements lost before one finished a step, expected none; see the "
                    "logs of the Ray cluster, or use workers=0 to get the error in this process"
                )
            _log.warning("%s; starting another worker for the emulators %s", reason, list(rows))
            self.restarts += 1
            for row in rows:
                self.slots.idle_frames[row] = self._draw_idle(row)
                self.slots.restarted[row] = True
            self._actors[index] = self._bear(rows)
            idle = self.slots.idle_frames[rows.start : rows.stop].copy()
            begun = self._actors[index].reset.remote(list(range(len(rows))), [POWER_ON] * len(rows), idle)
            try:
                shown, _ = self._ray.get(begun, timeout=_START_TIMEOUT_S)
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError) as again:
                reason = str(again).strip().splitlines()[0]
                continue
            self._show(index, shown)
            return
