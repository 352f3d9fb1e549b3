"""Source `archive_org`: videos of items that a search on archive.org finds, as direct addresses of their files.

An item holds one or more uploaded videos and smaller copies that the site made of each. Of every video the best copy of
at most 720 lines is taken; the videos of one item are the parts of one run.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from emurl_core.runtime import track
from emurl_core.sources.cleaning import clean_date, clean_seconds, clean_text
from emurl_core.sources.links import VideoLink
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.sources.web import ApiError, JsonClient, json_client

PAGE = 100
WALL = 10_000
"""The search shows no more results than this."""
MAX_HEIGHT_PX = 720
SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mkv", ".webm", ".ogv", ".mov", ".avi", ".mpg", ".mpeg", ".flv", ".ts"}
)
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\Z")
_HASH = re.compile(r"[0-9a-f]{32,64}\Z")

Json = dict[str, Any]
_log = logging.getLogger(__name__)


class ArchiveOrgSource:
    """Lists. `skipped` counts what the last listing left out."""

    notice = "archive.org: each item has terms of its own; the videos belong to those who made them. See docs/sources.md"

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()

    def list_runs(self, config: ScrapeConfig, home: Path) -> list[VideoLink]:
        """One link for each video of each item found, in the order of the items' identifiers.

        Raises:
            ValueError: nothing to search for; FetchError: the site gave no usable answer.
        """
        self.skipped.clear()
        if not config.archive_query.strip():
            raise ValueError(
                "found an empty archive_query, expected words to search for; set scrape.archive_query, for example to "
                "'title:(pokemon red speedrun)'"
            )
        client = json_client(config, home)
        base = config.archive_api.rstrip("/")
        identifiers = list(self._search(client, base, config))
        links = []
        for i in track(len(identifiers), "archive.org items"):
            links += self._item(client, base, identifiers[i], config)
        _log.info("archive.org: %d items; %d requests", len(identifiers), client.requests)
        return links

    def _search(self, client: JsonClient, base: str, config: ScrapeConfig) -> Iterator[str]:
        """Identifiers of the items found, each once."""
        where = f"{base}/advancedsearch.php"
        asked: dict[str, str | int] = {
            "q": f"({config.archive_query.strip()}) AND mediatype:(movies)",
            "fl[]": "identifier",
            "sort[]": "identifier asc",
            "rows": PAGE,
            "output": "json",
        }
        seen: set[str] = set()
        for page in range(1, WALL // PAGE + 1):
            answer = client.get(where, {**asked, "page": page})
            found, docs = _results(answer, where)
            for doc in docs:
                identifier = doc.get("identifier") if isinstance(doc, dict) else None
                if not isinstance(identifier, str) or not _IDENTIFIER.match(identifier):
                    self.skipped["bad_id"] += 1
                elif identifier not in seen:
                    seen.add(identifier)
                    yield identifier
                    if len(seen) == config.max_runs:
                        return
            if not docs or page * PAGE >= found:
                return
        _log.warning(
            "archive.org: the search shows only the first %d of %d items; narrow scrape.archive_query",
            WALL,
            found,
        )

    def _item(self, client: JsonClient, base: str, identifier: str, config: ScrapeConfig) -> list[VideoLink]:
        try:
            item = client.get(f"{base}/metadata/{identifier}")
        except ApiError as error:
            # One item that is gone or closed; a site that does not answer at all stops the listing.
            if error.status is None or error.status >= 420:
                raise
            self.skipped["item_gone"] += 1
            return []
        files = item.get("files") if isinstance(item, dict) else None
        if not isinstance(files, list) or item.get("is_dark") is True:
            self.skipped["item_gone"] += 1
            return []
        about = item.get("metadata")
        about = about if isinstance(about, dict) else {}
        chosen = self._videos([file for file in files if isinstance(file, dict)])
        title = _text(about.get("title")) or identifier
        return [
            VideoLink(
                run_id=f"archive_org-{identifier}",
                source="archive_org",
                game=config.game,
                url=f"{base}/download/{identifier}/{quote(file['name'])}",
                players=_text(about.get("creator")),
                title=title if len(chosen) == 1 else f"{title}, video {part + 1} of {len(chosen)}",
                part=part,
                duration_s=_length_s(file.get("length")),
                date=clean_date(_text(about.get("date"))),
                fingerprint=_fingerprint(file),
            )
            for part, file in enumerate(chosen)
        ]

    def _videos(self, files: list[Json]) -> list[Json]:
        """The best copy of each video, in the order of the uploaded files' names."""
        copies: dict[str, list[Json]] = defaultdict(list)
        for file in files:
            name = file.get("name")
            if not isinstance(name, str) or PurePosixPath(name).suffix.lower() not in SUFFIXES:
                continue
            if name.startswith("/") or {"..", "."} & set(name.split("/")):
                self.skipped["bad_name"] += 1
                continue
            if str(file.get("private")).lower() == "true":
                self.skipped["private_file"] += 1
                continue
            original = file.get("original")
            copies[original if isinstance(original, str) else name].append(file)
        if not copies:
            self.skipped["item_without_video"] += 1
        chosen = []
        for name in sorted(copies):
            fitting = [file for file in copies[name] if (_height_px(file) or 0) <= MAX_HEIGHT_PX]
            if fitting:
                chosen.append(max(fitting, key=_preference))
            else:
                self.skipped["only_above_720"] += 1
        return chosen


def _preference(file: Json) -> tuple[bool, int, bool, bool, str]:
    """Of the copies of one video the one with most lines; of equals an mp4, then one the site made, which plays for sure."""
    name = str(file["name"])
    derived = file.get("source") == "derivative"
    height = _height_px(file)
    # A copy of unknown height is small when the site made it, and anything when somebody uploaded it.
    return (height is not None or derived, height or 0, name.lower().endswith(".mp4"), derived, name)


def _results(answer: Any, where: str) -> tuple[int, list[Any]]:
    response = answer.get("response") if isinstance(answer, dict) else None
    docs = response.get("docs") if isinstance(response, dict) else None
    found = response.get("numFound") if isinstance(response, dict) else None
    if not isinstance(docs, list) or not isinstance(found, int):
        said = clean_text(answer.get("error")) if isinstance(answer, dict) else ""
        raise ApiError(
            "unsupported",
            f"{where}: found JSON without search results{f' ({said})' if said else ''}, expected 'response' with 'numFound' "
            "and 'docs'; check scrape.archive_query and scrape.archive_api",
        )
    return found, docs


def _text(value: Any) -> str:
    """Metadata fields hold a text or a list of texts."""
    values = value if isinstance(value, list) else [value]
    return ", ".join(text for v in values[:20] if (text := clean_text(v)))


def _height_px(file: Json) -> int | None:
    try:
        height = int(str(file.get("height"))[:6])
    except ValueError:
        return None
    return height if height > 0 else None


def _length_s(value: Any) -> float | None:
    """Seconds out of `5025.13`, `83:45` or `1:23:45`."""
    try:
        numbers = [float(part) for part in str(value)[:20].split(":")]
    except ValueError:
        return None
    seconds = 0.0
    for number in numbers:
        seconds = seconds * 60 + number
    return clean_seconds(seconds)


def _fingerprint(file: Json) -> str:
    known = file.get("sha1") or file.get("md5")
    return known if isinstance(known, str) and _HASH.match(known) else ""
