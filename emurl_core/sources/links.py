"""The metadata table: one row for each video link of each speedrun."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact

SCHEMA = pa.schema(
    [
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("game", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("players", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("time_s", pa.float64()),
        pa.field("duration_s", pa.float64()),
        pa.field("date", pa.string()),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("row_hash", pa.string(), nullable=False),
    ]
)
FILE = "runs.parquet"


@dataclass(frozen=True)
class VideoLink:
    """One video of one speedrun.

    Attributes:
        run_id: the speedrun; the same for all its parts. Decides the split.
        url: where the video is; its scheme picks the fetcher.
        part: order of this video within its speedrun, from 0.
        time_s: the run's official time in seconds, None where unknown.
        duration_s: announced length of the video in seconds, None where unknown.
        date: ISO date of the run, None where unknown.
        fingerprint: anything else that changes when the video changes, for example a size and a modification time.
    """

    run_id: str
    source: str
    game: str
    url: str
    category: str = ""
    players: str = ""
    title: str = ""
    part: int = 0
    time_s: float | None = None
    duration_s: float | None = None
    date: str | None = None
    fingerprint: str = ""

    @property
    def video_id(self) -> str:
        """File-name-safe id, stable for a source and an address. Hashed, since two ids may differ by case only."""
        return f"{self.source}-{hashlib.sha256(f'{self.source}|{self.url}'.encode()).hexdigest()[:12]}"

    @property
    def row_hash(self) -> str:
        """Changes exactly when the row does."""
        return hashlib.sha256(json.dumps(_row(self), sort_keys=True).encode()).hexdigest()[:16]


def links_table(links: Iterable[VideoLink]) -> pa.Table:
    """The table of `SCHEMA`, sorted by video id, one row for each video (the last of equal ids wins)."""
    unique = {link.video_id: link for link in links}
    rows = [_row(k) | {"video_id": v, "row_hash": k.row_hash} for v, k in sorted(unique.items())]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(link: VideoLink) -> dict[str, Any]:
    # Flat and without copies: `asdict` takes most of the time of a listing of thousands.
    return {field.name: getattr(link, field.name) for field in fields(VideoLink)}


def write_links(links: Iterable[VideoLink], folder: Path) -> None:
    """Write the table to `folder/runs.parquet`."""
    pq.write_table(links_table(links), folder / FILE)


def read_links(runs: Artifact) -> list[VideoLink]:
    """The links of a `speedrun_runs` artifact, in the order of their video ids."""
    rows = pq.read_table(runs.expect("speedrun_runs").path / FILE).to_pylist()
    derived = ("video_id", "row_hash")
    return [VideoLink(**{k: v for k, v in row.items() if k not in derived}) for row in rows]


def find_link(video_id: str, runs: Artifact) -> VideoLink:
    """The row of a video; ValueError when the table has none."""
    for link in read_links(runs):
        if link.video_id == video_id:
            return link
    raise ValueError(
        f"found no video {video_id!r} in {runs.id}, expected one of its rows; scrape again or name another video"
    )
