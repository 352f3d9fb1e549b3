"""From episodes to numbers: what each player reached, how sure that is, and whether the agent is better than chance."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from emurl_core.evaluation.coverage import tiles_visited, visited_share, walkable_tiles
from emurl_core.evaluation.episodes import Episode
from emurl_core.evaluation.habits import loop_share, menu_share
from emurl_core.evaluation.players import EARLIER
from emurl_core.evaluation.statistics import (
    Estimate,
    difference_of_means,
    mean,
    median_steps,
    probability_of_improvement,
    share,
)

Groups = Mapping[str, Sequence[Episode]]
"""Episodes by player."""

_MILESTONE_SCHEMA = pa.schema(
    {
        "player": pa.string(), "milestone": pa.string(), "episodes": pa.int32(),
        "value": pa.float64(), "low": pa.float64(), "high": pa.float64(), "median_steps": pa.float64(),
    }
)  # fmt: skip


def milestone_share(episodes: Sequence[Episode], milestone: str) -> Estimate:
    """Share of the episodes that reached a milestone."""
    return share(sum(milestone in e.reached for e in episodes), len(episodes))


def steps_to(episodes: Sequence[Episode], milestone: str) -> np.ndarray:
    """(N,) float: steps to a milestone, NaN where it was not reached."""
    return np.array([e.reached.get(milestone, np.nan) for e in episodes], np.float64)


def true_reached(episodes: Sequence[Episode]) -> np.ndarray:
    """(N,) float64 in [0, 1]: the furthest that each episode truly got."""
    return np.array([e.true_progress.max() for e in episodes], np.float64)


def learned_reached(episodes: Sequence[Episode]) -> np.ndarray:
    """(N,) float64 in [0, 1]: the furthest that the reward model believes each episode got."""
    return np.array([e.learned_progress.max() for e in episodes], np.float64)


def scores(groups: Groups, milestones: Sequence[str], intro: str | None, seed: int = 0) -> dict[str, float]:
    """Flat metrics `<player>/<name>`, means and `intro_left` with `_low` and `_high` beside, and `comparison/<name>`.

    `steps_to/<milestone>` is there when at least half of the player's episodes reached it. The comparison is of the
    stochastic policy with random buttons, by true progress; by learned progress in a game whose truth is not known.
    `gain_over_earlier_<version>` is the same against an earlier policy, by the same judge, with its interval.
    """
    found: dict[str, float] = {}
    for player, episodes in groups.items():
        found[f"{player}/episodes"] = len(episodes)
        _put(found, f"{player}/learned_progress", mean(learned_reached(episodes), seed))
        if not milestones:
            continue
        _put(found, f"{player}/true_progress", mean(true_reached(episodes), seed))
        if intro:
            _put(found, f"{player}/intro_left", milestone_share(episodes, intro))
        for milestone in milestones:
            found[f"{player}/reached/{milestone}"] = milestone_share(episodes, milestone).value
            if (steps := median_steps(steps_to(episodes, milestone))) is not None:
                found[f"{player}/steps_to/{milestone}"] = steps
    if "stochastic" in groups and "random" in groups:
        found |= _compare(groups, found, bool(milestones), intro)
    if "stochastic" in groups:
        reached = true_reached if milestones else learned_reached
        for player in groups:
            if player.startswith(EARLIER):
                gain = difference_of_means(reached(groups["stochastic"]), reached(groups[player]), seed)
                _put(found, f"comparison/gain_over_{player}", gain)
    return found


def habits(groups: Groups, seed: int = 0) -> dict[str, float]:
    """How each player spent its episodes: `<player>/loop_share`, `menu_share`, `distinct_pictures`, means over episodes.

    `loop_share` is not there where no episode was long enough to tell.
    """
    found: dict[str, float] = {}
    for player, episodes in groups.items():
        for name, values in (
            ("loop_share", [loop_share(e.pictures) for e in episodes]),
            ("menu_share", [menu_share(e.still) for e in episodes]),
            ("distinct_pictures", [len(np.unique(e.pictures)) for e in episodes]),
        ):
            if known := [float(v) for v in values if v is not None]:
                _put(found, f"{player}/{name}", mean(np.array(known), seed))
    return found


def coverage(groups: Groups, seed: int = 0) -> dict[str, float]:
    """Of the embedded game's walkable tiles, `<player>/tiles_visited` by all its episodes together, `tiles_visited_each` by one.

    Also `comparison/tiles_over_random`, the difference of the stochastic policy and random buttons in the first.
    """
    found: dict[str, float] = {}
    for player, episodes in groups.items():
        found[f"{player}/tiles_visited"] = visited_share(episodes)
        each = np.array([len(tiles_visited(e)) / len(walkable_tiles()) for e in episodes])
        _put(found, f"{player}/tiles_visited_each", mean(each, seed))
    if "stochastic" in groups and "random" in groups:
        ours, theirs = (found[f"{player}/tiles_visited"] for player in ("stochastic", "random"))
        found["comparison/tiles_over_random"] = ours - theirs
    return found


def gains(groups: Groups, truth: bool, seed: int = 0) -> dict[str, float]:
    """Of episodes that begin within the game: `library/<player>/true_gain`, `learned_gain`, highest progress minus the first."""
    found: dict[str, float] = {}
    for player, episodes in groups.items():
        prefix = f"library/{player}"
        found[f"{prefix}/episodes"] = len(episodes)
        learned = np.array([e.learned_progress.max() - e.learned_progress[0] for e in episodes], np.float64)
        _put(found, f"{prefix}/learned_gain", mean(learned, seed))
        if truth:
            true = np.array([e.true_progress.max() - e.true_progress[0] for e in episodes], np.float64)
            _put(found, f"{prefix}/true_gain", mean(true, seed))
    return found


def milestone_table(groups: Groups, milestones: Sequence[str]) -> pa.Table:
    """One row for each player and milestone: share with its interval, and the median of the steps where there is one."""
    rows = []
    for player, episodes in groups.items():
        for milestone in milestones:
            estimate = milestone_share(episodes, milestone)._asdict()
            steps = median_steps(steps_to(episodes, milestone))
            rows.append(
                {
                    "player": player,
                    "milestone": milestone,
                    "episodes": len(episodes),
                    **estimate,
                    "median_steps": steps,
                }
            )
    return pa.Table.from_pylist(rows, _MILESTONE_SCHEMA)


def _compare(groups: Groups, found: Mapping[str, float], truth: bool, intro: str | None) -> dict[str, float]:
    key, reached = ("true_progress", true_reached) if truth else ("learned_progress", learned_reached)
    agent, chance = (
        Estimate(*(found[f"{player}/{key}{end}"] for end in ("", "_low", "_high")))
        for player in ("stochastic", "random")
    )
    compared = {
        "comparison/gain": agent.value - chance.value,
        "comparison/above_random": float(agent.above(chance)),
        "comparison/below_random": float(chance.above(agent)),
        "comparison/probability_of_improvement": probability_of_improvement(
            reached(groups["stochastic"]), reached(groups["random"])
        ),
    }
    ours, theirs = (found.get(f"{player}/steps_to/{intro}") for player in ("stochastic", "random"))
    if ours is not None and theirs is not None:
        compared["comparison/intro_steps_ratio"] = ours / theirs
    return compared


def _put(found: dict[str, float], name: str, estimate: Estimate) -> None:
    found[name], found[f"{name}_low"], found[f"{name}_high"] = estimate
