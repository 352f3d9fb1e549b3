"""Stage `videos`: bring one video in, check that it is whole, publish it under its own hash, note what became of it.

How bytes come is the fetchers' business (`registry`), what outcomes mean is in `outcomes`, many videos at once are in
`collect`, and letting go of video files after their frames are out is in `retention`.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlparse

from pydantic import Field

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore, Input, file_sha256
from emurl_core.configuration import StageConfig
from emurl_core.sources.inspection import VideoFacts, inspect_video
from emurl_core.sources.links import VideoLink, read_links
from emurl_core.sources.local import VIDEO_SUFFIXES
from emurl_core.sources.outcomes import KINDS, Outcome, OutcomeBook
from emurl_core.sources.registry import Fetched, FetchError, fetcher
from emurl_core.stage import StageContext

CODE_VERSION = "1"
_NOT_KEPT = frozenset({"cookies_file", "retry"})
"""Settings that the artifact does not tell of."""
_ROUNDING_S = 0.5
"""Sites announce whole seconds."""


class DownloadConfig(StageConfig):
    """How a video is fetched and judged."""

    duration_tolerance: float = Field(0.01, ge=0)
    """A video whose length differs from the announced one by a larger share is refused as cut or swapped."""
    max_height_px: int = Field(720, ge=144)
    """The largest picture to fetch where a site offers several."""
    max_gigabytes: float = Field(20.0, gt=0)
    """A larger video is refused."""
    spacing_s: float = Field(10.0, ge=0)
    """Least seconds between two videos of one host, over all processes of this machine."""
    request_spacing_s: float = Field(0.75, ge=0)
    """Seconds between the requests that it takes to find a page's video."""
    per_host: int = Field(1, ge=1, le=8)
    """Videos of one host at once, over all processes of this machine."""
    timeout_s: float = Field(20.0, gt=0)
    """A server that says nothing for so long is asked again."""
    stall_s: float = Field(60.0, gt=0)
    """A transfer that moves less than 16 KiB in so long is given up."""
    try_minutes: float = Field(240.0, gt=0)
    """One try of one video takes no longer than this."""
    retries: int = Field(5, ge=0)
    """How often a broken transfer is taken up again without a new byte before the try fails."""
    retry_wait_s: float = Field(2.0, ge=0)
    """Seconds before that; doubles each time."""
    cookies_file: str = ""
    """Cookies of your own account in Netscape's format, for videos that ask for one. Only read, never written or kept. Mind the
    site's terms of use."""
    allow_private_hosts: bool = False
    """Ask hosts of this machine and of private networks too: for a mirror of your own. Links come from strangers."""
    keep_videos: bool = True
    """Keep a video file after its frames are out. Without it, a new way of cutting frames must fetch the video again."""
    megabits_per_second: float = Field(2.5, gt=0)
    """Guess of a video's bitrate, for the estimate before a scrape is fetched."""
    decode_every_frame: bool = False
    """Decode every frame of every video before it is believed, not keyframes only. Takes minutes for an hour of video."""
    retry: bool = False
    """Ask again now for what failed, also where that was found to be hopeless or is not due yet."""


class NotAskedError(FetchError):
    """The outcome is known from an earlier try and asking again now would not help, so nothing was asked."""


def download(video_id: str, runs: Artifact, config: DownloadConfig, context: StageContext) -> Artifact:
    """Fetch the video, or find it when it was fetched from the same row before. Its outcome is noted either way.

    Raises:
        NotAskedError: it failed before, and it is hopeless or not yet due.
        FetchError: it can't be had, is no whole video, or is not as long as announced. Nothing is published then.
        ArtifactError: the disk is full.
    """
    link = find_link(video_id, runs)
    book = OutcomeBook(context.store.home)
    with _alone(context.store.home, video_id):
        if (here := find_video(link, context.store, book)) is not None:
            context.store.choose(here)
            if book.find(video_id) is None:
                _note_ok(link, here, book)
            return here
        if not config.retry and (known := standing(link, config, book)) is not None:
            raise NotAskedError(known.outcome, _not_asked(known))
        return _bring(link, runs, config, context, book)


def fetch_again(video_id: str, runs: Artifact, config: DownloadConfig, context: StageContext) -> Artifact:
    """Fetch a video whose file was let go, and put it back. Raises as `download`."""
    with _alone(context.store.home, video_id):
        return _bring(find_link(video_id, runs), runs, config, context, OutcomeBook(context.store.home))


def find_video(link: VideoLink, store: ArtifactStore, book: OutcomeBook) -> Artifact | None:
    """The video that this row leads to, if it was fetched. New words about a run (title, category) don't make it another."""
    told = {k: getattr(link, k) for k in ("run_id", "game", "url", "part", "time_s", "fingerprint")}
    told["listed_s"] = link.duration_s
    versions = store.versions("video", link.video_id)
    for video in reversed(versions):
        facts = video.facts
        if facts["row_hash"] == link.row_hash or all(k in facts and facts[k] == v for k, v in told.items()):
            return video
    # A row that changed may have led to the same bytes as before.
    known = book.find(link.video_id)
    if known is not None and known.outcome == "ok" and known.circumstances == link.row_hash:
        return next((video for video in versions if video.id == known.artifact), None)
    return None


