"""The front door: the whole graph as Dagster definitions.

`defs` is what `dagster dev` loads, with the profile of `$EMURL_PROFILE` and the data folder of `$EMURL_HOME`. `build`
makes the same graph with other choices. What is in the graph is in `emurl_pipeline.assets`.
"""

from pathlib import Path

import dagster as dg

from emurl_core.profiles import Profile, load_profile
from emurl_pipeline import failures, rescraping
from emurl_pipeline.assets import (
    actions,
    dynamics,
    evaluation,
    frames,
    ood,
    policy,
    reward,
    sources,
    tokenizer,
    validation,
)
from emurl_pipeline.conditions import automate
from emurl_pipeline.everything import everything_job, everything_sensor
from emurl_pipeline.extraction import extraction_job
from emurl_pipeline.resources import DataHome, settings_resource
from emurl_pipeline.retraction import retract_job
from emurl_pipeline.tracking import MlflowTracking

STAGES = (sources, frames, tokenizer, dynamics, reward, ood, actions, policy, evaluation)
PER_VIDEO = ("videos", "frames")
FROM_DATASET = (
    "frame_dataset",
    "tokenizer",
    "dynamics",
    "reward_model",
    "ood_detector",
    "policy",
    "evaluation",
)
ASSETS = ("speedrun_runs", *PER_VIDEO, *FROM_DATASET)
"""Everything that `emurl run` materializes, in an order that works."""
ACTIONS = ("clips", "inverse_dynamics", "action_labels", "label_truth", "warm_start")
"""And these too where the profile's policy begins as a cloned one. Only synthetic speedruns have a `label_truth`."""
STEPS = (*ASSETS, *ACTIONS, *validation.BEFORE)
"""And the checks that run by themselves, between two of them."""
ON_REQUEST = ("reward_comparison", "reward_truth")
"""Judgements that nothing is built on, and that the UI's "Materialize all" includes. Games without milestones have no `reward_truth`."""


def from_dataset(profile: Profile) -> tuple[str, ...]:
    """What a headless run and the job `train` materialize after the videos."""
    if not profile.policy.warm_start:
        return FROM_DATASET
    left_out = () if profile.scrape.source == "synthetic" else ("label_truth",)
    return (*FROM_DATASET, *(name for name in ACTIONS if name not in left_out))


def build(
    profile: Profile | str | Path | None = None,
    home: Path | str | None = None,
    mlflow: MlflowTracking | None = None,
) -> dg.Definitions:
    """The graph.

    Args:
        profile: defaults of every setting: a profile, its name or file; default `$EMURL_PROFILE`, else `demo`.
        home: data folder; default `$EMURL_HOME`, else `data/`, looked up when a run starts.
        mlflow: where to track; default the sqlite store in the data folder.
    """
    chosen = profile if isinstance(profile, Profile) else load_profile(profile)
    chain = [name for name in from_dataset(chosen) if name != "frame_dataset"]
    collect = dg.define_asset_job(
        "collect",
        list(PER_VIDEO),
        description="Fetch and cut one video.",
        # There may be thousands of these runs: one process for each, not three.
        executor_def=dg.in_process_executor,
    )
    train = dg.define_asset_job(
        "train",
        list(from_dataset(chosen)),
        description="Dataset, all models, and the evaluation.",
        # As `emurl run` does it: a process for each step would import for longer than the demo's stages work.
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        assets=automate(
            [asset for stage in STAGES for asset in stage.assets(chosen)], chain, chosen.automation
        ),
        asset_checks=validation.checks(chosen),
        resources={
            "data": DataHome(home=str(home) if home else ""),
            "mlflow": mlflow or MlflowTracking(),
            "runtime": settings_resource(chosen.runtime),
            "execution": settings_resource(chosen.execution),
            "game": settings_resource(chosen.game),
            "reward": settings_resource(chosen.reward),
        },
        jobs=[
            everything_job(),
            dg.define_asset_job(
                rescraping.SCRAPE, ["speedrun_runs"], description="List the speedruns again."
            ),
            collect,
            extraction_job(chosen),
            train,
            retract_job,
        ],
        schedules=[rescraping.schedule(chosen.automation)],
        sensors=[
            everything_sensor(chosen, [collect, train]),
            *rescraping.sensors(chosen, chain),
            failures.sensor(chosen.automation),
        ],
    )


defs = build()
