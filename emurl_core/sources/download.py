"""Stage `videos`: bring one video in, check that it is whole, publish it under its own hash."""

import os
import shutil
from urllib.parse import urlparse

from emurl_core.artifacts import Artifact, Input, file_sha256
from emurl_core.configuration import StageConfig
from emurl_core.sources.inspection import VideoFacts, inspect_video
from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.registry import FetchError, fetcher
from emurl_core.stage import StageContext

CODE_VERSION = "1"


class DownloadConfig(StageConfig):
    """How a video is fetched and judged."""

    duration_tolerance: float = 0.01
    """A video whose length differs from the announced one by a larger share is refused as cut or swapped."""


def download(video_id: str, runs: Artifact, config: DownloadConfig, context: StageContext) -> Artifact:
    """Fetch the video, or find it when it was fetched from the same row before.

    Raises:
        FetchError: it can't be had, is no whole video, or is not as long as announced. Nothing is published then.
    """
    link = find_link(video_id, runs)
    for earlier in context.store.versions("video", video_id):
        if earlier.facts["row_hash"] == link.row_hash:
            context.store.choose(earlier)
            return earlier
    suffix = os.path.splitext(urlparse(link.url).path)[1].lower() or ".mp4"
    name = f"video{suffix}"
    work = context.store.work("video", link.row_hash, video_id)
    file = work / name
    try:
        with context.store.explain_full_disk(f"video {video_id}"):
            fetcher(link.url).fetch(link, file, context.store.home)
        found = inspect_video(file)
        check_duration(link, found, config.duration_tolerance)
        sha256 = file_sha256(file)
        version = sha256[:16]
        inputs = [Input("speedrun_runs", runs)]
        with context.store.draft(
            "video", version, config=config, code_version=CODE_VERSION, inputs=inputs, partition=video_id
        ) as draft:
            os.rename(file, draft.path / name)
            draft.facts |= {
                "video_id": video_id,
                "run_id": link.run_id,
                "row_hash": link.row_hash,
                "game": link.game,
                "source": link.source,
                "url": link.url,
                "title": link.title,
                "players": link.players,
                "part": link.part,
                "time_s": link.time_s,
                "file": name,
                "sha256": sha256,
                "bytes": (draft.path / name).stat().st_size,
                "duration_s": found.duration_s,
                "width_px": found.width_px,
                "height_px": found.height_px,
                "fps": found.fps,
                "codec": found.codec,
            }
    finally:
        shutil.rmtree(work)
    return context.store.get("video", version, video_id)


def find_link(video_id: str, runs: Artifact) -> VideoLink:
    """The row of a video; ValueError when the table has none."""
    for link in read_links(runs):
        if link.video_id == video_id:
            return link
    raise ValueError(
        f"found no video {video_id!r} in {runs.id}, expected one of its rows; scrape again or name another video"
    )


def check_duration(link: VideoLink, found: VideoFacts, tolerance: float) -> None:
    """FetchError when the announced length and the real one differ by more than the tolerance."""
    if link.duration_s and abs(found.duration_s - link.duration_s) > tolerance * link.duration_s:
        raise FetchError(
            "corrupt",
            f"{link.video_id}: found a video of {found.duration_s:.1f} s, expected {link.duration_s:.1f} s as announced; "
            "it is cut short or another one: scrape and download again",
        )
