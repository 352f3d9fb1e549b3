"""Which videos still need work, for headless runs. In the UI, Dagster's own staleness says the same."""

import sys
from collections.abc import Callable, Mapping

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.configuration import StageConfig
from emurl_core.frames import extract
from emurl_core.profiles import Profile
from emurl_core.sources.download import download
from emurl_core.sources.links import read_links
from emurl_pipeline.materialization import CONFIG_TAG, config_hash
from emurl_pipeline.partitions import DATA_VERSION_TAG, latest_tags
from emurl_pipeline.upstream import kind_of


def outdated_videos(
    instance: dg.DagsterInstance, store: ArtifactStore, profile: Profile, runs: Artifact
) -> list[str]:
    """Videos of the table whose file or frames are missing, or made from another row, configuration or code."""
    rows = {link.video_id: link.row_hash for link in read_links(runs)}
    videos = _current(instance, store, "videos", sorted(rows), profile.download, download)
    videos = {v: a for v, a in videos.items() if a.facts["row_hash"] == rows[v]}
    frames = _current(instance, store, "frames", sorted(videos), profile.frames, extract)
    fresh = {v for v, a in frames.items() if videos[v].id in {i["id"] for i in a.record["inputs"]}}
    return [video for video in rows if video not in fresh]


def _current(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    asset: str,
    partitions: list[str],
    config: StageConfig,
    core: Callable[..., Artifact],
) -> Mapping[str, Artifact]:
    """Artifacts of the latest materializations that were made with this configuration and code."""
    wanted = {
        "dagster/code_version": sys.modules[core.__module__].CODE_VERSION,
        CONFIG_TAG: config_hash(config),
    }
    found = {}
    for partition, tags in latest_tags(instance, dg.AssetKey(asset), partitions).items():
        artifact = store.find(kind_of(asset), tags[DATA_VERSION_TAG], partition)
        if artifact is not None and all(tags.get(k) == v for k, v in wanted.items()):
            found[partition] = artifact
    return found
