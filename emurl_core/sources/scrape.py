"""Stage `speedrun_runs`: list the speedruns of a source as one table whose hash is its version."""

from emurl_core.artifacts import Artifact, version_of
from emurl_core.configuration import StageConfig
from emurl_core.sources.links import read_links, write_links
from emurl_core.sources.registry import source
from emurl_core.stage import StageContext

CODE_VERSION = "1"


class ScrapeConfig(StageConfig):
    """Which speedruns to list."""

    source: str = "local"
    """`synthetic` (recorded from the embedded game) or `local` (a folder of videos)."""
    game: str = "pokemon_red"
    """Name of the game the videos show, as in the game registry."""
    category: str = ""
    """Keep only runs of this category; empty keeps all."""
    max_videos: int = 0
    """At most so many videos; 0 is no limit."""
    local_folder: str = ""
    """Source `local`: the folder. A video file in it is a run; a sub-folder is one run whose files are its parts."""
    synthetic_runs: int = 24
    """Source `synthetic`: how many runs to list."""
    synthetic_seed: int = 0
    """Source `synthetic`: the first run's seed; the others follow."""
    synthetic_layouts: str = "mixed"
    """Source `synthetic`: the set of streamer layouts, see `emurl_core.synthetic.layout`."""


def scrape(config: ScrapeConfig, context: StageContext) -> Artifact:
    """List the source's runs. The same list gives the same version, whatever the configuration.

    Raises:
        ValueError: unknown source, or nothing found.
    """
    links = source(config.source).list_runs(config, context.store.home)
    if config.category:
        links = [link for link in links if link.category == config.category]
    links.sort(key=lambda link: (link.date or "9999", link.video_id))
    if config.max_videos:
        links = links[: config.max_videos]
    if not links:
        raise ValueError(
            f"found no video link from the source {config.source!r} with category {config.category!r}, expected at least one; "
            "check the source's settings"
        )
    content = "\n".join(sorted(f"{link.video_id} {link.row_hash}" for link in links))
    version = version_of({}, CODE_VERSION, content=content)
    if (existing := context.store.reuse("speedrun_runs", version)) is not None:
        return existing
    with context.store.draft("speedrun_runs", version, config=config, code_version=CODE_VERSION) as draft:
        write_links(links, draft.path)
        draft.facts |= {
            "runs": len({link.run_id for link in links}),
            "videos": len({link.video_id for link in links}),
            "sources": sorted({link.source for link in links}),
            "games": sorted({link.game for link in links}),
        }
    return context.store.get("speedrun_runs", version)


def video_ids(runs: Artifact) -> list[str]:
    """Ids of the videos of a `speedrun_runs` artifact."""
    return [link.video_id for link in read_links(runs)]
