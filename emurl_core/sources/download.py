"""Stage `videos`: bring one video in, check that it is whole, publish it under its own hash, note what became of it.

How bytes come is the fetchers' business (`registry`), what outcomes mean is in `outcomes`, many videos at once are in
`collect`, what `publish`es them in `published_video`, when not to ask again in `standing`, and letting go of video files after
their frames are out in `retention`.
"""

import contextlib
import errno
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlparse

from emurl_core.artifacts import Artifact, ArtifactError
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.inspection import VideoFacts, inspect_video
from emurl_core.sources.links import VideoLink, find_link
from emurl_core.sources.local import VIDEO_SUFFIXES
from emurl_core.sources.outcomes import KINDS, OutcomeBook
from emurl_core.sources.published_video import CODE_VERSION as CODE_VERSION
from emurl_core.sources.published_video import find_video, publish
from emurl_core.sources.registry import Fetched, FetchError, fetcher
from emurl_core.sources.retractions import RetractionBook
from emurl_core.sources.standing import NotAskedError, circumstances, standing
from emurl_core.sources.video_lock import alone
from emurl_core.stage import StageContext

_ROUNDING_S = 0.5
"""Sites announce whole seconds."""


def download(video_id: str, runs: Artifact, config: DownloadConfig, context: StageContext) -> Artifact:
    """Fetch the video, or find it when it was fetched from the same row before. Its outcome is noted either way.

    Raises:
        RetractedError: it was retracted.
        NotAskedError: it failed before, and it is hopeless or not yet due.
        FetchError: it can't be had, is no whole video, or is not as long as announced. Nothing is published then.
        ArtifactError: the disk is full.
    """
    link = find_link(video_id, runs)
    book = OutcomeBook(context.store.home)
    with alone(context.store.home, video_id):
        RetractionBook(context.store.home).refuse(video_id)
        if (here := find_video(link, context.store, book)) is not None:
            context.store.choose(here)
            if book.find(video_id) is None:
                _note_ok(link, here, book)
            return here
        if not config.retry and (known := standing(link, config, book)) is not None:
            raise NotAskedError(known)
        return _bring(link, runs, config, context, book)


def fetch_again(video_id: str, runs: Artifact, config: DownloadConfig, context: StageContext) -> Artifact:
    """Fetch a video whose file was let go, and put it back. Raises as `download`."""
    with alone(context.store.home, video_id):
        RetractionBook(context.store.home).refuse(video_id)
        return _bring(find_link(video_id, runs), runs, config, context, OutcomeBook(context.store.home))


def check_duration(
    link: VideoLink, found: VideoFacts, tolerance: float, fetched: Fetched | None = None
) -> None:
    """FetchError when the length differs by more than the tolerance from what the listing, the site or the file itself says,
    or when nothing at all says that nothing is missing at the end."""
    fetched = fetched or Fetched()
    announced = link.duration_s or fetched.duration_s
    # Where the transfer itself may have lost the end, no allowance is made for whole seconds.
    rounding = _ROUNDING_S if announced and announced == int(announced) and fetched.length_known else 0.0
    for said, who, slack in (
        (announced, "as announced", rounding),
        (found.stated_s, "as its own index says", 0.0),
    ):
        if said and abs(found.duration_s - said) > tolerance * said + slack:
            raise FetchError(
                "corrupt",
                f"{link.video_id}: found a video of {found.duration_s:.1f} s, expected {said:.1f} s {who}; "
                "it is cut short or another one: scrape and download again",
            )
    if not (announced or found.stated_s or fetched.length_known):
        raise FetchError(
            "corrupt",
            f"{link.video_id}: found a video of {found.duration_s:.1f} s and nothing that says how long it should be, expected a "
            "length from the listing, the site, the server or the file; leave it out",
        )


def _bring(
    link: VideoLink, runs: Artifact, config: DownloadConfig, context: StageContext, book: OutcomeBook
) -> Artifact:
    store = context.store
    work = store.work("video", link.row_hash, link.video_id)
    for old in work.parent.iterdir():
        # A row that changed leaves a part of something else.
        if old != work:
            shutil.rmtree(old, ignore_errors=True)
    suffix = os.path.splitext(urlparse(link.url).path)[1].lower()
    file = work / f"video{suffix if suffix in VIDEO_SUFFIXES else '.mp4'}"
    try:
        with store.explain_full_disk(f"video {link.video_id}"):
            fetched = fetcher(link.url).fetch(link, file, store.home, config)
            found = inspect_video(file, fetched.suspect or config.decode_every_frame, fetched.pieces)
            check_duration(link, found, config.duration_tolerance, fetched)
            video = publish(link, runs, file, found, fetched, config, context)
    except FetchError as error:
        _leave(work, file, keep_part=_heals(error.outcome))
        if error.outcome == "interrupted":
            # Nothing is wrong with the video.
            raise
        now = circumstances(link, config, error.outcome)
        book.note(
            link.video_id,
            asdict(link),
            error.outcome,
            str(error),
            circumstances=now,
            retry_after_s=error.retry_after_s,
        )
        raise
    except ArtifactError as error:
        _leave(work, file, keep_part=True)
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
            with contextlib.suppress(OSError):
                book.note(link.video_id, asdict(link), "disk_full", str(error))
        raise
    shutil.rmtree(work)
    _note_ok(link, video, book)
    return video


def _note_ok(link: VideoLink, video: Artifact, book: OutcomeBook) -> None:
    same_as = video.facts.get("same_as")
    book.note(
        link.video_id, asdict(link), "ok", circumstances=link.row_hash, artifact=video.id, same_as=same_as
    )


def _heals(outcome: str) -> bool:
    # What is corrupt heals by starting anew only.
    return KINDS[outcome].first_wait_s is not None and outcome != "corrupt"


def _leave(work: Path, file: Path, keep_part: bool) -> None:
    file.unlink(missing_ok=True)
    if not keep_part or not any(work.iterdir()):
        shutil.rmtree(work, ignore_errors=True)
