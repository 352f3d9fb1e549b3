"""Crops given by hand, as Dagster sees them: one external asset with a partition a video, whose version is that video's entry.

So a corrected entry makes the frames of its own video stale, and no other's. The file is read in
`emurl_core.frames.manual_crops`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from emurl_core.frames.manual_crops import fingerprint, names_of, read_manual_crops
from emurl_core.sources.links import VideoLink
from emurl_pipeline.partitions import DATA_VERSION_TAG, data_versions

VIDEO_CROP = dg.AssetKey("video_crop")
NO_ENTRY = "none"


def crop_versions(crop_config: Path, links: Sequence[VideoLink]) -> Mapping[str, str]:
    """Video id -> the version of its entry, `none` without one. Raises ValueError when the file is wrong."""
    crops = read_manual_crops(crop_config)
    return {
        link.video_id: fingerprint(crops.of(*names_of(link.video_id, link.url))) or NO_ENTRY for link in links
    }


def changed_crops(
    instance: dg.DagsterInstance, crop_config: Path, links: Sequence[VideoLink]
) -> list[dg.AssetMaterialization]:
    """What to tell Dagster: entries that are new, changed or gone. Raises ValueError when the file is wrong."""
    now = crop_versions(crop_config, links)
    known = data_versions(instance, VIDEO_CROP, list(now))
    return [
        dg.AssetMaterialization(
            VIDEO_CROP,
            partition=video,
            tags={DATA_VERSION_TAG: version},
            metadata={"crop_config": dg.MetadataValue.path(str(crop_config)), "entry": version != NO_ENTRY},
        )
        for video, version in now.items()
        if known.get(video) != version
    ]