def standing(link: VideoLink, config: DownloadConfig, book: OutcomeBook) -> Outcome | None:
    """The earlier outcome that says not to ask now; None when it is time to ask. What costs no request is always tried."""
    if not link.url.lower().startswith(("http://", "https://")):
        return None
    known = book.find(link.video_id)
    if (
        known is None
        or known.stage != "videos"
        or not known.waits(circumstances(link, config, known.outcome))
    ):
        return None
    return known


def circumstances(link: VideoLink, config: DownloadConfig, outcome: str) -> str:
    """Changes when the row changes, or a setting that this outcome depends on."""
    told: list[object] = [link.row_hash]
    if outcome in ("login", "forbidden"):
        file = Path(config.cookies_file).expanduser()
        told.append(file.stat().st_mtime_ns if config.cookies_file and file.is_file() else 0)
    elif outcome == "refused":
        told.append(config.allow_private_hosts)
    elif outcome == "too_large":
        told += [config.max_gigabytes, config.max_height_px]
    elif outcome == "corrupt":
        told.append(config.duration_tolerance)
    elif outcome == "unsupported":
        from yt_dlp.version import __version__

        told += [config.max_height_px, __version__]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def find_link(video_id: str, runs: Artifact) -> VideoLink:
    """The row of a video; ValueError when the table has none."""
    for link in read_links(runs):
        if link.video_id == video_id:
            return link
    raise ValueError(
        f"found no video {video_id!r} in {runs.id}, expected one of its rows; scrape again or name another video"
    )


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
            video = _publish(link, runs, file, found, fetched, config, context)
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


def _publish(
    link: VideoLink,
    runs: Artifact,
    file: Path,
    found: VideoFacts,
    fetched: Fetched,
    config: DownloadConfig,
    context: StageContext,
) -> Artifact:
    store, sha256 = context.store, file_sha256(file)
    version = sha256[:16]
    existing = store.find("video", version, link.video_id)
    if existing is not None and existing.facts["sha256"] == sha256:
        # The same bytes as before: put back, if the file was let go.
        os.replace(file, existing.path / existing.facts["file"])
        store.choose(existing)
        return existing
    known_suffix = os.path.splitext(urlparse(link.url).path)[1].lower() in VIDEO_SUFFIXES
    name = file.name if known_suffix else f"video{found.suffix}"
    twin = _twin(link.video_id, sha256, context)
    with store.draft(
        "video",
        version,
        config=config.model_dump(mode="json", exclude=set(_NOT_KEPT)),
        code_version=CODE_VERSION,
        inputs=[Input("speedrun_runs", runs)],
        partition=link.video_id,
    ) as draft:
        if twin is None or not _linked(twin.path / twin.facts["file"], draft.path / name):
            os.rename(file, draft.path / name)
        draft.facts |= {
            "video_id": link.video_id,
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
            "fingerprint": link.fingerprint,
            "listed_s": link.duration_s,
            "announced_s": link.duration_s or fetched.duration_s,
            "width_px": found.width_px,
            "height_px": found.height_px,
            "fps": found.fps,
            "codec": found.codec,
            **fetched.facts,
        }
        if twin is not None:
            draft.facts["same_as"] = twin.id
    return store.get("video", version, link.video_id)


def _twin(video_id: str, sha256: str, context: StageContext) -> Artifact | None:
    """The video that has the same bytes under another address."""
    for folder in sorted((context.store.root / "video").glob(f"*/{sha256[:16]}*")):
        if folder.parent.name != video_id and (folder / "artifact.json").is_file():
            other = context.store.find("video", folder.name, folder.parent.name)
            if other is not None and other.facts["sha256"] == sha256:
                return other
    return None


def _linked(existing: Path, wanted: Path) -> bool:
    try:
        os.link(existing, wanted)
    except OSError:
        return False
    return True


def _heals(outcome: str) -> bool:
    # What is corrupt heals by starting anew only.
    return KINDS[outcome].first_wait_s is not None and outcome != "corrupt"


def _leave(work: Path, file: Path, keep_part: bool) -> None:
    file.unlink(missing_ok=True)
    if not keep_part or not any(work.iterdir()):
        shutil.rmtree(work, ignore_errors=True)


def _not_asked(known: Outcome) -> str:
    when = (
        f"not before {known.next_retry_utc[:16].replace('T', ' ')} UTC"
        if known.next_retry_utc
        else "as things are, asking again can't help"
    )
    return (
        f"{known.video_id}: {known.outcome}, not asked again ({when}; --retry asks at once): {known.message}"
    )


@contextmanager
def _alone(home: Path, video_id: str) -> Iterator[None]:
    """One process at a time works on a video; a killed one lets go."""
    folder = home / "cache" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"video-{video_id}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
