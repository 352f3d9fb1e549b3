"""speedrun.com's API as it is: categories of a game, and all runs of a filter in spite of pages, walls and moods.

What a run's JSON means for a row of the table is in `speedrun_com`; which earlier runs are kept is in `run_memory`.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from emurl_core.runtime import track
from emurl_core.sources.cleaning import clean_text
from emurl_core.sources.web import ApiError, JsonClient

PAGE = 200
"""The most runs the API gives at once."""
WALL = 10_000
"""No page may reach past this many runs of a listing, although `next` points there."""
_KEPT = ("id", "category", "date", "submitted", "status", "times", "videos", "players")

Json = dict[str, Any]
Direction = Literal["asc", "desc"]
_log = logging.getLogger(__name__)


@dataclass
class Crawl:
    """What a crawl found.

    Attributes:
        runs: by id, each cut down to the fields that are used.
        complete: whether the whole listing was read.
        malformed: entries that are no runs.
    """

    runs: dict[str, Json] = field(default_factory=dict)
    complete: bool = True
    malformed: int = 0

    def add(self, other: "Crawl") -> None:
        """Take in what another crawl found."""
        self.runs |= other.runs
        self.complete &= other.complete
        self.malformed += other.malformed


class SpeedrunComApi:
    """One API.

    Args:
        base: address without a slash at the end, for example `https://www.speedrun.com/api/v1`.
    """

    def __init__(self, client: JsonClient, base: str) -> None:
        self._client = client
        self._base = base.rstrip("/")

    def categories(self, game: str) -> dict[str, str]:
        """Names of the game's categories by id.

        Raises:
            ValueError: there is no such game; FetchError: no usable answer.
        """
        where = f"{self._base}/games/{quote(game, safe='')}/categories"
        try:
            listed = _list(self._client.get(where), where)
        except ApiError as error:
            if error.status != 404:
                raise
            raise ValueError(
                f"found no game {game!r} at {self._base}, expected the id or short name of one; look it up in the address of "
                "its page and set scrape.speedrun_game"
            ) from error
        named = {c["id"]: clean_text(c.get("name")) for c in listed if isinstance(c.get("id"), str)}
        return {id: name or id for id, name in named.items()}

    def verified_runs(
        self, game: str, categories: Mapping[str, str], chosen: tuple[str, ...], limit: int, expected: int
    ) -> Crawl:
        """Every verified run of the game, or of the chosen categories.

        Args:
            categories: all names by id: a game whose runs are too many for one listing is listed by category.
            chosen: ids of the categories; empty is the whole game.
            limit: stop after so many runs, earliest submitted first; 0 is no limit.
            expected: how many there were the last time, for the ETA; 0 if not known.
        """
        found = Crawl()
        if not chosen:
            found = self._listing({"game": game}, limit, expected)
            if found.complete or (limit and len(found.runs) >= limit):
                return found
            _log.info(
                "speedrun.com: more runs than a listing shows; listing each of the categories by itself"
            )
            found.complete, chosen = True, tuple(categories)
        for category in chosen:
            found.add(
                self._listing({"game": game, "category": category}, limit, 0, " " + categories[category])
            )
        if not found.complete and not limit:
            _log.warning(
                "speedrun.com: a category has more than %d runs; those in its middle are out of the API's reach",
                2 * WALL,
            )
        return found

    def _listing(self, filters: Mapping[str, str], limit: int, expected: int, label: str = "") -> Crawl:
        """All runs of a filter. Behind the wall they are reached from the other end, until both crawls meet."""
        found = Crawl()
        end = self._window(filters, "asc", found, limit, expected, label)
        if end == "wall":
            end = self._window(filters, "desc", found, limit, 0, label + " from the end")
        found.complete = end == "end"
        return found

    def _window(
        self,
        filters: Mapping[str, str],
        direction: Direction,
        found: Crawl,
        limit: int,
        expected: int,
        label: str,
    ) -> Literal["end", "wall", "limit"]:
        """Read pages until the listing ends, the wall is met, or (from the end) only known runs come."""
        offset = 0
        pages = _progress(f"speedrun.com{label}", expected)
        while offset < WALL:
            if limit and len(found.runs) >= limit:
                return "limit"
            page, asked = self._page(filters, direction, offset)
            next(pages, None)
            before = len(found.runs)
            for run in page:
                if isinstance(run, dict) and isinstance(run.get("id"), str):
                    found.runs[run["id"]] = {k: run[k] for k in _KEPT if k in run}
                else:
                    found.malformed += 1
            if len(page) < asked:
                return "end"
            if len(found.runs) == before:
                if direction == "desc":
                    return "end"
                raise ApiError(
                    "unavailable",
                    f"{self._base}/runs: found nothing new in the {len(page)} runs from {offset} on, expected new ones: the "
                    "listing repeats itself; try again later",
                )
            offset += len(page)
        return "wall"

    def _page(self, filters: Mapping[str, str], direction: Direction, offset: int) -> tuple[list[Any], int]:
        """The runs from `offset` on, and how many there would be if the listing did not end there."""
        where = f"{self._base}/runs"
        asked = min(PAGE, WALL - offset)
        # The default order, by game, is another one each time, and loses runs between pages.
        order = {"orderby": "submitted", "direction": direction, "max": asked, "offset": offset}
        answer = self._client.get(where, {**filters, "status": "verified", **order, "embed": "players"})
        runs = _list(answer, where, any_entry=True)
        # A mirror may give smaller pages than asked for; it says so.
        pagination = answer.get("pagination")
        if not isinstance(pagination, dict) or not isinstance(pagination.get("max"), int):
            raise _wrong_shape(where, answer, "'pagination' with 'max'")
        granted = pagination["max"]
        return runs, min(asked, granted) if granted > 0 else asked


def wrong_categories(asked: tuple[str, ...], categories: Mapping[str, str]) -> list[str]:
    """Those that are neither an id nor a name."""
    known = {*categories, *(name.casefold() for name in categories.values())}
    return [a for a in asked if a not in known and a.casefold() not in known]


def chosen_categories(asked: tuple[str, ...], categories: Mapping[str, str]) -> tuple[str, ...]:
    """Ids of the categories asked for by id or name.

    Raises:
        ValueError: one is not there; says which there are.
    """
    if wrong := wrong_categories(asked, categories):
        known = ", ".join(f"{name!r} ({id})" for id, name in categories.items())
        raise ValueError(
            f"found the categories {wrong}, expected some of {known}; correct scrape.speedrun_categories"
        )
    names = {a.casefold() for a in asked if a not in categories}
    return tuple(id for id, name in categories.items() if id in asked or name.casefold() in names)


def _list(answer: Any, where: str, any_entry: bool = False) -> list[Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise _wrong_shape(where, answer, "a list 'data'")
    return data if any_entry else [entry for entry in data if isinstance(entry, dict)]


def _wrong_shape(where: str, answer: Any, expected: str) -> ApiError:
    keys = sorted(map(str, answer))[:8] if isinstance(answer, dict) else type(answer).__name__
    return ApiError(
        "unsupported", f"{where}: found JSON with {keys}, expected {expected}; check scrape.speedrun_api"
    )


def _progress(label: str, expected: int) -> Iterator[int]:
    """Pages of a listing that does not tell its length: as many as the last time, else as many as there can be."""
    pages = expected // PAGE + 1 if expected else WALL // PAGE
    return track(pages, f"{label}, {'about' if expected else 'at most'} {pages} pages of {PAGE} runs")
