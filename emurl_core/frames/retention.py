"""A video's way through the stage `frames`: what became of it is noted, and its file may be let go once the frames are out.

The frames, their lineage and datasets never need the file again. Only cutting them in a new way does: then the video is
fetched once more. How frames are cut is in `extract`; outcomes are in `emurl_core.sources.outcomes`.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.frames.decode import VideoError
from emurl_core.frames.extract import (
    CODE_VERSION,
    FramesConfig,
    NoGameScreenError,
    Watch,
    extract,
    video_file,
)
from emurl_core.frames.manual_crops import fingerprint, read_manual_crops
from emurl_core.game.registry import GameConfig
from emurl_core.sources.download import fetch_again
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.outcomes import Outcome, OutcomeBook
from emurl_core.sources.retractions import RetractionBook
from emurl_core.stage import StageContext

_log = logging.getLogger(__name__)


class KnownNoGameScreenError(NoGameScreenError):
    """An earlier look at this very video, with this finder, these settings and this crop, found no game: it was not read again."""


def cut_frames(
    video: Artifact,
    config: FramesConfig,
    download: DownloadConfig,
    context: StageContext,
    *,
    watch: Watch | None = None,
    game: GameConfig | None = None,
) -> Artifact:
    """`extract`, with the outcome noted. A video file that was let go is fetched again if it is needed.

    Raises:
        RetractedError: the video was retracted.
        KnownNoGameScreenError: nothing changed since it was found to show no game (`download.retry` looks again).
        ValueError: as `extract`, and as `download` where the file must be fetched again.
    """
    book = OutcomeBook(context.store.home)
    video_id = video.partition or video.version
    RetractionBook(context.store.home).refuse(video_id)
    now = circumstances(video, config)
    if not download.retry and (known := known_without_game(video, config, book)) is not None:
        raise KnownNoGameScreenError(
            f"{video_id}: {known.outcome}, not read again (--retry does): {known.message}"
        )
    try:
        frames = _extract(video, config, download, context, watch, game)
    except NoGameScreenError as error:
        book.note(video_id, video.facts, "no_game_screen", str(error), stage="frames", circumstances=now)
        raise
    except VideoError as error:
        book.note(video_id, video.facts, "corrupt", str(error), stage="frames", circumstances=now)
        raise
    book.settle(video_id)
    if not video.config.get("keep_videos", True):
        let_go(video)
    return frames


def known_without_game(video: Artifact, config: FramesConfig, book: OutcomeBook) -> Outcome | None:
    """The outcome that says that looking at this video again would find no game again; None when it is worth a look."""
    known = book.find(video.partition or video.version)
    if known is None or known.stage != "frames" or not known.waits(circumstances(video, config)):
        return None
    return known


def circumstances(video: Artifact, config: FramesConfig) -> str:
    """Changes when the video, the finder, a setting of it or the crop given by hand does."""
    name = PurePosixPath(unquote(urlparse(str(video.facts.get("url", ""))).path)).name
    manual = read_manual_crops(Path(config.crop_config)).of(video.partition or video.version, name)
    settings = config.model_dump(mode="json", exclude={"crop_config", "decode_threads"})
    told = json.dumps([video.id, CODE_VERSION, settings, fingerprint(manual)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """A video file in the store. `cut` is whether frames were taken out of it."""

    video: Artifact
    size: int
    cut: bool


def kept_files(store: ArtifactStore) -> list[Kept]:
    """Video files that are still there."""
    found = []
    for video_id in store.partitions("video"):
        frames = store.versions("frames", video_id)
        for video in store.versions("video", video_id):
            file = video_file(video)
            if file.is_file():
                cut = any(i["id"] == video.id for f in frames for i in f.record["inputs"])
                found.append(Kept(video, file.stat().st_size, cut))
    return found


def prune(store: ArtifactStore, videos: Sequence[str] = ()) -> list[Kept]:
    """Let go of the files whose frames are out. Of all videos, or of these. Returns what was let go."""
    gone = [k for k in kept_files(store) if k.cut and (not videos or k.video.partition in videos)]
    for kept in gone:
        let_go(kept.video)
    return gone


def let_go(video: Artifact) -> None:
    """Remove the video file and nothing else: facts, hashes and lineage stay."""
    video_file(video).unlink(missing_ok=True)


def _extract(
    video: Artifact,
    config: FramesConfig,
    download: DownloadConfig,
    context: StageContext,
    watch: Watch | None,
    game: GameConfig | None,
) -> Artifact:
    try:
        return extract(video, config, context, watch=watch, game=game)
    except VideoError:
        if video_file(video).is_file():
            raise
    video_id = video.partition or video.version
    _log.warning(
        "%s: its file was let go after extraction; these frames are new, so it is fetched again", video_id
    )
    again = fetch_again(video_id, context.store.get("speedrun_runs"), download, context)
    if again.id != video.id:
        _log.warning("%s: the video changed since: it is %s now, and was %s", video_id, again.id, video.id)
    return extract(again, config, context, watch=watch, game=game)
