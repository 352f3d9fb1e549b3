"""One partition for each video, following the scraped table."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from emurl_core.artifacts import Artifact
from emurl_core.sources.links import read_links

VIDEOS = dg.DynamicPartitionsDefinition(name="videos")
VIDEO_METADATA = dg.AssetKey("video_metadata")
DATA_VERSION_TAG = "dagster/data_version"
_BATCH = 500


def follow_table(
    context: dg.AssetExecutionContext, runs: Artifact, retracted: Collection[str] = ()
) -> dict[str, Any]:
    """Make the partitions those of the table, and tell Dagster which rows are new or changed.

    Only changed rows are reported, so a new scrape makes only their videos stale. Retracted videos have no partition: nothing
    asks for them. Returns metadata to show.
    """
    listed = read_links(runs)
    links = {link.video_id: link for link in listed if link.video_id not in retracted}
    instance = context.instance
    before = set(instance.get_dynamic_partitions("videos"))
    instance.add_dynamic_partitions("videos", list(links))
    for gone in sorted(before - set(links)):
        instance.delete_dynamic_partition("videos", gone)
    known = data_versions(instance, VIDEO_METADATA, list(links))
    changed = [link for link in links.values() if known.get(link.video_id) != link.row_hash]
    for link in changed:
        context.log_event(
            dg.AssetMaterialization(
                VIDEO_METADATA,
                partition=link.video_id,
                tags={DATA_VERSION_TAG: link.row_hash},
                metadata={"title": link.title, "players": link.players, "url": link.url, "run": link.run_id},
            )
        )
    return {
        "videos": len(links),
        "new_videos": len(set(links) - before),
        "changed_rows": len(changed),
        "removed_videos": len(before - set(links)),
        "retracted_videos": len(listed) - len(links),
    }


def data_versions(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Sequence[str]
) -> dict[str, str]:
    """The data version of each partition's latest materialization."""
    found = latest_tags(instance, asset, partitions)
    return {partition: tags[DATA_VERSION_TAG] for partition, tags in found.items()}


def latest_tags(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Tags of each partition's latest materialization; partitions without any are left out."""
    kind = DagsterEventType.ASSET_MATERIALIZATION
    latest = instance.get_latest_storage_id_by_partition(asset, kind, set(partitions))
    ids = sorted(latest.values())
    tags: dict[str, Mapping[str, str]] = {}
    for start in range(0, len(ids), _BATCH):
        batch = dg.AssetRecordsFilter(asset_key=asset, storage_ids=ids[start : start + _BATCH])
        for record in instance.fetch_materializations(batch, limit=_BATCH).records:
            event = record.asset_materialization
            if event is not None and event.partition is not None:
                tags[event.partition] = event.tags or {}
    return tags
