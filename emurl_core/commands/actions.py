"""From videos without buttons to a policy that presses them: clips, inverse-dynamics, label-actions, label-truth, clone."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from emurl_core.actions import (
    ClipsConfig,
    CloningConfig,
    InverseDynamicsConfig,
    LabelsConfig,
    clone_policy,
    cut_clips,
    label_actions,
    train_inverse_dynamics,
)
from emurl_core.artifacts import ArtifactStore
from emurl_core.commands.command import FLAT, Command, say
from emurl_core.evaluation import LabelTruthConfig, measure_label_truth
from emurl_core.game import GameConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.stage import StageContext


@dataclass(frozen=True)
class Clips(Command):
    """Cut the videos of the current dataset once more, at a rate that shows single presses of buttons."""

    config: Annotated[ClipsConfig, FLAT]
    download: Annotated[DownloadConfig, tyro.conf.Suppress]

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store)
        return say(cut_clips(store.get("frame_dataset"), self.config, context, self.download))


@dataclass(frozen=True)
class InverseDynamics(Command):
    """Learn which button was pressed between two frames, from random play in the emulator."""

    config: Annotated[InverseDynamicsConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return say(train_inverse_dynamics(store.get("clips"), self.config, self.game, context))


@dataclass(frozen=True)
class LabelActions(Command):
    """Name the buttons pressed in the current clips."""

    config: Annotated[LabelsConfig, FLAT]
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        return say(label_actions(store.get("clips"), store.get("inverse_dynamics"), self.config, context))


@dataclass(frozen=True)
class LabelTruth(Command):
    """Hold the labels of synthetic speedruns against the buttons that were really held. For evaluation only."""

    config: Annotated[LabelTruthConfig, FLAT]

    def run(self, store: ArtifactStore) -> int:
        inputs = store.get("action_labels"), store.get("clips")
        return say(measure_label_truth(*inputs, self.config, StageContext(store)))


@dataclass(frozen=True)
class Clone(Command):
    """Clone a policy from the labelled clips, for the policy training to begin as."""

    config: Annotated[CloningConfig, FLAT]
    game: GameConfig
    runtime: RuntimeConfig

    def run(self, store: ArtifactStore) -> int:
        context = StageContext(store, runtime=self.runtime)
        inputs = store.get("action_labels"), store.get("clips"), store.get("tokenizer"), store.get("dynamics")
        return say(clone_policy(*inputs, self.config, self.game, context))
