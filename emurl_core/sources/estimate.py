"""What a scrape will need before it starts: videos, hours, gigabytes; and whether the disk can hold it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import VideoLink
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.sources.published_video import find_video
from emurl_core.sources.retractions import RetractionBook
from emurl_core.sources.standing import standing

_UNKNOWN_S = 2 * 3600.0
"""Where neither a length nor a time of the run is known, of this or any other."""
_RECORDED_MEGABITS_PER_S = 0.5
"""Of synthetic speedruns, which are small pictures."""
_FRAME_BYTES_PER_S = 2 * 5760
_SPARE_BYTES = 500_000_000
_SPARE_SHARE = 0.02


@dataclass(frozen=True)
class Estimate:
    """What is still to be fetched.

    Attributes:
        videos: to fetch; `here` are already, `left_out` are retracted, or known not to be had, or not now.
        hours: of video to fetch; those of `guessed` videos are a guess.
        needed_bytes: of video and frames.
        spare_bytes: left alone on the disk, for everything else.
    """

    videos: int
    here: int
    left_out: int
    hours: float
    guessed: int
    needed_bytes: int
    free_bytes: int
    spare_bytes: int

    @property
    def fits(self) -> bool:
        return self.needed_bytes == 0 or self.needed_bytes + self.spare_bytes <= self.free_bytes

    def as_text(self) -> str:
        """One line."""
        guess = f", {self.guessed} of unknown length" if self.guessed else ""
        return (
            f"{self.videos} videos to fetch ({self.hours:,.1f} hours{guess}; {self.here} are here, {self.left_out} left out), about "
            f"{self.needed_bytes / 1e9:,.1f} GB with their frames, {self.free_bytes / 1e9:,.1f} GB free"
        )


def estimate(links: Sequence[VideoLink], config: DownloadConfig, store: ArtifactStore) -> Estimate:
    """Look at the table, the store and the disk. Asks nobody."""
    book = OutcomeBook(store.home)
    retracted = RetractionBook(store.home).reasons()
    here = left_out = guessed = 0
    wanted: list[VideoLink] = []
    for link in links:
        if link.video_id in retracted:
            left_out += 1
        elif find_video(link, store, book) is not None:
            here += 1
        elif not config.retry and standing(link, config, book) is not None:
            left_out += 1
        else:
            wanted.append(link)
    known = [length for link in links if (length := link.duration_s or link.time_s)]
    usual = median(known) if known else _UNKNOWN_S
    seconds = needed = 0.0
    folder = _existing(store.home)
    for link in wanted:
        length = link.duration_s or link.time_s
        guessed += link.duration_s is None
        seconds += length or usual
        needed += _video_bytes(link, length or usual, config, folder) + (length or usual) * _FRAME_BYTES_PER_S
    disk = shutil.disk_usage(folder)
    spare = min(_SPARE_BYTES, int(disk.total * _SPARE_SHARE))
    return Estimate(len(wanted), here, left_out, seconds / 3600, guessed, int(needed), disk.free, spare)


def require_room(found: Estimate, home: Path) -> None:
    """ArtifactError, in one sentence, when the disk can't hold it."""
    if not found.fits:
        raise ArtifactError(
            f"found {found.free_bytes / 1e9:,.1f} GB free under {home}, expected {(found.needed_bytes + found.spare_bytes) / 1e9:,.1f} "
            f"for {found.videos} videos of {found.hours:,.1f} hours; free some, set EMURL_HOME to another disk, set scrape.max_videos, "
            "lower max_height_px and megabits_per_second, or let files go after extraction with --no-keep-videos"
        )


def _video_bytes(link: VideoLink, seconds: float, config: DownloadConfig, folder: Path) -> float:
    scheme = link.url.split(":", 1)[0].lower()
    if scheme == "file":
        path = Path(unquote(urlsplit(link.url).path))
        if not path.is_file() or path.stat().st_dev == folder.stat().st_dev:
            return 0.0  # linked, not copied
        return float(path.stat().st_size)
    rate = _RECORDED_MEGABITS_PER_S if scheme == "synthetic" else config.megabits_per_second
    return min(seconds * rate * 1e6 / 8, config.max_gigabytes * 1e9)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
