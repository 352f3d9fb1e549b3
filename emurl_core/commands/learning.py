"""From frames to an agent: dataset, tokenizer, dynamics, reward, ood, policy, evaluate."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from emurl_core.artifacts import ArtifactStore
from emurl_core.commands.command import FLAT, Command, say
from emurl_core.dynamics import DynamicsConfig, train_dynamics
from emurl_core.evaluation import (
    EvaluationConfig,
    RewardComparisonConfig,
    RewardTruthConfig,
    compare_rewards,
    evaluate,
    measure_reward_truth,
    write_policy_page,
)
from emurl_core.frames import (
    DatasetConfig,
    build_dataset,
)
from emurl_core.game import GameConfig
from emurl_core.ood import OODConfig, build_ood_detector
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
        context = StageContext(store, runtime=self.runtime)
        tokenizer = store.get("tokenizer") if self.config.reads_tokens else None
        return say(train_reward(store.get("frame_dataset"), self.config, context, tokenizer))


@dataclass(frozen=True)
class CompareRewards(Command):
    """Hold the four reward models side by side, on held-out runs and against the truth. Trains those that are missing."""

    config: Annotated[RewardComparisonConfig, FLAT]
    reward: RewardConfig
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        inputs = store.get("frame_dataset"), store.get("tokenizer")
        found = compare_rewards(*inputs, self.config, self.reward, self.game, context)
        print(f"{found.id}  {found.path}\n\n{found.facts['table_markdown']}")
        return 0


@dataclass(frozen=True)
class RewardTruth(Command):
    """Hold the current reward model against the truth on scripted, lost and random play. For evaluation only."""

    config: Annotated[RewardTruthConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        reward = store.get("reward_model")
        # A model that reads tokens needs the tokenizer it was trained with, which need not be the current one.
        tokenizer = store.inputs_of(reward).get("tokenizer")
        return say(measure_reward_truth(reward, self.config, self.game, context, tokenizer))


@dataclass(frozen=True)
class Ood(Command):
    """Learn what speedruns show: build the detector of frames unlike all of them."""

    config: Annotated[OODConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        inputs = store.get("frame_dataset"), store.get("tokenizer"), store.get("dynamics")
        return say(build_ood_detector(*inputs, self.config, context, self.game))


@dataclass(frozen=True)
class Policy(Command):
    """Learn to play: train the policy by PPO on the learned reward."""

    config: Annotated[PolicyConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        inputs = store.get("tokenizer"), store.get("dynamics"), store.get("reward_model")
        ood = store.find("ood_detector") if self.config.ood else None
        start = store.get("warm_start") if self.config.warm_start else None
        return say(train_policy(*inputs, self.config, self.game, context, ood=ood, warm_start=start))


@dataclass(frozen=True)
class Evaluate(Command):
    """Play from power-on: the current policy beside its baselines, and earlier policies if they are named."""

    config: Annotated[EvaluationConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return say(evaluate(store.get("policy"), self.config, self.game, context))


@dataclass(frozen=True)
class ComparePolicies(Command):
    """Write one page across all evaluated policies: settings that differ, milestones, progress, entropy, films."""

    out: Path | None = None
    """The HTML file; `policies/index.html` in the data folder if left out."""

    def run(self, store: ArtifactStore) -> int:
        print(write_policy_page(store, self.out))
        return 0
