"""Stage `speedrun_runs`: list the speedruns of a source as one table whose hash is its version."""

import logging
from collections import Counter

from pydantic import Field

from emurl_core.artifacts import Artifact, version_of
from emurl_core.configuration import StageConfig
from emurl_core.sources.cleaning import UnusableError, clean_link
from emurl_core.sources.links import VideoLink, read_links, write_links
from emurl_core.sources.registry import source
from emurl_core.stage import StageContext

CODE_VERSION = "1"
_log = logging.getLogger(__name__)


class ScrapeConfig(StageConfig):
    """Which speedruns to list, and from where."""

    source: str = "local"
    """`speedrun_com`, `youtube`, `twitch`, `playlist`, `archive_org`, `local` or `synthetic`; see docs/sources.md."""
    game: str = "pokemon_red"
    """Name of the game the videos show, as in the game registry."""
    category: str = ""
    """Keep only runs of this category; empty keeps all."""
    max_runs: int = Field(0, ge=0)
    """Ask a source on the network for at most so many runs, the earliest or best found first; 0 is no limit."""
    max_videos: int = Field(0, ge=0)
    """At most so many videos; 0 is no limit."""
    local_folder: str = ""
    """Source `local`: the folder. A video file in it is a run; a sub-folder is one run whose files are its parts."""
    synthetic_runs: int = 24
    """Source `synthetic`: how many runs to list."""
    synthetic_seed: int = 0
    """Source `synthetic`: the first run's seed; the others follow."""
    synthetic_layouts: str = "mixed"
    """Source `synthetic`: the set of streamer layouts, see `emurl_core.synthetic.layout`."""
    speedrun_game: str = "46w22l6r"
    """Source `speedrun_com`: the game's id or short name there; the default is Pokémon Red/Blue."""
    speedrun_categories: tuple[str, ...] = ()
    """Source `speedrun_com`: names or ids of the categories to list; empty lists all."""
    speedrun_api: str = "https://www.speedrun.com/api/v1"
    """Source `speedrun_com`: base address of the API."""
    search: str = ""
    """Source `youtube`: what to search for, as typed into its search box."""
    search_results: int = Field(50, ge=1)
    """Source `youtube`: how many results to take, best first."""
    twitch_channel: str = ""
    """Source `twitch`: name of the channel whose videos to list."""
    list_url: str = ""
    """Source `playlist`: address of a playlist, a channel or any other list of videos that yt-dlp knows."""
    list_is_one_run: bool = False
    """Source `playlist`: the videos are the parts of one run in their order, as in a let's play; else each is a run."""
    archive_query: str = ""
    """Source `archive_org`: what to search for, in archive.org's query language, for example `title:(pokemon red speedrun)`."""
    archive_api: str = "https://archive.org"
    """Source `archive_org`: base address of the site."""
    requests_per_minute: float = Field(90.0, gt=0)
    """Ask one host at most so often, over all processes on this data folder; speedrun.com allows 100."""
    request_tries: int = Field(7, ge=1)
    """How often to send a request whose answer may heal, before giving up."""
    retry_wait_s: float = Field(2.0, ge=0)
    """Seconds before the second try; each further wait is twice as long. A longer wish of the server is respected."""
    allow_private_hosts: bool = False
    """Ask hosts of this machine and the local network too: for a mirror of your own."""


def scrape(config: ScrapeConfig, context: StageContext) -> Artifact:
    """List the source's runs. The same list gives the same version, whatever the configuration.

    Raises:
        ValueError: unknown source, wrong settings, or nothing found; a FetchError when the source can't be read.
    """
    chosen = source(config.source)
    if notice := getattr(chosen, "notice", ""):
        _log.info("%s", notice)
    listed = chosen.list_runs(config, context.store.home)
    skipped: Counter[str] = Counter(getattr(chosen, "skipped", {}))
    links = _one_row_a_video(_clean(listed, skipped), skipped)
    if config.category:
        links = [link for link in links if link.category == config.category]
    if config.max_videos:
        links = links[: config.max_videos]
    left_out = ", ".join(f"{reason} {count:,}" for reason, count in skipped.most_common())
    if not links:
        raise ValueError(
            f"found no video link from the source {config.source!r} with category {config.category!r} (left out: "
            f"{left_out or 'nothing'}), expected at least one; check the source's settings"
        )
    runs = len({link.run_id for link in links})
    _log.info(
        "%s: %d videos of %d runs; left out: %s", config.source, len(links), runs, left_out or "nothing"
    )
    content = "\n".join(sorted(f"{link.video_id} {link.row_hash}" for link in links))
    version = version_of({}, CODE_VERSION, content=content)
    if (existing := context.store.reuse("speedrun_runs", version)) is not None:
        return existing
    with context.store.draft("speedrun_runs", version, config=config, code_version=CODE_VERSION) as draft:
        write_links(links, draft.path)
        draft.facts |= {
            "runs": runs,
            "videos": len(links),
            "sources": sorted({link.source for link in links}),
            "games": sorted({link.game for link in links}),
            "skipped": dict(sorted(skipped.items())),
        }
    return context.store.get("speedrun_runs", version)


def video_ids(runs: Artifact) -> list[str]:
    """Ids of the videos of a `speedrun_runs` artifact."""
    return [link.video_id for link in read_links(runs)]


def _clean(listed: list[VideoLink], skipped: Counter[str]) -> list[VideoLink]:
    kept = []
    for link in listed:
        try:
            kept.append(clean_link(link))
        except UnusableError as error:
            skipped[error.reason] += 1
            _log.debug("left out: %s", error)
    return kept


def _one_row_a_video(links: list[VideoLink], skipped: Counter[str]) -> list[VideoLink]:
    """In the order of their dates. A video that several runs link to belongs to the first of them, however listed."""
    unique: dict[str, VideoLink] = {}
    for link in sorted(links, key=lambda link: (link.date or "9999", link.run_id, link.part)):
        if unique.setdefault(link.video_id, link) is not link:
            skipped["same_video"] += 1
    return sorted(unique.values(), key=lambda link: (link.date or "9999", link.video_id))
