"""The archive: states that play reached, one a cell, so many and no more (Go-Explore: Ecoffet et al. 2021, arXiv:2004.12919).

Every cell is counted whenever it is seen; a state is held of some. When there is no room, a state goes from the band of
progress that holds the most, the one whose cell is seen most: so what is kept spreads over the whole of the way, and the early
game does not crowd out the little that is known of the late one. How cells are made is in `cells`; when states are taken, in
`beginnings`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emurl_core.starts.cells import CELLS, band_of_cell
from emurl_core.starts.ways import Way, bytes_to_tensor, pack_ways, split_bytes, unpack_ways

DIGEST_BYTES = 16


@dataclass
class Held:
    """A state in the archive.

    Attributes:
        number: counts up; a parent's is lower than its children's.
        cell: what it was taken for.
        progress: learned progress there, smoothed, in [0, 1].
        digest: BLAKE2b of its frame, 16 bytes.
        made_at: environment steps of the training before it was taken.
        state: the save state, compressed.
        begun: episodes that began there and ended.
        succeeded: those of them that gained.
    """

    number: int
    way: Way
    cell: int
    progress: float
    digest: bytes
    made_at: int
    state: bytes
    begun: int = 0
    succeeded: int = 0

    @property
    def band(self) -> int:
        """The band of progress it lies in."""
        return band_of_cell(self.cell)


class Archive:
    """At most `capacity` states, and how often each cell was seen."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._next = 0
        self.counts = np.zeros(CELLS, np.int64)
        """(CELLS,): frames of play that fell into each cell."""
        self.held: dict[int, Held] = {}
        """By number, the oldest first."""
        self._cells: dict[int, int] = {}

    def see(self, cells: np.ndarray) -> None:
        """Count cells `(N,) int64`."""
        np.add.at(self.counts, cells, 1)

    def wants(self, cells: np.ndarray) -> np.ndarray:
        """Of which cells `(N,) int64` a state would be kept: `(N,) bool`."""
        new = np.array([cell not in self._cells for cell in cells.tolist()])
        if len(self.held) < self._capacity or not new.any():
            return new
        worst = self._worst()
        # Within a band only for a cell that is seen much less often, else states would come and go for ever.
        rarer = 2 * self.counts[cells] <= self.counts[worst.cell]
        return new & (rarer | (band_of_cell(cells) != worst.band))

    def add(
        self, way: Way, cell: int, progress: float, digest: bytes, made_at: int, state: bytes
    ) -> Held | None:
        """Hold a state that is wanted. Returns the one that had to go for it: mend ways that begin there (`Way.lengthen`)."""
        gone = self._worst() if len(self.held) >= self._capacity else None
        if gone is not None:
            del self.held[gone.number], self._cells[gone.cell]
            for orphan in (way, *(h.way for h in self.held.values())):
                if orphan.parent == gone.number:
                    orphan.lengthen(gone.way)
        self.held[self._next] = Held(self._next, way, cell, progress, digest, made_at, state)
        self._cells[cell] = self._next
        self._next += 1
        return gone

    def highest_band(self) -> int:
        """The frontier: the highest band of progress of which a state is held; -1 without any."""
        return max((h.band for h in self.held.values()), default=-1)

    def draw(self, band: int, stream: np.random.Generator) -> Held:
        """A state of one band, at random: rather of a cell that is seldom seen, and one from which episodes gain.

        The weight is `(succeeded + 1) / (begun + 2) / √(1 + seen)`; a state that nothing leads on from soon has next to none.
        """
        found = [h for h in self.held.values() if h.band == band]
        weights = np.array(
            [(h.succeeded + 1) / (h.begun + 2) / np.sqrt(1 + self.counts[h.cell]) for h in found]
        )
        place = np.searchsorted(np.cumsum(weights), stream.random() * weights.sum(), side="right")
        return found[min(int(place), len(found) - 1)]

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        held = list(self.held.values())
        numbers = [[h.number, h.cell, h.made_at, h.begun, h.succeeded, len(h.state)] for h in held]
        return {
            "next": torch.tensor(self._next),
            "counts": torch.from_numpy(self.counts.copy()),
            "held": torch.tensor(numbers, dtype=torch.int64).reshape(len(held), 6),
            "progress": torch.tensor([h.progress for h in held], dtype=torch.float64),
            "digests": bytes_to_tensor(b"".join(h.digest for h in held)),
            "states": bytes_to_tensor(b"".join(h.state for h in held)),
            **{f"ways/{name}": t for name, t in pack_ways([h.way for h in held]).items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self._next = int(state["next"])
        self.counts = state["counts"].numpy().copy()
        rows = state["held"].tolist()
        ways = unpack_ways({name: state[f"ways/{name}"] for name in ("numbers", "actions")})
        digests = split_bytes(state["digests"], [DIGEST_BYTES] * len(rows))
        states = split_bytes(state["states"], [row[5] for row in rows])
        columns = zip(rows, ways, state["progress"].tolist(), digests, states, strict=True)
        self.held = {
            number: Held(number, way, cell, progress, digest, made_at, saved, begun, succeeded)
            for (number, cell, made_at, begun, succeeded, _), way, progress, digest, saved in columns
        }
        self._cells = {h.cell: h.number for h in self.held.values()}

    def _worst(self) -> Held:
        """The state that goes first: in the band that holds the most, the one whose cell is seen most."""
        crowded = int(np.bincount([h.band for h in self.held.values()]).argmax())
        return max(
            (h for h in self.held.values() if h.band == crowded), key=lambda h: int(self.counts[h.cell])
        )
