"""Source `speedrun_com`: the verified runs of a game on speedrun.com, with the videos their players linked.

How its API is read is in `speedrun_com_api`. A run may have several links, parts or mirrors; the listing can't tell them
apart, so they are kept in their order.
"""

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emurl_core.sources.cleaning import (
    UnusableError,
    addresses_in,
    clean_address,
    clean_date,
    clean_seconds,
    clean_text,
)
from emurl_core.sources.links import VideoLink
from emurl_core.sources.run_memory import RunMemory
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.sources.speedrun_com_api import SpeedrunComApi, chosen_categories
from emurl_core.sources.web import json_client

PLAYERS = 20
"""More names than this are not written down."""
_log = logging.getLogger(__name__)


class SpeedrunComSource:
    """Lists. `skipped` counts what the last listing left out."""

    notice = (
        "speedrun.com: metadata of its community under CC BY-NC 4.0 (name it, no commercial use); the videos belong to "
        "those who made them. See docs/sources.md"
    )

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """One link for each video of each verified run, earliest submitted first.

        Raises:
            ValueError: no such game or category; FetchError: the API gave no usable answer.
        """
        self.skipped.clear()
        client = json_client(config, home)
        api = SpeedrunComApi(client, config.speedrun_api)
        categories = api.categories(config.speedrun_game)
        chosen = chosen_categories(config.speedrun_categories, categories)
        listing = "|".join((config.speedrun_api, config.speedrun_game, *sorted(chosen)))
        memory = RunMemory(home / "cache" / "speedrun_com", listing)
        found = api.verified_runs(config.speedrun_game, categories, chosen, config.max_runs, len(memory))
        there = memory.update(found.runs, found.complete, datetime.now(UTC).date())
        _log.info(
            "speedrun.com: %d runs listed, %d more known from earlier listings; %d requests",
            len(found.runs),
            len(there) - len(found.runs),
            client.requests,
        )
        if found.malformed:
            self.skipped["malformed"] = found.malformed
        runs = sorted(there.values(), key=lambda run: (str(run.get("submitted") or ""), run["id"]))
        if config.max_runs:
            runs = runs[: config.max_runs]
        return [link for run in runs for link in self._links(run, categories, config)]

    def _links(
        self, run: dict[str, Any], categories: dict[str, str], config: ScrapeConfig
    ) -> list[VideoLink]:
        status = run.get("status")
        if isinstance(status, dict) and status.get("status") not in (None, "verified"):
            self.skipped["not_verified"] += 1
            return []
        addresses = self._addresses(run.get("videos"))
        category = _category(run.get("category"), categories)
        players = _players(run.get("players"))
        times = run.get("times")
        time_s = clean_seconds(times.get("primary_t")) if isinstance(times, dict) else None
        title = f"{category} in {_clock(time_s)} by {players or 'somebody'}"
        return [
            VideoLink(
                run_id=f"speedrun_com-{run['id']}",
                source="speedrun_com",
                game=config.game,
                url=url,
                category=category,
                players=players,
                title=title if len(addresses) == 1 else f"{title}, video {part + 1} of {len(addresses)}",
                part=part,
                time_s=time_s,
                date=clean_date(run.get("date")),
            )
            for part, url in enumerate(addresses)
        ]

    def _addresses(self, videos: Any) -> list[str]:
        """The run's videos in their order, each once; those written in the text where no link is given."""
        videos = videos if isinstance(videos, dict) else {}
        links = videos.get("links")
        given = (
            [link.get("uri") if isinstance(link, dict) else None for link in links]
            if isinstance(links, list)
            else []
        )
        addresses: dict[str, None] = {}
        bad = 0
        for candidate in given or addresses_in(videos.get("text")):
            try:
                addresses[clean_address(candidate)] = None
            except UnusableError:
                bad += 1
        if not addresses:
            self.skipped["run_without_video" if not bad else "run_with_bad_links_only"] += 1
        elif bad:
            self.skipped["bad_link"] += bad
        return list(addresses)


def _category(value: Any, categories: dict[str, str]) -> str:
    if isinstance(value, dict):
        # Embedded.
        data = value.get("data")
        return clean_text(data.get("name")) if isinstance(data, dict) else ""
    return categories.get(value, clean_text(value)) if isinstance(value, str) else ""


def _players(value: Any) -> str:
    """Names in their order, from embedded players or from plain references to them."""
    if isinstance(value, dict):
        value = value.get("data")
    players = value[:PLAYERS] if isinstance(value, list) else []
    names = []
    for player in players:
        if isinstance(player, dict):
            known = player.get("names")
            name = known.get("international") if isinstance(known, dict) else None
            names.append(clean_text(name or player.get("name") or player.get("id")))
    return ", ".join(name for name in names if name)


def _clock(seconds: float | None) -> str:
    """`h:mm:ss`, as leaderboards write it."""
    if seconds is None:
        return "?"
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
