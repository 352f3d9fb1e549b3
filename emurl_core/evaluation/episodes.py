"""Playing episodes from power-on, and writing down what is true of them.

Here, and here only, RAM decides what an episode is worth. The table of episodes keeps every button pressed, so that each of
them can be played again (`replay`), frame by frame.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.evaluation.habits import loop_share, menu_share
from emurl_core.evaluation.players import Player
from emurl_core.game import GameConfig, VectorGame
from emurl_core.game.lanes import POWER_ON as POWER_ON_STATE
from emurl_core.policy import Sight
from emurl_core.starts import StartState
from emurl_core.tokenizer.screens import are_still

POWER_ON = "power-on"
_DIGEST_BYTES = 8


@dataclass(frozen=True)
class Episode:
    """One episode of one player."""

    player: str
    seed: int
    actions: np.ndarray
    """(steps,) uint8: the buttons pressed."""
    reached: dict[str, int]
    """Milestone -> the step after which it was first seen to be reached, from 1."""
    true_progress: np.ndarray
    """(steps + 1,) float32 in [0, 1], the first frame included."""
    learned_progress: np.ndarray
    """(measured,) float32 in [0, 1]: the reward model's, every few steps."""
    learned_steps: np.ndarray
    """(measured,) int32: the steps it was measured after."""
    start: str = POWER_ON
    """Where it began: `power-on`, or the id of a state of a start library."""
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.int16))
    """(steps + 1, 3) int16: map, x and y in the game's own numbering, from RAM; 0 where nothing is known."""
    pictures: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(steps + 1,) int64: a number for each frame, equal for equal pictures."""
    still: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    """(steps + 1,) bool: whether the frame is a title, a menu or a fade, by its pixels."""


def play(
    game: VectorGame,
    player: Player,
    name: str,
    seeds: Sequence[int],
    steps: int,
    sight: Sight,
    measure_every: int,
    states: Sequence[StartState] | None = None,
) -> list[Episode]:
    """One episode of at most `steps` steps in each emulator of `game`, one per seed: from power-on, or from `states`, one each.

    An episode ends early at the game's last milestone. Milestones that a start state had reached before are not counted. Episodes of
    emulators that were lost on the way are left out.
    """
    names = game.game.milestones
    frames = game.reset(seeds=seeds, states=[s.saved for s in states] if states else POWER_ON_STATE)
    before = game.truth.milestones.copy()
    looks = _Looks()
    places, seen_pictures = [game.truth.place.copy()], [looks(frames)]
    lost = np.zeros(game.envs, bool)
    length = np.full(game.envs, steps)
    reached: list[dict[str, int]] = [{} for _ in seeds]
    actions, true = [], [game.truth.progress.copy()]
    watch = sight.watch(game.envs)
    measured, measured_at = [watch.start(sight(frames)[1])], [0]
    for step in range(1, steps + 1):
        chosen = player.act(frames)
        frames = game.step(chosen)
        lost |= game.restarted
        actions.append(chosen.astype(np.uint8))
        true.append(game.truth.progress.copy())
        places.append(game.truth.place.copy())
        seen_pictures.append(looks(frames))
        due = step % measure_every == 0 or step == steps
        if due or sight.needs_every_frame:
            progress = watch.step(sight(frames)[1])
            if due:
                measured.append(progress)
                measured_at.append(step)
        for i, milestone in enumerate(names):
            for row in np.flatnonzero(game.truth.reached(i) & (before >> i & 1 == 0)).tolist():
                reached[row].setdefault(milestone, step)
        if names:
            ended = np.array([names[-1] in r for r in reached])
            length = np.where(ended & (length > step), step, length)
            if ended.all():
                break
    at = np.array(measured_at, np.int32)
    where, pictures = np.stack(places), np.stack(seen_pictures)
    found = []
    for row in np.flatnonzero(~lost).tolist():
        end = length[row]
        seen = at <= end
        found.append(
            Episode(
                name, int(seeds[row]), np.stack(actions)[:end, row], {m: s for m, s in reached[row].items() if s <= end},
                np.stack(true)[: end + 1, row], np.stack(measured)[seen, row], at[seen],
                states[row].id if states else POWER_ON, where[: end + 1, row], pictures[: end + 1, row],
                looks.still(pictures[: end + 1, row]),
            )
        )  # fmt: skip
    return found


class _Looks:
    """Numbers for pictures, and which of them are still ones; each distinct picture is looked at once."""

    def __init__(self) -> None:
        self._still: dict[int, bool] = {}

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`(B, 144, 160) uint8 -> (B,) int64`."""
        digests = [hashlib.blake2b(f.tobytes(), digest_size=_DIGEST_BYTES).digest() for f in frames]
        numbers = [int.from_bytes(digest, "little", signed=True) for digest in digests]
        if fresh := {number: row for row, number in enumerate(numbers) if number not in self._still}:
            self._still |= zip(fresh, are_still(frames[list(fresh.values())]).tolist(), strict=True)
        return np.array(numbers, np.int64)

    def still(self, pictures: np.ndarray) -> np.ndarray:
        """`(N,) int64 -> (N,) bool`, of pictures seen before."""
        return np.array([self._still[p] for p in pictures.tolist()], bool)


def replay(episode: Episode, game: GameConfig) -> Iterator[np.ndarray]:
    """The frames of an episode from power-on, `(144, 160) uint8` each, the first one included."""
    with VectorGame(game, 1) as emulator:
        yield emulator.reset(seeds=[episode.seed])[0].copy()
        for action in episode.actions:
            yield emulator.step(np.array([action], np.int64))[0].copy()


def write_table(episodes: Sequence[Episode], milestones: Sequence[str], path: Path) -> None:
    """One row an episode; `step_<milestone>` is null where it was not reached.

    `places` are `(steps + 1, 3)` little-endian int16, `actions` `(steps,)` uint8. What the shares mean is in `habits`.
    """
    columns = {
        "player": pa.array([e.player for e in episodes]),
        "seed": pa.array([e.seed for e in episodes], pa.int64()),
        "start": pa.array([e.start for e in episodes]),
        "steps": pa.array([len(e.actions) for e in episodes], pa.int32()),
        "true_progress_highest": pa.array([float(e.true_progress.max()) for e in episodes], pa.float32()),
        "learned_progress_highest": pa.array(
            [float(e.learned_progress.max()) for e in episodes], pa.float32()
        ),
        "loop_share": pa.array([loop_share(e.pictures) for e in episodes], pa.float32()),
        "menu_share": pa.array([menu_share(e.still) for e in episodes], pa.float32()),
        "distinct_pictures": pa.array([len(np.unique(e.pictures)) for e in episodes], pa.int32()),
        **{f"step_{m}": pa.array([e.reached.get(m) for e in episodes], pa.int32()) for m in milestones},
        "places": pa.array([e.places.astype("<i2").tobytes() for e in episodes], pa.binary()),
        "actions": pa.array([e.actions.tobytes() for e in episodes], pa.binary()),
        "true_progress": pa.array([e.true_progress.tolist() for e in episodes], pa.list_(pa.float32())),
        "learned_progress": pa.array([e.learned_progress.tolist() for e in episodes], pa.list_(pa.float32())),
        "learned_steps": pa.array([e.learned_steps.tolist() for e in episodes], pa.list_(pa.int32())),
    }
    pq.write_table(pa.table(columns), path)
