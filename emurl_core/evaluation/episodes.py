"""Playing episodes from power-on, and writing down what is true of them.

Here, and here only, RAM decides what an episode is worth. The table of episodes keeps every button pressed, so that each of
them can be played again (`replay`), frame by frame.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.evaluation.players import Player
from emurl_core.game import GameConfig, VectorGame
from emurl_core.policy import Sight


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


def play(
    game: VectorGame,
    player: Player,
    name: str,
    seeds: Sequence[int],
    steps: int,
    sight: Sight,
    measure_every: int,
) -> list[Episode]:
    """One episode of at most `steps` steps from power-on in each emulator of `game`, one per seed.

    An episode ends early at the game's last milestone. Episodes of emulators that were lost on the way are left out.
    """
    names = game.game.milestones
    frames = game.reset(seeds=seeds)
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
        due = step % measure_every == 0 or step == steps
        if due or sight.needs_every_frame:
            progress = watch.step(sight(frames)[1])
            if due:
                measured.append(progress)
                measured_at.append(step)
        for i, milestone in enumerate(names):
            for row in np.flatnonzero(game.truth.reached(i)).tolist():
                reached[row].setdefault(milestone, step)
        if names:
            ended = np.array([names[-1] in r for r in reached])
            length = np.where(ended & (length > step), step, length)
            if ended.all():
                break
    at = np.array(measured_at, np.int32)
    found = []
    for row in np.flatnonzero(~lost).tolist():
        end = length[row]
        seen = at <= end
        found.append(
            Episode(
                name, int(seeds[row]), np.stack(actions)[:end, row], {m: s for m, s in reached[row].items() if s <= end},
                np.stack(true)[: end + 1, row], np.stack(measured)[seen, row], at[seen],
            )
        )  # fmt: skip
    return found


def replay(episode: Episode, game: GameConfig) -> Iterator[np.ndarray]:
    """The frames of an episode, `(144, 160) uint8` each, the first one included."""
    with VectorGame(game, 1) as emulator:
        yield emulator.reset(seeds=[episode.seed])[0].copy()
        for action in episode.actions:
            yield emulator.step(np.array([action], np.int64))[0].copy()


def write_table(episodes: Sequence[Episode], milestones: Sequence[str], path: Path) -> None:
    """One row an episode; `step_<milestone>` is null where it was not reached."""
    columns = {
        "player": pa.array([e.player for e in episodes]),
        "seed": pa.array([e.seed for e in episodes], pa.int64()),
        "steps": pa.array([len(e.actions) for e in episodes], pa.int32()),
        "true_progress_highest": pa.array([float(e.true_progress.max()) for e in episodes], pa.float32()),
        "learned_progress_highest": pa.array(
            [float(e.learned_progress.max()) for e in episodes], pa.float32()
        ),
        **{f"step_{m}": pa.array([e.reached.get(m) for e in episodes], pa.int32()) for m in milestones},
        "actions": pa.array([e.actions.tobytes() for e in episodes], pa.binary()),
        "true_progress": pa.array([e.true_progress.tolist() for e in episodes], pa.list_(pa.float32())),
        "learned_progress": pa.array([e.learned_progress.tolist() for e in episodes], pa.list_(pa.float32())),
        "learned_steps": pa.array([e.learned_steps.tolist() for e in episodes], pa.list_(pa.int32())),
    }
    pq.write_table(pa.table(columns), path)
