"""Group `actions`: what runners pressed, read off their videos, and a policy that begins by pressing the same."""

from typing import Any

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
from emurl_core.artifacts import Artifact
from emurl_core.evaluation import LabelTruthConfig, measure_label_truth
from emurl_core.game import GameConfig
from emurl_core.profiles import Profile
from emurl_pipeline.checks import Check, passes_gate
from emurl_pipeline.materialization import Work, stage_asset


def assets(profile: Profile) -> list[Any]:
    """`clips`, `inverse_dynamics`, `action_labels`, `warm_start`; and `label_truth` where the speedruns are synthetic ones."""

    @stage_asset(
        profile.clips,
        core=cut_clips,
        group="actions",
        deps=["frame_dataset"],
        kinds={"numpy"},
        pool="extract",
    )
    def clips(work: Work, config: ClipsConfig) -> Artifact:
        """The videos of the dataset once more, at a rate that shows single presses of buttons."""
        return work.run(
            cut_clips, dataset=work.upstream("frame_dataset"), config=config, download=profile.download
        )

    @stage_asset(
        profile.inverse_dynamics,
        core=train_inverse_dynamics,
        group="actions",
        deps=["clips"],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game"],
        checks=[
            Check(
                "inverse_dynamics_gate",
                "Buttons of held-out play are named far better than by guessing.",
                passes_gate,
                blocking=not profile.action_labels.accept_failed_gates,
            )
        ],
    )
    def inverse_dynamics(work: Work, config: InverseDynamicsConfig) -> Artifact:
        """Which button was held between two frames, learned from random play in the emulator."""
        game = work.settings("game", GameConfig)
        return work.run(train_inverse_dynamics, clips=work.upstream("clips"), config=config, game=game)

    @stage_asset(
        profile.action_labels,
        core=label_actions,
        group="actions",
        deps=["clips", "inverse_dynamics"],
        kinds={"parquet"},
        pool="gpu",
    )
    def action_labels(work: Work, config: LabelsConfig) -> Artifact:
        """Which button was pressed when in each clip, and how sure that is."""
        clips, inverse_dynamics = work.upstream("clips"), work.upstream("inverse_dynamics")
        return work.run(label_actions, clips=clips, inverse_dynamics=inverse_dynamics, config=config)

    @stage_asset(
        profile.warm_start,
        core=clone_policy,
        group="actions",
        deps=["action_labels", "clips", "tokenizer", "dynamics"],
        kinds={"pytorch"},
        pool="gpu",
        shared=["game"],
    )
    def warm_start(work: Work, config: CloningConfig) -> Artifact:
        """A policy that presses what runners pressed, for PPO to begin as."""
        upstream = {name: work.upstream(name) for name in ("clips", "tokenizer", "dynamics")}
        labels, game = work.upstream("action_labels"), work.settings("game", GameConfig)
        return work.run(clone_policy, labels=labels, **upstream, config=config, game=game)

    @stage_asset(
        profile.label_truth,
        core=measure_label_truth,
        group="actions",
        deps=["action_labels", "clips"],
        kinds={"parquet"},
    )
    def label_truth(work: Work, config: LabelTruthConfig) -> Artifact:
        """How often the labels of synthetic speedruns are right. Nothing is built on it."""
        labels, clips = work.upstream("action_labels"), work.upstream("clips")
        return work.run(measure_label_truth, labels=labels, clips=clips, config=config)

    made = [clips, inverse_dynamics, action_labels, warm_start]
    return [*made, label_truth] if profile.scrape.source == "synthetic" else made
