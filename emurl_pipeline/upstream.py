"""Which version of an input a materialization uses: exactly one, pinned before any work starts.

Dagster's latest materialization says the version; the artifact store holds the content. Artifacts made by the command
line, of which Dagster knows nothing, are found through the store's current version.
"""

from collections.abc import Sequence

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_pipeline.partitions import DATA_VERSION_TAG, data_versions

KINDS = {"videos": "video"}
"""Kinds of artifacts that are not called like their asset."""


def kind_of(asset: str) -> str:
    """The kind of artifact an asset makes."""
    return KINDS.get(asset, asset)


def pinned(
    instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partition: str | None = None
) -> Artifact:
    """The artifact behind the latest materialization of an asset.

    Raises:
        ArtifactError: the asset was never built here, or its artifact was deleted.
    """
    key = dg.AssetKey(asset)
    if partition is None:
        event = instance.get_latest_materialization_event(key)
        tags = event.asset_materialization.tags if event and event.asset_materialization else None
        version = (tags or {}).get(DATA_VERSION_TAG)
    else:
        version = data_versions(instance, key, [partition]).get(partition)
    return _artifact(store, kind_of(asset), version, partition)


def pinned_partitions(
    instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partitions: Sequence[str]
) -> dict[str, Artifact]:
    """The artifacts of those partitions that have one."""
    versions = data_versions(instance, dg.AssetKey(asset), list(partitions))
    found = {}
    for partition in partitions:
        try:
            found[partition] = _artifact(store, kind_of(asset), versions.get(partition), partition)
        except ArtifactError:
            continue
    return found


def _artifact(store: ArtifactStore, kind: str, version: str | None, partition: str | None) -> Artifact:
    # A version that Dagster knows and the store does not is an error: another one would not be what the graph shows.
    return store.get(kind, version, partition)
