"""Group `sources`: the table of speedruns, and one verified video for each of its rows."""

from pathlib import Path
from typing import Any

import dagster as dg

from emurl_core.artifacts import Artifact
from emurl_core.profiles import Profile
from emurl_core.sources.download import download
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import read_links
from emurl_core.sources.retractions import RetractionBook
from emurl_core.sources.scrape import ScrapeConfig, scrape, video_ids
from emurl_pipeline.crops import VIDEO_CROP, changed_crops
from emurl_pipeline.materialization import OWNERS, Work, stage_asset
from emurl_pipeline.outcomes import outcome_metadata
from emurl_pipeline.partitions import VIDEOS, follow_table
from emurl_pipeline.retraction import report_retractions, retractions_spec


def assets(profile: Profile) -> list[Any]:
    """`speedrun_runs`, `video_metadata[v]`, `video_crop[v]`, `retractions` and `videos[v]`."""

    @stage_asset(
        profile.scrape,
        core=scrape,
        group="sources",
        deps=[],
        kinds={"parquet"},
    )
    def speedrun_runs(work: Work, config: ScrapeConfig) -> Artifact:
        """The speedruns there are: one row for each video, from the chosen source. Its videos become the partitions.

        On a fresh home launch the [job `everything`](/locations/emurl_pipeline.definitions/jobs/everything): it begins here, and
        builds the whole graph."""
        runs = scrape(config, work.context)
        retracted = RetractionBook(work.store.home).reasons()
        work.metadata |= follow_table(work.dagster, runs, retracted)
        report_retractions(work.dagster.instance, work.dagster.log_event, work.store)
        work.metadata |= _follow_crops(work, runs, Path(profile.frames.crop_config))
        work.metadata |= outcome_metadata(work.store, video_ids(runs))
        return runs

    # An external asset between the table and the videos: `speedrun_runs` reports only the rows that changed, so a new
    # scrape does not make every old video stale.
    video_metadata = dg.AssetSpec(
        "video_metadata",
        deps=["speedrun_runs"],
        partitions_def=VIDEOS,
        group_name="sources",
        kinds={"parquet"},
        owners=OWNERS,
        description="The table's row of one video. Reported by `speedrun_runs` when the row is new or changed.",
    )

    # Likewise, so that a corrected crop reaches the frames of its own video.
    video_crop = dg.AssetSpec(
        VIDEO_CROP,
        partitions_def=VIDEOS,
        group_name="sources",
        kinds={"json"},
        owners=OWNERS,
        description="The video's entry in the file of crops given by hand. Reported when it changed, by `watch_crops` and each scrape.",
    )

    @stage_asset(
        profile.download,
        core=download,
        group="sources",
        deps=["video_metadata"],
        kinds={"video"},
        partitioned=True,
        pool="download",
        retry=dg.RetryPolicy(
            max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
    )
    def videos(work: Work, config: DownloadConfig) -> Artifact:
        """One video file, whole and as long as announced, under its own SHA-256.

        No video to choose yet? Launch the [job `everything`](/locations/emurl_pipeline.definitions/jobs/everything)."""
        if work.dagster.retry_number:
            # The step is tried again on purpose: the wait until the next scrape is not for it.
            config = config.model_copy(update={"retry": True})
        return download(work.partition, work.upstream("speedrun_runs"), config, work.context)

    retractions = retractions_spec(group_name="sources", owners=OWNERS)
    return [speedrun_runs, video_metadata, video_crop, retractions, videos]


def _follow_crops(work: Work, runs: Artifact, crop_config: Path) -> dict[str, Any]:
    """Tell Dagster which crops by hand are new or changed. A mistake in the file stops the videos it is about, not the table."""
    try:
        changed = changed_crops(work.dagster.instance, crop_config, read_links(runs))
    except ValueError as error:
        return {"crop_config_mistake": str(error)}
    for event in changed:
        work.dagster.log_event(event)
    return {"changed_crops": len(changed)}
