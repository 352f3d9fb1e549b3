"""The sources and fetchers there are. A new one is a module with one class and a line here.

A source lists runs; a fetcher brings the video behind an address with its URL scheme.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from emurl_core.sources.links import VideoLink

if TYPE_CHECKING:
    from emurl_core.sources.download_configuration import DownloadConfig
    from emurl_core.sources.scrape import ScrapeConfig


class Source(Protocol):
    """Lists speedruns.

    A source on the network may also have `notice`, a line on terms and licence that is logged at each scrape, and
    `skipped`, a `Counter` of what the last listing left out, by reason.
    """

    def list_runs(self, config: "ScrapeConfig", home: Path) -> list[VideoLink]:
        """Every video link there is, in any order. `home` is the data folder, for caches."""
        ...


@dataclass(frozen=True)
class Fetched:
    """What a fetcher learnt on the way, beside the file.

    Attributes:
        duration_s: the length that the site announces, None when it announces none.
        length_known: whether the transfer itself proved that nothing is missing at the end.
        suspect: the file was put together in a way that its bytes alone must justify: every frame is decoded then.
        pieces: of how many the file was put together; at their seams a stream may count anew.
        facts: what is worth keeping in the artifact.
    """

    duration_s: float | None = None
    length_known: bool = True
    suspect: bool = False
    pieces: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)


class Fetcher(Protocol):
    """Brings one video."""

    def fetch(self, link: VideoLink, destination: Path, home: Path, config: "DownloadConfig") -> Fetched:
        """Write the video's bytes to `destination`, whole or not at all. What a later try may go on from stays beside it.

        Raises FetchError with a reason when the video can't be had. `home` is the data folder.
        """
        ...


class FetchError(ValueError):
    """A video can't be had.

    Args:
        outcome: one word of the table in `outcomes`.
        retry_after_s: how long the server asked to be left alone, if it did.
    """

    def __init__(self, outcome: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.retry_after_s = retry_after_s


# Named, not imported: a source may need packages that the others do without.
SOURCES = {
    "synthetic": "emurl_core.sources.synthetic:SyntheticSource",
    "local": "emurl_core.sources.local:LocalSource",
    "speedrun_com": "emurl_core.sources.speedrun_com:SpeedrunComSource",
    "youtube": "emurl_core.sources.listings:YoutubeSearchSource",
    "twitch": "emurl_core.sources.listings:TwitchSource",
    "playlist": "emurl_core.sources.listings:PlaylistSource",
    "archive_org": "emurl_core.sources.archive_org:ArchiveOrgSource",
}
FETCHERS = {
    "synthetic": "emurl_core.sources.synthetic:SyntheticSource",
    "file": "emurl_core.sources.local:LocalSource",
    "http": "emurl_core.sources.web_video:WebVideoFetcher",
    "https": "emurl_core.sources.web_video:WebVideoFetcher",
}


def source(name: str) -> Source:
    """The source of that name; ValueError lists the names there are."""
    return cast(Source, _make(SOURCES, name, "source"))


def fetcher(url: str) -> Fetcher:
    """The fetcher for an address; ValueError lists the schemes there are."""
    return cast(Fetcher, _make(FETCHERS, url.split(":", 1)[0].lower(), f"scheme of the address {url!r}"))


def _make(table: dict[str, str], name: str, what: str) -> object:
    if name not in table:
        raise ValueError(
            f"found the {what} {name!r}, expected one of {', '.join(sorted(table))}; choose one of these"
        )
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()
