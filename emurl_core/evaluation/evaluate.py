"""The evaluation stage: the policy against players that know nothing, from power-on, by what is true of the game."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from pydantic import Field

from emurl_core.artifacts import Artifact, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.evaluation.animation import write_gif
from emurl_core.evaluation.episodes import Episode, play, replay, write_table
from emurl_core.evaluation.pictures import milestones_picture, progress_picture
from emurl_core.evaluation.players import PlayerName, player_called
from emurl_core.evaluation.scores import learned_reached, milestone_table, scores, true_reached
from emurl_core.game import GameConfig, VectorGame, open_game
from emurl_core.policy import Policy, load_policy, require_same_game
from emurl_core.runtime import pick_device, track
from emurl_core.stage import StageContext

CODE_VERSION = "2"
KIND = "evaluation"


class EvaluationConfig(StageConfig):
    """How long and how often each player plays. All of them play the same episodes."""

    seed: int = 0
    """Seed of the episodes and of every draw."""
    players: tuple[PlayerName, ...] = ("stochastic", "greedy", "random", "fixed")
    """`stochastic`: the policy draws buttons; `greedy`: it presses the likeliest one; `random`: allowed buttons alike;
    `fixed`: always A."""
    episodes: int = Field(50, ge=1)
    """Episodes of each player, from power-on."""
    episode_steps: int = Field(2_000, ge=1)
    """Steps of half a second after which an episode ends."""
    measure_every: int = Field(8, ge=1)
    """Steps between two measurements of learned progress."""
    workers: int = Field(8, ge=0)
    """Processes that the emulators are spread over; 0 plays them in this one."""


def evaluate(policy: Artifact, config: EvaluationConfig, game: GameConfig, context: StageContext) -> Artifact:
    """Play, count, draw, publish.

    Raises:
        ValueError: the ROM is missing or bad.
        ArtifactError: `policy` is no policy, was trained on another ROM, or something it was built from is gone.
    """
    opened = open_game(game)
    require_same_game(policy.expect("policy"), opened)
    inputs = [Input("policy", policy)]
    version = version_of(config, CODE_VERSION, inputs, json.dumps(opened.identity))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    trained = load_policy(policy, context.store, pick_device(context.runtime))
    # Apart from those of the training, whose first episodes would else be among them.
    seeds = np.random.default_rng((config.seed, 1)).integers(2**32, size=config.episodes).tolist()
    groups: dict[str, list[Episode]] = {}
    with VectorGame(game, config.episodes, config.workers) as emulators:
        for turn in track(len(config.players), "evaluation"):
            name = config.players[turn]
            player = player_called(name, trained, seeds)
            groups[name] = play(
                emulators, player, name, seeds, config.episode_steps, trained.sight, config.measure_every
            )
            if not groups[name]:
                raise RuntimeError(
                    f"found every episode of the player {name!r} lost with its worker, expected none; try workers=0"
                )
    milestones = opened.game.milestones
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.metrics |= scores(groups, milestones, opened.game.intro_milestone, config.seed)
        draft.facts |= opened.identity | {
            "policy": policy.id,
            "environment_steps_trained": policy.facts["environment_steps"],
            "episodes": config.episodes,
            "episode_steps": config.episode_steps,
            "episodes_lost": sum(config.episodes - len(g) for g in groups.values()),
            "measure": "true progress" if milestones else "learned progress",
        }
        everyone = [e for group in groups.values() for e in group]
        write_table(everyone, milestones, draft.path / "episodes.parquet")
        pq.write_table(milestone_table(groups, milestones), draft.path / "milestones.parquet")
        _draw(draft.pictures(), groups, milestones, trained, game)
    return context.store.get(KIND, version)


def _draw(
    folder: Path,
    groups: dict[str, list[Episode]],
    milestones: Sequence[str],
    trained: Policy,
    game: GameConfig,
) -> None:
    if milestones:
        milestones_picture(groups, milestones, folder / "milestones.png")
    progress_picture(groups, bool(milestones), folder / "progress.png")
    shown = groups.get("stochastic") or groups.get("greedy")
    if not shown:
        return
    reached = true_reached(shown) if milestones else learned_reached(shown)
    order = reached.argsort(kind="stable")
    for name, place, title in (
        ("agent", len(order) // 2, "median episode"),
        ("agent_best", -1, "best episode"),
    ):
        episode = shown[order[place]]
        frames = list(replay(episode, game))
        write_gif(
            frames, episode.actions, trained.sight.along(np.stack(frames)), folder / f"{name}.gif", title
        )
