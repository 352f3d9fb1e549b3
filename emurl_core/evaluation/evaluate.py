"""The evaluation stage: the policy beside others, from power-on, by what is true of the game.

Results are of episodes from power-on. What is played from states of the policy's start library, if that is asked for, lies in a
table and under metrics of its own, `library/…`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from pydantic import Field

from emurl_core.artifacts import Artifact, ArtifactError, Input, version_of
from emurl_core.configuration import StageConfig
from emurl_core.evaluation.animation import Film, write_films
from emurl_core.evaluation.coverage import coverage_picture, knows_maps, pictures_picture
from emurl_core.evaluation.episodes import Episode, play, replay, write_table
from emurl_core.evaluation.pictures import milestones_picture, progress_picture
from emurl_core.evaluation.players import Player, PlayerName, earlier_policies, player_called
from emurl_core.evaluation.scores import (
    coverage,
    gains,
    habits,
    learned_reached,
    milestone_table,
    scores,
    true_reached,
)
from emurl_core.evaluation.scripted import MID_GAME, require_script
from emurl_core.game import GameConfig, OpenedGame, VectorGame, open_game
from emurl_core.policy import Policy, load_policy, require_same_game
from emurl_core.policy.train import STARTS_FOLDER
from emurl_core.runtime import pick_device, track
from emurl_core.stage import StageContext
from emurl_core.starts import StartLibrary, StartState

CODE_VERSION = "2"
KIND = "evaluation"
Groups = dict[str, list[Episode]]


class EvaluationConfig(StageConfig):
    """How long and how often each player plays. All of them play the same episodes."""

    seed: int = 0
    """Seed of the episodes and of every draw."""
    players: tuple[PlayerName, ...] = ("stochastic", "greedy", "random", "fixed")
    """`stochastic`: the policy draws buttons; `greedy`: it presses the likeliest one; `random`: allowed buttons alike;
    `fixed`: always A; `scripted`: somebody who knows the game and reads its RAM (Pokémon Red: its intro only)."""
    earlier: tuple[str, ...] = ()
    """Versions of other policies of the same ROM, or the starts of versions: they play too, drawing buttons."""
    earlier_newest: int = Field(0, ge=0)
    """So many policies of the same ROM that were made before this one play too, the newest first."""
    episodes: int = Field(50, ge=1)
    """Episodes of each player, from power-on."""
    episode_steps: int = Field(2_000, ge=1)
    """Steps of half a second after which an episode ends."""
    library_starts: int = Field(0, ge=0)
    """Besides, reported apart: one episode of each player from so many states of the policy's start library."""
    measure_every: int = Field(8, ge=1)
    """Steps between two measurements of learned progress."""
    film: Film = "gif"
    """What the median and the best episode are filmed as; an MP4 shows every step."""
    workers: int = Field(8, ge=0)
    """Processes that the emulators are spread over; 0 plays them in this one."""


def evaluate(policy: Artifact, config: EvaluationConfig, game: GameConfig, context: StageContext) -> Artifact:
    """Play, count, draw, publish. Earlier policies that play too are inputs of the artifact.

    Raises:
        ValueError: the ROM is missing or bad, or `scripted` is to play a game without a script.
        ArtifactError: `policy` or an earlier one is no policy, was trained on another ROM, or something it was built from is
            gone; or it has no start library where episodes from one are asked for.
    """
    opened = open_game(game)
    require_same_game(policy.expect("policy"), opened)
    if "scripted" in config.players:
        require_script(opened)
    earlier = earlier_policies(policy, config.earlier, config.earlier_newest, context.store, opened)
    inputs = [Input("policy", policy), *(Input(name, artifact) for name, artifact in earlier.items())]
    version = version_of(config, CODE_VERSION, inputs, json.dumps(opened.identity))
    if (existing := context.store.reuse(KIND, version)) is not None:
        return existing
    states = _states(policy, config.library_starts, opened) if config.library_starts else []
    company = _Company(policy, earlier, config, opened, context)
    groups = company.play(game, "evaluation")
    from_library = company.play(game, "evaluation from the library", states) if states else {}
    milestones = opened.game.milestones
    with context.store.draft(KIND, version, config=config, code_version=CODE_VERSION, inputs=inputs) as draft:
        draft.metrics |= scores(groups, milestones, opened.game.intro_milestone, config.seed)
        draft.metrics |= habits(groups, config.seed)
        if knows_maps(opened):
            draft.metrics |= coverage(groups, config.seed)
        draft.metrics |= gains(from_library, bool(milestones), config.seed)
        draft.facts |= opened.identity | {
            "policy": policy.id,
            "earlier": {name: artifact.id for name, artifact in earlier.items()},
            "environment_steps_trained": policy.facts["environment_steps"],
            "episodes": config.episodes,
            "episode_steps": config.episode_steps,
            "episodes_lost": sum(config.episodes - len(g) for g in groups.values()),
            "library_starts": len(states),
            "measure": "true progress" if milestones else "learned progress",
        }
        _write_episodes(groups, milestones, draft.path / "episodes.parquet")
        if from_library:
            _write_episodes(from_library, milestones, draft.path / "library_episodes.parquet")
        pq.write_table(milestone_table(groups, milestones), draft.path / "milestones.parquet")
        _draw(draft.pictures(), groups, opened)
        _film(draft.pictures(), groups, company.policy, game, bool(milestones), config.film)
    return context.store.get(KIND, version)


