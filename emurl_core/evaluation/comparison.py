"""Whether one evaluated policy gets truly further than another, and how sure that is."""

from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.evaluation.statistics import difference_of_means


class Difference(NamedTuple):
    """A difference of means with its 95% bootstrap interval."""

    mean: float
    low: float
    high: float


def difference(new: Artifact, old: Artifact) -> Difference:
    """How much further the policy of one evaluation gets than that of another: true progress, learned where no truth is known.

    Raises ArtifactError when an evaluation did not let its policy play.
    """
    return Difference(*difference_of_means(reached(new, "stochastic"), reached(old, "stochastic")))


def reached(evaluation: Artifact, player: str) -> np.ndarray:
    """(N,) float64 in [0, 1]: the furthest that each episode of a player got."""
    column = (
        "true_progress_highest"
        if evaluation.facts["measure"] == "true progress"
        else "learned_progress_highest"
    )
    table = pq.read_table(evaluation.path / "episodes.parquet", columns=["player", column])
    found = table[column].to_numpy()[table["player"].to_numpy(zero_copy_only=False) == player]
    if not len(found):
        raise ArtifactError(
            f"found no episode of the player {player!r} in {evaluation.id}, expected some; add it to evaluation.players"
        )
    return found.astype(np.float64)
