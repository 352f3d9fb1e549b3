"""The sources and fetchers there are. A new one is a module with one class and a line here.

A source lists runs; a fetcher brings the video behind an address with its URL scheme.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from emurl_core.sources.links import VideoLink

if TYPE_CHECKING:
    from emurl_core.sources.scrape import ScrapeConfig


class Source(Protocol):
    """Lists speedruns."""

    def list_runs(self, config: "ScrapeConfig", home: Path) -> list[VideoLink]:
        """Every video link there is, in any order. `home` is the data folder, for caches."""
        ...


class Fetcher(Protocol):
    """Brings one video."""

    def fetch(self, link: VideoLink, destination: Path, home: Path) -> None:
        """Write the video's bytes to `destination`, whole or not at all.

        Raises FetchError with a reason when the video can't be had. `home` is the data folder.
        """
        ...


class FetchError(ValueError):
    """A video can't be had. `outcome` is one word for the table of outcomes."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


# Named, not imported: a source may need packages that the others do without.
SOURCES = {
    "synthetic": "emurl_core.sources.synthetic:SyntheticSource",
    "local": "emurl_core.sources.local:LocalSource",
}
FETCHERS = {
    "synthetic": "emurl_core.sources.synthetic:SyntheticSource",
    "file": "emurl_core.sources.local:LocalSource",
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