class _Company:
    """Everybody who plays, one after the other in the same episodes, before one judge: the reward model of the policy."""

    def __init__(
        self,
        policy: Artifact,
        earlier: Mapping[str, Artifact],
        config: EvaluationConfig,
        opened: OpenedGame,
        context: StageContext,
    ) -> None:
        self._earlier, self._config, self._opened, self._store = earlier, config, opened, context.store
        self._device = pick_device(context.runtime)
        self.policy = load_policy(policy, context.store, self._device)

    def play(self, game: GameConfig, what: str, states: Sequence[StartState] = ()) -> Groups:
        """One episode for each state; from power-on, as many as configured, where there is none."""
        config, sight = self._config, self.policy.sight
        count = len(states) or config.episodes
        # Apart from those of the training, whose first episodes would else be among them.
        seeds = np.random.default_rng((config.seed, 1)).integers(2**32, size=count).tolist()
        names = [*config.players, *self._earlier]
        if states and self._opened.game.name not in MID_GAME:
            names = [name for name in names if name != "scripted"]
        groups: Groups = {}
        with VectorGame(game, count, config.workers) as emulators:
            for turn in track(len(names), what):
                name = names[turn]
                player = self._player(name, seeds, states)
                groups[name] = play(
                    emulators, player, name, seeds, config.episode_steps, sight, config.measure_every, states
                )
                if not groups[name]:
                    raise RuntimeError(
                        f"found every episode of the player {name!r} lost with its worker, expected none; try workers=0"
                    )
        return groups

    def _player(self, name: str, seeds: Sequence[int], states: Sequence[StartState]) -> Player:
        if name in self._earlier:
            # Loaded for its turn only: there may be many.
            return load_policy(self._earlier[name], self._store, self._device).agent(seeds)
        saved = [s.saved for s in states] or None
        return player_called(name, self.policy, seeds, self._opened, saved)


def _states(policy: Artifact, count: int, opened: OpenedGame) -> list[StartState]:
    """So many states of the policy's library, from the least learned progress to the most, evenly; all where it holds fewer."""
    library = StartLibrary(policy.path / STARTS_FOLDER)
    if not len(library):
        raise ArtifactError(
            f"found no start states with {policy.id}, expected some for evaluation.library_starts={count}; train it with "
            "policy.start='archive', or set library_starts to 0"
        )
    order = sorted(library, key=lambda s: (s.progress, s.id))
    chosen = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return [library.load(order[i].id, opened.sha1) for i in chosen.tolist()]


def _write_episodes(groups: Groups, milestones: Sequence[str], path: Path) -> None:
    write_table([e for group in groups.values() for e in group], milestones, path)


def _draw(folder: Path, groups: Groups, opened: OpenedGame) -> None:
    milestones = opened.game.milestones
    if milestones:
        milestones_picture(groups, milestones, folder / "milestones.png")
    progress_picture(groups, bool(milestones), folder / "progress.png")
    if knows_maps(opened):
        coverage_picture(groups, folder / "coverage.png")
    else:
        pictures_picture(groups, folder / "coverage.png")


def _film(folder: Path, groups: Groups, trained: Policy, game: GameConfig, truth: bool, film: Film) -> None:
    """The median and the best episode of the policy."""
    shown = groups.get("stochastic") or groups.get("greedy")
    if not shown:
        return
    reached = true_reached(shown) if truth else learned_reached(shown)
    order = reached.argsort(kind="stable")
    for name, place, title in (
        ("agent", len(order) // 2, "median episode"),
        ("agent_best", -1, "best episode"),
    ):
        episode = shown[order[place]]
        frames = list(replay(episode, game))
        score = trained.sight.along(np.stack(frames))
        write_films(frames, episode.actions, score, folder / name, title, film)
