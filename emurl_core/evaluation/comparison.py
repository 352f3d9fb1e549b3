"""Two evaluations side by side: how much further the one policy gets than the other, and how sure that is.

Read from the artifacts alone. Who moves on from it, a champion's alias say, is not decided here; the page that shows many
policies is in `policy_page`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.evaluation.statistics import difference_of_means

KIND = "evaluation"
AGENTS = ("stochastic", "greedy")
"""The players that are the policy itself; the first one that both evaluations hold is compared."""
TRUE, LEARNED = "true progress", "learned progress"


@dataclass(frozen=True)
class Difference:
    """Progress of the new policy minus that of the old one, in [-1, 1], with a two-sided 95% interval."""

    mean: float
    low: float
    high: float
    measure: str = TRUE
    """`true progress`, or `learned progress` in a game whose truth is not known."""
    player: str = AGENTS[0]
    """How both policies played."""
    new_episodes: int = 0
    old_episodes: int = 0

    @property
    def better(self) -> bool:
        """Whether the new one is ahead for certain: the whole interval is above 0."""
        return self.low > 0

    @property
    def regressed(self) -> bool:
        """Whether the new one is behind for certain: the whole interval is below 0."""
        return self.high < 0


def difference(new: Artifact, old: Artifact, seed: int = 0) -> Difference:
    """How much further the episodes of `new` got than those of `old`, from power-on, as the mean of the highest progress.

    The bootstrap is unpaired: episodes of the two evaluations that share a seed share a few idle frames only, and their numbers
    may differ.

    Raises:
        ArtifactError: one of them is no evaluation or lost its table, or they can't be compared: another game, another length
            of episodes, no player in common, or learned progress by two reward models.
    """
    for evaluation in (new, old):
        evaluation.expect(KIND)
    _require_alike(new, old, "rom_sha1", "play both in one game")
    _require_alike(new, old, "episode_steps", "evaluate both with one evaluation.episode_steps")
    _require_alike(new, old, "measure", "evaluate both with the same code")
    measure = str(new.facts["measure"])
    if measure == LEARNED and _reward_model(new) != _reward_model(old):
        raise ArtifactError(
            f"{new.id} and {old.id} measured learned progress by two reward models: found {_reward_model(new)} and "
            f"{_reward_model(old)}, expected one; name the old policy in evaluation.earlier: the same model then judges both"
        )
    column = f"{measure.replace(' ', '_')}_highest"
    ours, theirs = _highest(new, column), _highest(old, column)
    player = next((p for p in AGENTS if p in ours and p in theirs), None)
    if player is None:
        raise ArtifactError(
            f"found no player of the policy in both {new.id} ({', '.join(ours)}) and {old.id} ({', '.join(theirs)}), expected "
            f"{' or '.join(AGENTS)}; add one to evaluation.players and evaluate both again"
        )
    gain = difference_of_means(ours[player], theirs[player], seed)
    return Difference(
        gain.value, gain.low, gain.high, measure, player, len(ours[player]), len(theirs[player])
    )


def _require_alike(new: Artifact, old: Artifact, fact: str, remedy: str) -> None:
    found = new.facts.get(fact), old.facts.get(fact)
    if found[0] != found[1]:
        raise ArtifactError(
            f"{new.id} and {old.id} can't be compared: found {fact} {found[0]} and {found[1]}, expected the same; {remedy}"
        )


def _reward_model(evaluation: Artifact) -> list[str]:
    """What judged: the reward model that the policy was trained with."""
    lineage = evaluation.lineage
    policy = evaluation.facts["policy"]
    return [source for source, target, role in lineage["edges"] if (target, role) == (policy, "reward_model")]


def _highest(evaluation: Artifact, column: str) -> dict[str, np.ndarray]:
    """Player -> the furthest that each of its episodes got, `(N,) float64`."""
    path = evaluation.path / "episodes.parquet"
    if not path.is_file():
        raise ArtifactError(
            f"{evaluation.id} has no table of episodes: found no file {path}; delete the artifact's folder and evaluate again"
        )
    rows = pq.read_table(path, columns=["player", column]).to_pylist()
    return {
        player: np.array([r[column] for r in rows if r["player"] == player], np.float64)
        for player in sorted({r["player"] for r in rows})
    }
