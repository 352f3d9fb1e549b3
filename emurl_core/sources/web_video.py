"""Fetcher for `http` and `https`: a file by its own address, or the video of any page that yt-dlp can read.

An address that ends like a video file is asked for as it is; where a page comes back, yt-dlp looks for the video in it.
Bounds of time and size are in `connections`, resuming is in `transfer` and `fragments`, the pace of hosts in `pace`.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emurl_core.sources.addresses import check_public
from emurl_core.sources.connections import PAGE_BYTES, Reins
from emurl_core.sources.courtesy import USER_AGENT
from emurl_core.sources.errand import Errand
from emurl_core.sources.fragments import dash_fragments, fetch_fragments, hls_fragments
from emurl_core.sources.host_turns import HostTurns
from emurl_core.sources.links import VideoLink
from emurl_core.sources.local import VIDEO_SUFFIXES
from emurl_core.sources.registry import Fetched, FetchError
from emurl_core.sources.transfer import WebPageError, transfer
from emurl_core.sources.transfer_bar import TransferBar
from emurl_core.sources.verdicts import judge
from emurl_core.sources.ytdlp import Media, ReinedYoutubeDL, open_ytdlp, resolve

if TYPE_CHECKING:
    from emurl_core.sources.download_configuration import DownloadConfig

_PAGE_ANSWERS = {"removed": "unavailable", "login": "forbidden", "geo": "forbidden"}
"""What an answer means when it is not the page that gave it but the passing address of its bytes."""


class WebVideoFetcher:
    """Videos of the web."""

    def fetch(self, link: VideoLink, destination: Path, home: Path, config: "DownloadConfig") -> Fetched:
        """Bring the video to `destination`. What is unfinished stays beside it as `<name>.part`, for a later try."""
        check_public(link.url, config.allow_private_hosts)
        part = destination.with_name(destination.name + ".part")
        with (
            HostTurns(home, config).turn(urlsplit(link.url).hostname or ""),
            Reins(config.allow_private_hosts, config.try_minutes * 60, config.stall_s) as reins,
            open_ytdlp(config, reins, home) as reader,
        ):
            try:
                fetched = _Fetch(reader, reins, part, link.video_id, config).whole(link.url)
            except (FetchError, MemoryError):
                raise
            except Exception as error:
                # Whatever a stranger's server makes stumble is that video's outcome, not the end of all the others.
                raise judge(error, link.video_id) from error
        os.replace(part, destination)
        part.with_name(part.name + ".json").unlink(missing_ok=True)
        return fetched


class _Fetch:
    """One try."""

    def __init__(
        self, reader: ReinedYoutubeDL, reins: Reins, part: Path, name: str, config: "DownloadConfig"
    ) -> None:
        self._reader, self._reins, self._part = reader, reins, part
        self._name, self._config = name, config

    def whole(self, url: str) -> Fetched:
        if Path(urlsplit(url).path).suffix.lower() in VIDEO_SUFFIXES:
            identity = "direct|" + hashlib.sha256(url.encode()).hexdigest()
            try:
                return self._file(Media(url, "file", identity, {"User-Agent": USER_AGENT}))
            except WebPageError:
                # The address of a page may end like a file.
                self._reins.allow(PAGE_BYTES)
        media = resolve(self._reader, url, self._name, self._config)
        self._reins.go_on()
        try:
            return self._file(media) if media.kind == "file" else self._pieces(media)
        except FetchError as error:
            if error.outcome in _PAGE_ANSWERS:
                raise FetchError(_PAGE_ANSWERS[error.outcome], str(error), error.retry_after_s) from error
            raise

    def _file(self, media: Media) -> Fetched:
        with self._room(), TransferBar(self._name) as bar:
            done = transfer(self._errand(media, bar), media.url, media.chunk_bytes)
        return Fetched(media.duration_s, done.length_known, done.unproven_seam, facts=media.facts)

    def _pieces(self, media: Media) -> Fetched:
        hls = media.kind == "hls"
        pieces = (
            hls_fragments(self._reader.urlopen, media, self._name)
            if hls
            else dash_fragments(media, self._name)
        )
        with self._room(), TransferBar(self._name) as bar:
            proven = fetch_fragments(self._errand(media, bar), pieces)
        told = sum(p.duration_s for p in pieces)
        # Where a fragment may have lost its end, what looks like the seam of two is not forgiven.
        seams = len(pieces) if proven else 1
        return Fetched(told or media.duration_s, length_known=told > 0, pieces=seams, facts=media.facts)

    def _errand(self, media: Media, bar: TransferBar) -> Errand:
        return Errand(
            self._reader.urlopen,
            media.headers,
            media.identity,
            self._part,
            self._name,
            self._reins,
            self._config.retries,
            self._config.retry_wait_s,
            bar.show,
        )

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Let in as many bytes as the video may have, less those that are here."""
        have = self._part.stat().st_size if self._part.is_file() else 0
        self._reins.allow(max(0, int(self._config.max_gigabytes * 1e9) - have) + PAGE_BYTES // 16)
        yield
        if self._part.stat().st_size > self._config.max_gigabytes * 1e9:
            raise FetchError(
                "too_large",
                f"{self._name}: found {self._part.stat().st_size / 1e9:,.3g} GB, expected at most {self._config.max_gigabytes:g}; "
                "leave it out or raise max_gigabytes",
            )
