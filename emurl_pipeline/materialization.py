"""How every asset is made: `stage_asset` wraps one call of a core function in all that orchestration owes it.

That is: run config derived from the stage's configuration, inputs pinned to exact versions, an MLflow run, the artifact's
version as data version, metadata with pictures, checks, and errors of the user told apart from those of the weather.
What an asset builds, and from what, is in `emurl_pipeline.assets`.
"""

import hashlib
import inspect
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactStore, RunBook
from emurl_core.configuration import StageConfig
from emurl_core.jobs.configuration import ExecutionConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.outcomes import TRANSIENT
from emurl_core.sources.standing import NotAskedError
from emurl_core.stage import StageContext
from emurl_pipeline.checks import Check
from emurl_pipeline.launching import has_job, run_stage
from emurl_pipeline.lineage_metadata import lineage_metadata
from emurl_pipeline.metadata import describe
from emurl_pipeline.outcomes import outcome_metadata
from emurl_pipeline.partitions import VIDEOS
from emurl_pipeline.run_config import core_config, run_config_class
from emurl_pipeline.tracking import TrackedRun
from emurl_pipeline.turns import turn
from emurl_pipeline.upstream import kind_of, pinned

C = TypeVar("C", bound=StageConfig)
OWNERS = ["team:emurl"]
CONFIG_TAG = "emurl/config"
MLFLOW_TAG = "emurl/mlflow_run_id"
_SHORT_REST_S = 5.0


@dataclass
class Work:
    """What the body of an asset is handed."""

    dagster: dg.AssetExecutionContext
    store: ArtifactStore
    context: StageContext
    metadata: dict[str, Any] = field(default_factory=dict)
    tracked: TrackedRun = field(default_factory=TrackedRun)
    """The MLflow run of this materialization."""
    answers: dict[str, tuple[bool, Mapping[str, Any]]] = field(default_factory=dict)
    """Answers to checks that the artifact alone can't give, by their names."""

    @property
    def partition(self) -> str:
        """The video this materialization is about."""
        return self.dagster.partition_key

    def upstream(self, asset: str) -> Artifact:
        """The pinned artifact of an upstream asset, of the same partition where that asset has partitions."""
        partition = self.partition if asset in ("videos", "frames") else None
        return pinned(self.dagster.instance, self.store, asset, partition)

    def run(self, core: Callable[..., Artifact], **arguments: Any) -> Artifact:
        """Call the library's function, wherever `execution.launcher` says: see `launching`."""
        execution = self.settings("execution", ExecutionConfig)
        return run_stage(self.dagster, execution, core, arguments, self.context)

    def settings(self, resource: str, kind: type[C]) -> C:
        """The configuration that a shared resource carries."""
        return core_config(getattr(self.dagster.resources, resource), kind)


def stage_asset(
    settings: StageConfig,
    *,
    core: Callable[..., Artifact],
    group: str,
    deps: Sequence[str],
    kinds: set[str],
    partitioned: bool = False,
    pool: str | None = None,
    retry: dg.RetryPolicy | None = None,
    checks: Sequence[Check] = (),
    shared: Sequence[str] = (),
) -> Callable[[Callable[[Work, Any], Artifact]], dg.AssetsDefinition]:
    """Turn `body(work, config) -> Artifact` into the asset of the same name. Its docstring is the description.

    Args:
        settings: the stage's configuration in the chosen profile.
        core: the library's function that does the work; the `CODE_VERSION` beside it is the asset's code version.
        shared: names of further resources that the body reads with `work.settings`.
    """

    def wrap(body: Callable[[Work, Any], Artifact]) -> dg.AssetsDefinition:
        name = body.__name__

        def materialize(context: dg.AssetExecutionContext, config: dg.Config) -> dg.MaterializeResult:
            return _materialize(context, body, core_config(config, type(settings)), checks)

        materialize.__annotations__["config"] = run_config_class(settings)
        return dg.asset(
            name=name,
            description=inspect.getdoc(body),
            group_name=group,
            code_version=code_version_of(core),
            deps=list(deps),
            kinds=kinds,
            owners=OWNERS,
            partitions_def=VIDEOS if partitioned else None,
            pool=pool,
            retry_policy=retry,
            check_specs=[check.spec(name) for check in checks],
            required_resource_keys={
                "data",
                "mlflow",
                "runtime",
                *shared,
                *(["execution"] if has_job(name) else []),
            },
        )(materialize)

    return wrap


def _materialize(
    context: dg.AssetExecutionContext,
    body: Callable[[Work, Any], Artifact],
    config: StageConfig,
    checks: Sequence[Check],
) -> dg.MaterializeResult:
    store = context.resources.data.store()
    partition = context.partition_key if context.has_partition_key else None
    name = context.asset_key.to_user_string()
    runtime = core_config(context.resources.runtime, RuntimeConfig)
    tags = {
        "dagster.run_id": context.run.run_id,
        "dagster.asset_key": name,
        "dagster.partition": partition or "",
    }
    title = f"{name}/{partition}" if partition else name
    with context.resources.mlflow.run(kind_of(name), store.home, config, tags, title) as tracked:
        work = Work(context, store, StageContext(store, tracked, runtime), tracked=tracked)
        # Which outcome a video came to is read when it failed, not before.
        with (
            user_errors(lambda: outcome_metadata(store, [partition]) if partition else {}),
            store.explain_full_disk(title),
            turn(store.home, f"{title}/{config_hash(config)}", context.log.info),
        ):
            # Not before: what another run made while this one waited was not made here.
            started, clock = datetime.now(UTC).isoformat(timespec="microseconds"), time.perf_counter()
            artifact = body(work, config)
        seconds = time.perf_counter() - clock
        tracked.log_artifact(artifact)
    reused = artifact.record["created_utc"] < started
    RunBook(store.home).note(
        artifact, mlflow_run_id=tracked.run_id, dagster_run_id=context.run.run_id, reused=reused
    )
    links = {"mlflow_run_id": tracked.run_id, "mlflow": tracked.url and dg.MetadataValue.url(tracked.url)}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(artifact.version),
        tags={CONFIG_TAG: config_hash(config)} | ({MLFLOW_TAG: tracked.run_id} if tracked.run_id else {}),
        metadata={
            **describe(artifact, tracked.picture_address),
            **lineage_metadata(artifact, store),
            **work.metadata,
            **{k: v for k, v in links.items() if v},
            "reused": reused,
            "core_seconds": seconds,
        },
        check_results=[check.answer(artifact, work) for check in checks],
    )


def code_version_of(core: Callable[..., Artifact]) -> str:
    """The `CODE_VERSION` beside a function of the library."""
    return sys.modules[core.__module__].CODE_VERSION


def config_hash(config: StageConfig) -> str:
    """16 hex digits that change when a setting does."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


@contextmanager
def user_errors(tell: Callable[[], dict[str, Any]] = dict) -> Iterator[None]:
    """Errors that say what to do fail at once and are not retried; the network may be tried again.

    Args:
        tell: metadata of a failure.
    """
    try:
        yield
    except ValueError as error:
        weather = getattr(error, "outcome", None) in TRANSIENT and not isinstance(error, NotAskedError)
        # A server that asked for a long rest gets it.
        weather &= (getattr(error, "retry_after_s", None) or 0.0) < _SHORT_REST_S
        raise dg.Failure(str(error), metadata=tell(), allow_retries=weather) from error
