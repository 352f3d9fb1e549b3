"""From frames to an agent: dataset, tokenizer, dynamics, reward, policy, evaluate."""

from dataclasses import dataclass
from typing import Annotated

from emurl_core.artifacts import ArtifactStore
from emurl_core.commands.command import FLAT, Command, say
from emurl_core.dynamics import DynamicsConfig, train_dynamics
from emurl_core.evaluation import EvaluationConfig, evaluate
from emurl_core.frames import (
    DatasetConfig,
    build_dataset,
)
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig, train_policy
from emurl_core.reward import RewardConfig, train_reward
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.scrape import video_ids
from emurl_core.stage import StageContext
from emurl_core.tokenizer import TokenizerConfig, train_tokenizer


@dataclass(frozen=True)
class Dataset(Command):
    """Pin the frames of all extracted videos of the last scrape, with their split."""

    config: Annotated[DatasetConfig, FLAT]

    def run(self, store: ArtifactStore) -> int:
        runs = store.get("speedrun_runs")
        found = [store.find("frames", partition=video) for video in video_ids(runs)]
        return say(build_dataset([f for f in found if f is not None], runs, self.config, StageContext(store)))


@dataclass(frozen=True)
class Tokenizer(Command):
    """Learn to see: train the VQ tokenizer on the current dataset."""

    config: Annotated[TokenizerConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return say(train_tokenizer(store.get("frame_dataset"), self.config, context, self.game))


@dataclass(frozen=True)
class Dynamics(Command):
    """Learn what comes next: train the dynamics transformer on the current dataset's tokens."""

    config: Annotated[DynamicsConfig, FLAT]
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return say(train_dynamics(store.get("frame_dataset"), store.get("tokenizer"), self.config, context))


@dataclass(frozen=True)
class Reward(Command):
    """Learn what progress is: train the reward model on the current dataset."""

    config: Annotated[RewardConfig, FLAT]
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        return say(
            train_reward(store.get("frame_dataset"), self.config, StageContext(store, runtime=self.runtime))
        )


@dataclass(frozen=True)
class Policy(Command):
    """Learn to play: train the policy by PPO on the learned reward."""

    config: Annotated[PolicyConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        inputs = store.get("tokenizer"), store.get("dynamics"), store.get("reward_model")
        return say(train_policy(*inputs, self.config, self.game, context))


@dataclass(frozen=True)
class Evaluate(Command):
    """Play from power-on: the current policy beside its baselines."""

    config: Annotated[EvaluationConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return say(evaluate(store.get("policy"), self.config, self.game, context))
