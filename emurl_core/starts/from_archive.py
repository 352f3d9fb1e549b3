"""Episodes that begin where play has been before: a share of them, the others at power-on.

The play is watched on the way: cells are counted, and of a few that are new a save state is taken (about 20 ms and, compressed,
6 kB each). Which states are worth holding is in `archive`, from which of them to begin in `curriculum`.
"""

import hashlib
import zlib

import numpy as np
import torch
from torch import Tensor

from emurl_core.starts.archive import DIGEST_BYTES, Archive
from emurl_core.starts.beginnings import Played, Startable, begin_at_power_on
from emurl_core.starts.cells import CELLS, band_of, cells_of
from emurl_core.starts.curriculum import Curriculum
from emurl_core.starts.ways import POWER_ON, Way, pack_ways, unpack_ways

TRUSTED = 0.5
"""States are held of frames whose gains are worth more than this: elsewhere learned progress is a guess (`emurl_core.ood`)."""
LONGEST_STEPS = 1 << 16
"""From power-on to a state: nine hours of play. Ways are kept, so their length is bounded."""


class FromArchive:
    """A share of the episodes begins at states that play reached before, the others at power-on.

    Args:
        share: of the episodes, once there are states.
        capacity: states held at once.
        saves: states taken in a rollout at most, spread over it and at most one a step; only the first states of a new highest
            band of progress come on top.
        rollout_steps: length of a rollout.
        gain: learned progress that an episode has to gain at any time to count as a success.
        settle_steps: of an episode, before its smoothed progress is believed: it is a mean over few frames at first.
    """

    def __init__(
        self,
        envs: int,
        *,
        share: float,
        capacity: int,
        saves: int,
        rollout_steps: int,
        gain: float,
        settle_steps: int,
    ) -> None:
        self._share, self._saves, self._rollout_steps, self._gain = share, saves, rollout_steps, gain
        self._settle_steps = settle_steps
        self.archive = Archive(capacity)
        self._curriculum = Curriculum()
        self.at_power_on = np.ones(envs, bool)
        self._ways = [Way() for _ in range(envs)]
        self._starts = np.full(envs, POWER_ON, np.int64)
        self._first = np.zeros(envs, np.float64)
        self._best = np.zeros(envs, np.float64)
        self._age = np.zeros(envs, np.int64)
        self._steps = self._taken = 0
        self._outcomes: list[bool] = []

    def begin(
        self, game: Startable, rows: np.ndarray, lost: np.ndarray, stream: np.random.Generator
    ) -> np.ndarray:
        anew = rows & ~lost
        if self.archive.held:
            anew &= stream.random(len(rows)) >= self._share
        thrown_back = begin_at_power_on(game, np.flatnonzero(anew), stream)
        self._follow(rows & (anew | lost), game)
        chosen = np.flatnonzero(rows & ~anew & ~lost)
        if not len(chosen):
            return thrown_back & ~rows
        band = self._curriculum.band({h.band for h in self.archive.held.values()})
        starts = [self.archive.draw(band, stream) for _ in chosen]
        # No idle frames: what is played from here is `actions` alone, and so the way from power-on stays known.
        game.reset(chosen, states=[zlib.decompress(s.state) for s in starts], idle=False)
        for row, start in zip(chosen, starts, strict=True):
            self._ways[row] = Way(start.number, 0, start.way.steps)
            self._starts[row], self._first[row] = start.number, start.progress
            self._best[row] = start.progress
        self.at_power_on[chosen], self._age[chosen] = False, 0
        self._follow(np.zeros_like(rows), game)
        return (thrown_back | game.restarted) & ~rows

    def step(self, game: Startable, played: Played) -> np.ndarray:
        progress = played.progress
        for way, action in zip(self._ways, played.actions.tolist(), strict=True):
            way.actions.append(action)
        if self._steps % self._rollout_steps == 0:
            self._taken = 0
        self._steps += 1
        self._age += 1
        known = ~played.lost & (self._age >= self._settle_steps)
        self._best[known] = np.maximum(self._best, progress)[known]
        cells = cells_of(played.tokens, progress)
        self.archive.see(cells[known])
        taken_by_now = self._saves * ((self._steps - 1) % self._rollout_steps + 1) / self._rollout_steps
        allowed = known & (played.worth > TRUSTED) & np.array([w.steps <= LONGEST_STEPS for w in self._ways])
        if self._taken >= taken_by_now:
            allowed &= band_of(progress) > self.archive.highest_band()
        if not allowed.any():
            return np.zeros_like(played.lost)
        candidates = np.flatnonzero(allowed & self.archive.wants(cells))
        if not len(candidates):
            return np.zeros_like(played.lost)
        row = int(candidates[progress[candidates].argmax()])
        return self._take(game, row, int(cells[row]), float(progress[row]))

    def end(self, rows: np.ndarray) -> None:
        for row in np.flatnonzero(rows & ~self.at_power_on):
            gained = bool(self._best[row] - self._first[row] >= self._gain)
            self._outcomes.append(gained)
            if (start := self.archive.held.get(int(self._starts[row]))) is not None:
                start.begun += 1
                start.succeeded += gained
                self._curriculum.ended(start.band, gained)

    def report(self) -> dict[str, float]:
        held = self.archive.held.values()
        found = {
            "starts_held": float(len(held)),
            "starts_share": float((~self.at_power_on).mean()),
            "cells_seen": float((self.archive.counts > 0).sum()),
            "starts_frontier": max((h.progress for h in held), default=0.0),
        }
        if self._curriculum.level is not None:
            found["starts_level"] = self._curriculum.level
        if self._outcomes:
            found["starts_gaining_share"] = float(np.mean(self._outcomes))
        self._outcomes = []
        return found

    def state(self) -> dict[str, Tensor]:
        return {
            "steps": torch.tensor(self._steps),
            "starts": torch.from_numpy(self._starts.copy()),
            "first": torch.from_numpy(self._first.copy()),
            "best": torch.from_numpy(self._best.copy()),
            "age": torch.from_numpy(self._age.copy()),
            **{f"archive/{name}": t for name, t in self.archive.state().items()},
            **{f"curriculum/{name}": t for name, t in self._curriculum.state().items()},
            **{f"ways/{name}": t for name, t in pack_ways(self._ways).items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        if len(state["archive/counts"]) != CELLS:
            raise ValueError(f"found {len(state['archive/counts'])} cells, expected {CELLS}")

        def below(part: str) -> dict[str, Tensor]:
            return {k.removeprefix(f"{part}/"): v for k, v in state.items() if k.startswith(f"{part}/")}

        self._steps = int(state["steps"])
        for name in ("starts", "first", "best", "age"):
            setattr(self, f"_{name}", state[name].numpy().copy())
        self.at_power_on = self._starts == POWER_ON
        self.archive.restore(below("archive"))
        self._curriculum.restore(below("curriculum"))
        self._ways = unpack_ways(below("ways"))

    def _take(self, game: Startable, row: int, cell: int, progress: float) -> np.ndarray:
        """Hold the state that emulator `row` is in. Returns the emulators lost in that, `(E,) bool`."""
        # The picture of now: a worker that is lost in saving begins anew, and draws over it.
        digest = hashlib.blake2b(game.frames[row].tobytes(), digest_size=DIGEST_BYTES).digest()
        try:
            (saved,) = game.save_states([row])
        except RuntimeError:
            # That is what it says when a worker was lost; one that can't be replaced either fails the next step.
            return game.restarted.copy()
        self._taken += 1
        made_at = self._steps * len(self._ways)
        packed = zlib.compress(saved)
        gone = self.archive.add(self._ways[row].copy(), cell, progress, digest, made_at, packed)
        if gone is not None:
            for way in self._ways:
                if way.parent == gone.number:
                    way.lengthen(gone.way)
        newest = max(self.archive.held)
        self._ways[row] = Way(newest, 0, self.archive.held[newest].way.steps)
        return np.zeros_like(self.at_power_on)

    def _follow(self, begun: np.ndarray, game: Startable) -> None:
        """Ways of episodes `begun (E,) bool` at power-on, and of those that were thrown back there by a lost worker."""
        for row in np.flatnonzero(begun | game.restarted):
            self._ways[row] = Way(idle_frames=int(game.idle_frames[row]))
            self._starts[row], self._age[row] = POWER_ON, 0
            self.at_power_on[row] = True
