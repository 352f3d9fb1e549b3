"""Retractions in Dagster: the job that takes a video back, and the external asset by which the graph hears of it.

`retractions` stands above `frame_dataset` and its data version is that of the book, so a retraction makes the dataset and all that
was built from it stale, by Dagster's own rule. It is reported by the job here and by each scrape, which hears of what the command
line did meanwhile. What a retraction is, is in `emurl_core.sources.retractions`.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg
from pydantic import Field

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.lineage import Aftermath, retract, take_back
from emurl_core.sources.retractions import RetractionBook
from emurl_pipeline.partitions import DATA_VERSION_TAG, VIDEOS

RETRACTIONS = dg.AssetKey("retractions")
CHECK = "no_retracted_video"
_MOST_ROWS = 300


class RetractConfig(dg.Config):
    """Which video to take back, and why."""

    video_id: str = Field(description="Id of the video, as its partition is called.")
    reason: str = Field(
        default="", description="Why; it is kept with each dataset that leaves the video out."
    )
    delete_files: bool = Field(
        default=False,
        description="Delete the video file, its frames, clips, pictures, caches and pages with them. Records and lineage stay.",
    )
    undo: bool = Field(default=False, description="The video may be used again.")


@dg.op(
    name="retract_video",
    required_resource_keys={"data"},
    description="The next dataset leaves the video out, nothing fetches or cuts it again; what was built from it is listed.",
)
def retract_video(context: dg.OpExecutionContext, config: RetractConfig) -> None:
    """Take a video back, or undo that; tell the graph."""
    store: ArtifactStore = context.resources.data.store()
    shown: dict[str, Any] = {"video": config.video_id}
    try:
        if config.undo:
            before = take_back(store, config.video_id)
            context.log.info("%s may be used again (was retracted: %s)", config.video_id, before.reason)
            context.instance.add_dynamic_partitions(str(VIDEOS.name), [config.video_id])
            shown["action"] = "taken back"
        else:
            found = retract(
                store,
                config.video_id,
                config.reason,
                delete_files=config.delete_files,
                tell=lambda f: context.log.info("deleting %s, %s bytes: %s", f.what, f.size_bytes, f.path),
            )
            if context.instance.has_dynamic_partition(str(VIDEOS.name), config.video_id):
                context.instance.delete_dynamic_partition(str(VIDEOS.name), config.video_id)
            shown |= {"action": "retracted", "reason": found.retraction.reason} | _aftermath(found)
    except ValueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    report_retractions(context.instance, context.log_event, store, shown)
    if (dataset := store.find("frame_dataset")) is not None:
        context.instance.report_runless_asset_event(evaluate(dataset, store))


@dg.job(name="retract", description="Take a video back: out of the next dataset, with a reason.")
def retract_job() -> None:
    """`retract_video` alone."""
    retract_video()


def retractions_spec(**common: Any) -> dg.AssetSpec:
    """The external asset."""
    return dg.AssetSpec(
        RETRACTIONS,
        kinds={"json"},
        description="Videos that were taken back, with reasons. Reported by the job `retract` and by each scrape.",
        **common,
    )


def report_retractions(
    instance: dg.DagsterInstance,
    log_event: Callable[[dg.AssetMaterialization], None],
    store: ArtifactStore,
    shown: dict[str, Any] | None = None,
) -> None:
    """Tell Dagster the state of the book, if it is another one than it knows."""
    book = RetractionBook(store.home)
    known = instance.get_latest_materialization_event(RETRACTIONS)
    tags = known.asset_materialization.tags if known and known.asset_materialization else None
    if (tags or {}).get(DATA_VERSION_TAG) == book.version():
        return
    rows = book.everything()[:_MOST_ROWS]
    table = dg.MetadataValue.table(
        records=[
            dg.TableRecord({"video": r.video_id, "reason": r.reason, "at": r.at_utc, "files": r.files})
            for r in rows
        ],
        schema=dg.TableSchema(
            [dg.TableColumn(name, "string") for name in ("video", "reason", "at", "files")]
        ),
    )
    log_event(
        dg.AssetMaterialization(
            RETRACTIONS,
            tags={DATA_VERSION_TAG: book.version()},
            metadata={"retracted_videos": len(rows), "retracted": table, **(shown or {})},
        )
    )


def evaluate(dataset: Artifact, store: ArtifactStore) -> dg.AssetCheckEvaluation:
    """The check of `frame_dataset`, asked again because the book changed."""
    from emurl_pipeline.assets.frames import no_retracted_video

    passed, seen = no_retracted_video(dataset)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("frame_dataset"),
        check_name=CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={k: dg.MetadataValue.json(v) if isinstance(v, dict) else v for k, v in seen.items()},
    )


def _aftermath(found: Aftermath) -> dict[str, Any]:
    """What is stale now, and what was deleted."""
    rows = [b.as_dict() for b in found.stale][-_MOST_ROWS:]
    columns = ("id", "split", "created_utc", "current")
    table = dg.MetadataValue.table(
        records=[dg.TableRecord({k: str(row[k]) for k in columns}) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in columns]),
    )
    same = {"same_content": dg.MetadataValue.json(found.twins)} if found.twins else {}
    deleted = {"deleted_files": len(found.files), "deleted_bytes": sum(f.size_bytes for f in found.files)}
    return {"stale_artifacts": len(found.stale), "stale": table} | same | (deleted if found.deleted else {})
