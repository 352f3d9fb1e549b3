"""When an asset is built by itself: the automation conditions of the graph, and what `stage_asset` need not know of them.

New or changed row -> that video -> its frames -> one dataset when no video is under way any more -> if that is novel enough,
every model, the policy and the evaluation in one run, so that the gates between them hold as they do in `emurl run`.
Who evaluates the conditions, and the schedule before them, is in `emurl_pipeline.rescraping`.
"""

import functools
import operator
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from emurl_core.automation import AutomationConfig
from emurl_pipeline.partitions import DATA_VERSION_TAG

AC = dg.AutomationCondition
DATASET = "frame_dataset"
NOVELTY = "novelty"
"""Name of the dataset's check that says whether a training is worth it."""
_TRAINED_ON = f"dagster/input_data_version/{DATASET}"


class AskedFor(dg.AutomationCondition):
    """Is asked for on this very tick. Unlike `will_be_requested` also where it can't be in one run with what depends on it."""

    @property
    def name(self) -> str:
        return "asked_for"

    def evaluate(self, context: dg.AutomationContext) -> dg.AutomationResult:
        """Those partitions that are."""
        asked = context.request_subsets_by_key.get(context.key)
        found = context.candidate_subset.compute_intersection(asked) if asked else context.get_empty_subset()
        return dg.AutomationResult(context, true_subset=found)


_BUSY = AC.in_progress() | AskedFor()
_CHANGED = AC.any_deps_match(AC.data_version_changed())
_DEPS_READY = ~AC.any_deps_missing() & ~AC.any_deps_in_progress()

FILL = (
    ((AC.missing() & ~AC.execution_failed()) | _CHANGED.since_last_handled())
    & _DEPS_READY
    & ~AC.in_progress()
).with_label("missing or of a changed input")
"""Videos and frames, each by itself. One that failed is left to the sensor `retry_videos`, which knows when it is due."""

_UNDER_WAY = AC.any_deps_match(_BUSY | AC.any_deps_match(_BUSY | AC.any_deps_match(_BUSY)))
"""A scrape, a video or its frames: the table, two steps before the frames, is the farthest."""
_FIRST = (
    AC.missing()
    & ~AC.execution_failed()
    & AC.any_deps_match(~AC.missing()).allow(dg.AssetSelection.assets("frames"))
)

# Not `since_last_handled`: a video that comes in while the dataset is built must not be forgotten when that is done.
ONE_DATASET = ((_FIRST | _CHANGED.since(AC.newly_requested())) & ~_UNDER_WAY & ~AC.in_progress()).with_label(
    "new frames, and no video under way"
)
"""The dataset waits for all videos that are under way, and for none that failed."""


class DatasetIsWorthATraining(dg.AutomationCondition):
    """The latest dataset passed its check of novelty, no blocking check stopped it, and the run that made it is over."""

    @property
    def name(self) -> str:
        return "dataset_is_worth_a_training"

    def evaluate(self, context: dg.AutomationContext) -> dg.AutomationResult:
        """All or nothing: only assets without partitions are asked about."""
        view = context.asset_graph_view
        holds = worth_a_training(view.instance, view.asset_graph)
        found = context.candidate_subset if holds else context.get_empty_subset()
        return dg.AutomationResult(context, true_subset=found)


def worth_a_training(instance: dg.DagsterInstance, graph: Any) -> bool:
    """Whether the latest dataset is novel enough, sound, and not what the latest tokenizer was trained on. False without one."""
    made = instance.get_latest_materialization_event(dg.AssetKey(DATASET))
    if made is None or _version(instance, DATASET) == _version(instance, "tokenizer", _TRAINED_ON):
        return False
    run = instance.get_run_by_id(made.run_id)
    if run is not None and not run.is_finished:
        return False
    keys = list(graph.get_check_keys_for_assets({dg.AssetKey(DATASET)}))
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = {}
    for key, record in records.items():
        event = record.event.dagster_event if record.event else None
        if event is not None and event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            found[key.name] = event.asset_check_evaluation_data
    stopped = any(
        e.blocking and not e.passed and e.severity == dg.AssetCheckSeverity.ERROR for e in found.values()
    )
    return not stopped and NOVELTY in found and found[NOVELTY].passed


def _version(instance: dg.DagsterInstance, asset: str, tag: str = DATA_VERSION_TAG) -> str | None:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    made = event.asset_materialization if event else None
    return (made.tags or {}).get(tag) if made else None


def retrain(chain: Sequence[str]) -> Any:
    """Everything from the tokenizer to the evaluation, all in one run, and one run at a time.

    A change that is too small is kept in mind: it adds up. A training that failed is not begun again before the next change.
    """
    training = functools.reduce(operator.or_, (AC.asset_matches(name, AC.in_progress()) for name in chain))
    wanted = (
        AC.asset_matches(DATASET, AC.data_version_changed()).since(AC.newly_requested())
        & ~AC.asset_matches(DATASET, _BUSY | _UNDER_WAY)
        & ~training
        & DatasetIsWorthATraining()
    )
    return wanted.with_label("another dataset, novel enough")


def automate(assets: Iterable[Any], chain: Sequence[str], config: AutomationConfig) -> list[Any]:
    """The assets with their conditions, and the table with its freshness.

    Args:
        chain: names of the models, the policy and the evaluation.
    """
    chosen: dict[str, dg.AutomationCondition[Any]] = {"videos": FILL, "frames": FILL, DATASET: ONE_DATASET}
    chosen |= dict.fromkeys(chain, retrain(chain))

    def with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        if name in chosen:
            return spec.replace_attributes(automation_condition=chosen[name])
        if name == "speedrun_runs" and config.stale_after_hours:
            late = timedelta(hours=config.stale_after_hours)
            return spec.replace_attributes(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=late))
        return spec

    return list(dg.map_asset_specs(with_condition, list(assets)))
