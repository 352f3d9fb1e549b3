"""Who is the champion of a game: the policy that the others have to beat.

A policy takes the title when it truly gets further, with the interval of the difference above zero; the first one has to beat
random play. Nobody takes it whose training a sentinel stopped, or who was built on a model below its gate. The answer is
kept in the data folder (`champion_book`), so it survives the loss of every database; MLflow's alias follows it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.evaluation.champion_book import ChampionBook, Reign
from emurl_core.evaluation.comparison import difference
from emurl_core.evaluation.statistics import Estimate, difference_of_means

_PLAYER = "stochastic"


@dataclass(frozen=True)
class Verdict:
    """What an evaluation meant for the title."""

    policy: str
    """Id of the evaluated policy."""
    champion: str | None
    """Id of the champion afterwards."""
    moved: bool
    reason: str
    margin: Estimate | None = None
    """To the champion before; to random play where there was none."""

    @property
    def reigns(self) -> bool:
        """Whether the evaluated policy is the champion now."""
        return self.policy == self.champion


def consider(
    evaluation: Artifact, store: ArtifactStore, evaluate_again: Callable[[Artifact], Artifact]
) -> Verdict:
    """Judge whether an evaluated policy takes the title, and write it down if it does.

    Args:
        evaluate_again: evaluates a policy under the very settings of `evaluation`. Only what was measured alike is compared, so the
            champion is played again where it has not been under these.
    """
    book = ChampionBook(store.home)
    game = _game_of(evaluation)
    try:
        while True:
            before = book.champion(game["rom_sha1"])
            verdict = _judge(evaluation, store, before, evaluate_again)
            if not verdict.moved:
                return verdict
            reign = Reign(verdict.policy, evaluation.id, "evaluation", verdict.reason, _now())
            with store.explain_full_disk("the book of champions"):
                if book.crown(game, reign, instead_of=before):
                    return verdict
    finally:
        # Playing the champion again made its evaluation the current one.
        store.choose(evaluation)


def set_by_hand(policy: Artifact, store: ArtifactStore, reason: str) -> Reign:
    """Make a policy the champion of its game whatever it was worth.

    Raises:
        ValueError: no reason is given.
        ArtifactError: it is no policy.
    """
    if not reason.strip():
        raise ValueError("found no reason, expected one: it stays in the book; give --reason TEXT")
    game = {name: str(policy.expect("policy").facts[name]) for name in ("game", "rom_sha1")}
    book = ChampionBook(store.home)
    reign = Reign(policy.id, None, "hand", reason.strip(), _now())
    while not book.crown(game, reign, instead_of=book.champion(game["rom_sha1"])):
        pass
    return reign


def policy_called(store: ArtifactStore, policy_id: str) -> Artifact | None:
    """The artifact of an id `policy@version`; None when it is gone."""
    return store.find("policy", policy_id.partition("@")[2])


def unfit(evaluation: Artifact) -> str | None:
    """Why the policy of an evaluation may not become champion, however far it gets; None when it may."""
    nodes = evaluation.lineage["nodes"]
    stop = nodes[evaluation.facts["policy"]]["facts"].get("stopped")
    if stop is not None:
        return f"the sentinel {stop['sentinel']!r} stopped its training: {stop['reason']}"
    below = sorted(id for id, node in nodes.items() if node["facts"].get("gate_passed") is False)
    if below:
        return f"it was built on what is below its gate: {', '.join(below)}"
    return None


def _judge(
    evaluation: Artifact,
    store: ArtifactStore,
    before: Reign | None,
    evaluate_again: Callable[[Artifact], Artifact],
) -> Verdict:
    policy = str(evaluation.facts["policy"])
    title = before.policy if before else None
    if policy == title:
        return Verdict(policy, title, False, "it is the champion")
    if (reason := unfit(evaluation)) is not None:
        return Verdict(policy, title, False, reason)
    holder = policy_called(store, before.policy) if before else None
    try:
        if holder is None:
            margin, rival = _above_random(evaluation), "random play"
        else:
            found = difference(evaluation, evaluate_again(holder))
            margin, rival = Estimate(found.mean, found.low, found.high), f"the champion {title}"
    except ArtifactError as error:
        return Verdict(
            policy,
            title,
            False,
            f"the two could not be compared: {error}. `emurl champion --set` decides by hand",
        )
    measure = evaluation.facts["measure"]
    better = margin.low > 0
    told = f"{margin.value:+.3f} [{margin.low:+.3f}, {margin.high:+.3f}]"
    reason = f"its {measure} is {told} beside {rival}: {'surely' if better else 'not surely'} more"
    if before is not None and holder is None:
        reason += f"; the champion {title} is gone from the store"
    return Verdict(policy, policy if better else title, better, reason, margin)


def _above_random(evaluation: Artifact) -> Estimate:
    known = evaluation.facts["measure"] == "true progress"
    column = f"{'true' if known else 'learned'}_progress_highest"
    table = pq.read_table(evaluation.path / "episodes.parquet", columns=["player", column])
    players = np.array(table["player"].to_pylist())
    groups = [
        table[column].to_numpy()[players == player].astype(np.float64) for player in (_PLAYER, "random")
    ]
    if not all(map(len, groups)):
        raise ArtifactError(
            f"found {len(groups[0])} episodes of the policy and {len(groups[1])} of random play in {evaluation.id}, expected some of "
            "both; evaluation.players needs 'stochastic' and 'random'"
        )
    return difference_of_means(*groups)


def _game_of(evaluation: Artifact) -> dict[str, str]:
    return {name: str(evaluation.facts[name]) for name in ("game", "rom_sha1")}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
