"""How every asset is made: `stage_asset` wraps one call of a core function in all that orchestration owes it.

That is: run config derived from the stage's configuration, inputs pinned to exact versions, an MLflow run, the artifact's
version as data version, metadata with pictures, checks, and errors of the user told apart from those of the weather.
What an asset builds, and from what, is in `emurl_pipeline.assets`.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.configuration import StageConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.outcomes import TRANSIENT
from emurl_core.sources.standing import NotAskedError
from emurl_core.stage import StageContext
from emurl_pipeline.checks import Check
from emurl_pipeline.metadata import describe
from emurl_pipeline.outcomes import outcome_metadata
from emurl_pipeline.partitions import VIDEOS
from emurl_pipeline.run_config import core_config, run_config_class
from emurl_pipeline.upstream import kind_of, pinned

C = TypeVar("C", bound=StageConfig)
OWNERS = ["team:emurl"]
CONFIG_TAG = "emurl/config"
_SHORT_REST_S = 5.0


@dataclass
class Work:
    """What the body of an asset is handed."""

    dagster: dg.AssetExecutionContext
    store: ArtifactStore
    context: StageContext
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """The video this materialization is about."""
        return self.dagster.partition_key

    def upstream(self, asset: str) -> Artifact:
        """The pinned artifact of an upstream asset, of the same partition where that asset has partitions."""
        partition = self.partition if asset in ("videos", "frames") else None
        return pinned(self.dagster.instance, self.store, asset, partition)

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
            description=body.__doc__,
            group_name=group,
            code_version=sys.modules[core.__module__].CODE_VERSION,
            deps=list(deps),
            kinds=kinds,
            owners=OWNERS,
            partitions_def=VIDEOS if partitioned else None,
            pool=pool,
            retry_policy=retry,
            check_specs=[check.spec(name) for check in checks],
            required_resource_keys={"data", "mlflow", "runtime", *shared},
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
        work = Work(context, store, StageContext(store, tracked, runtime))
        started, clock = datetime.now(UTC).isoformat(timespec="microseconds"), time.perf_counter()
        # Which outcome a video came to is read when it failed, not before.
        with user_errors(lambda: outcome_metadata(store, [partition]) if partition else {}):
            artifact = body(work, config)
        seconds = time.perf_counter() - clock
        tracked.log_artifact(artifact)
    links = {"mlflow_run_id": tracked.run_id, "mlflow": tracked.url and dg.MetadataValue.url(tracked.url)}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(artifact.version),
        tags={CONFIG_TAG: config_hash(config)},
        metadata={
            **describe(artifact, tracked.picture_address),
            **work.metadata,
            **{k: v for k, v in links.items() if v},
            "reused": artifact.record["created_utc"] < started,
            "core_seconds": seconds,
        },
        check_results=[check.answer(artifact, work) for check in checks],
    )


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
