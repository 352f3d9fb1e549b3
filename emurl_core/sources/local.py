"""Source `local`: videos in a folder of the user's own."""

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from emurl_core.sources.links import VideoLink
from emurl_core.sources.registry import Fetched, FetchError
from emurl_core.sources.scrape import ScrapeConfig

if TYPE_CHECKING:
    from emurl_core.sources.download_configuration import DownloadConfig

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".flv", ".ts", ".m4v"})


class LocalSource:
    """A file in the folder is a run; a sub-folder is one run, its files in the order of their names are its parts."""

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """All videos below the folder.

        Raises:
            ValueError: the folder is not named, not there, or holds no video.
        """
        if not config.local_folder:
            raise ValueError(
                "found an empty local_folder, expected a folder of videos; set scrape.local_folder to one"
            )
        folder = Path(config.local_folder).expanduser().resolve()
        if not folder.is_dir():
            raise ValueError(
                f"found no folder {folder}, expected a folder of videos; set scrape.local_folder to one"
            )
        runs = {p.name: [p] for p in sorted(folder.iterdir()) if _is_video(p)}
        for sub in sorted(p for p in folder.iterdir() if p.is_dir()):
            parts = [p for p in sorted(sub.iterdir()) if _is_video(p)]
            if parts:
                runs[sub.name + "/"] = parts
        if not runs:
            raise ValueError(
                f"found no video in {folder}, expected files that end in {', '.join(sorted(VIDEO_SUFFIXES))}; put some there"
            )
        return [
            self._link(config, name, part, path)
            for name, parts in runs.items()
            for part, path in enumerate(parts)
        ]

    def fetch(self, link: VideoLink, destination: Path, home: Path, config: "DownloadConfig") -> Fetched:
        """Hard-link the file, so that a disk full of videos does not fill twice; copy it from another file system."""
        if link.source != "local":
            raise FetchError(
                "refused",
                f"found a file of this machine listed by the source {link.source!r}, expected an address on the network; "
                "leave the link out",
            )
        path = Path(unquote(urlparse(link.url).path))
        if not path.is_file():
            raise FetchError(
                "removed",
                f"found no file {path}, expected the video of {link.video_id}; put it back or scrape again",
            )
        try:
            os.link(path, destination)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES):
                raise
            shutil.copyfile(path, destination)
        return Fetched()

    def _link(self, config: ScrapeConfig, name: str, part: int, path: Path) -> VideoLink:
        stat = path.stat()
        return VideoLink(
            # The name and not the place, so that moving the folder does not move a run to another split.
            run_id=f"local-{hashlib.sha256(name.encode()).hexdigest()[:12]}",
            source="local",
            game=config.game,
            url=path.as_uri(),
            title=path.stem,
            part=part,
            fingerprint=f"{stat.st_size}-{stat.st_mtime_ns}",
        )


def _is_video(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
