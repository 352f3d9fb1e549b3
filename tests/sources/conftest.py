"""A server on loopback, a store, and one call that brings a link in and tells what became of it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from video_server import VideoServer

from emurl_core.artifacts import Artifact
from emurl_core.sources.download import download
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.sources.outcomes import Outcome, OutcomeBook
from emurl_core.sources.registry import FetchError
from emurl_core.stage import StageContext


@pytest.fixture
def server() -> Iterator[VideoServer]:
    with VideoServer().running() as running:
        yield running


@dataclass
class Desk:
    """Brings videos in as a user would, quickly."""

    context: StageContext
    settings: dict[str, Any] = field(default_factory=dict)

    def config(self, **changes: Any) -> DownloadConfig:
        quick = {
            "allow_private_hosts": True,
            "spacing_s": 0,
            "request_spacing_s": 0,
            "retry_wait_s": 0.02,
            "retries": 2,
            "timeout_s": 5,
            "stall_s": 5,
            "try_minutes": 0.5,
        }
        return DownloadConfig(**{**quick, **self.settings, **changes})

    def runs(self, *links: VideoLink) -> Artifact:
        """These links as the current scrape."""
        version = hashlib.sha256("".join(sorted(k.row_hash for k in links)).encode()).hexdigest()[:16]
        if self.context.store.reuse("speedrun_runs", version) is None:
            with self.context.store.draft("speedrun_runs", version, config={}, code_version="1") as draft:
                write_links(links, draft.path)
        return self.context.store.get("speedrun_runs", version)

    def bring(self, link: VideoLink, **changes: Any) -> Outcome:
        """Try once; the outcome that was noted."""
        try:
            download(link.video_id, self.runs(link), self.config(**changes), self.context)
        except FetchError as error:
            self.last = error
        found = self.book.find(link.video_id)
        assert found is not None
        return found

    def file(self, link: VideoLink) -> bytes:
        """The bytes that were published."""
        video = self.context.store.get("video", partition=link.video_id)
        video.verify()
        return (video.path / video.facts["file"]).read_bytes()

    def published(self, link: VideoLink) -> bool:
        return self.context.store.find("video", partition=link.video_id) is not None

    @property
    def book(self) -> OutcomeBook:
        return OutcomeBook(self.context.store.home)


@pytest.fixture
def desk(context: StageContext) -> Desk:
    return Desk(context)


@pytest.fixture
def link(server: VideoServer) -> Callable[..., VideoLink]:
    """A link to a path of the server."""

    def make(path: str, **more: Any) -> VideoLink:
        return VideoLink(f"run of {path}", "web", "rom", server.url(path), **more)

    return make
