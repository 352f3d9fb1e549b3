"""The rows of a dataset's manifest: which frames of which video, and the split their speedrun falls into."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import pyarrow as pa

from emurl_core.artifacts import Artifact
from emurl_core.frames.parts import Candidate, repeats
from emurl_core.sources.links import VideoLink, read_links

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
LEFT_OUT = ("duplicate", "mirror")
"""What stands in the place of the split of a video whose frames are not used."""
MANIFEST_FILE = "manifest.parquet"

MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("frames_id", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("frames_sha256", pa.string(), nullable=False),
        pa.field("video_sha256", pa.string(), nullable=False),
        pa.field("duplicate_of", pa.string()),
    ]
)


@dataclass(frozen=True)
class ManifestRow:
    """One video's frames in a dataset.

    Attributes:
        split: `train`, `validation`, `test`; `duplicate` for the very same video or frames as another row's; `mirror`
            for another upload of what other videos of its speedrun show (see `parts`).
        part: its place among the videos of its speedrun.
        duplicate_of: the video id of that other row.
    """

    split: str
    run_id: str
    part: int
    video_id: str
    frames_id: str
    rows: int
    frames_sha256: str
    video_sha256: str
    duplicate_of: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def split_of(run_id: str, validation_share: float, test_share: float) -> Split:
    """The split of a speedrun: a hash of its id and nothing else, so it never depends on which others there are."""
    point = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big") / 2**64
    if point < test_share:
        return "test"
    return "validation" if point < test_share + validation_share else "train"


def manifest_rows(
    frames: Sequence[Artifact],
    runs: Artifact,
    validation_share: float,
    test_share: float,
    min_confidence: float,
) -> list[ManifestRow]:
    """Rows in the order of split, speedrun and part; those left out come last."""
    links = {link.video_id: link for link in read_links(runs)}
    rows: list[ManifestRow] = []
    seen: dict[str, str] = {}
    for artifact in sorted(frames, key=lambda f: f.partition or ""):
        facts = artifact.facts
        if facts["kept"] == 0 or facts.get("confidence", 1.0) < min_confidence:
            continue
        video_id = artifact.partition or artifact.version
        link = links.get(video_id)
        run_id = link.run_id if link else str(facts["run_id"])
        first = seen.get(facts["video_sha256"]) or seen.get(facts["frames_sha256"])
        seen.setdefault(facts["video_sha256"], video_id)
        seen.setdefault(facts["frames_sha256"], video_id)
        rows.append(
            ManifestRow(
                split="duplicate" if first else split_of(run_id, validation_share, test_share),
                run_id=run_id,
                part=link.part if link else int(facts.get("part", 0)),
                video_id=video_id,
                frames_id=artifact.id,
                rows=int(facts["kept"]),
                frames_sha256=str(facts["frames_sha256"]),
                video_sha256=str(facts["video_sha256"]),
                duplicate_of=first,
            )
        )
    repeated = _mirrors(rows, {f.partition or f.version: f.facts for f in frames}, links)
    rows = [
        replace(r, split="mirror", duplicate_of=repeated[r.video_id]) if r.video_id in repeated else r
        for r in rows
    ]
    order = {name: i for i, name in enumerate((*SPLITS, *LEFT_OUT))}
    return sorted(rows, key=lambda r: (order[r.split], r.run_id, r.part, r.video_id))


def _mirrors(
    rows: Sequence[ManifestRow], facts: Mapping[str, Mapping[str, Any]], links: Mapping[str, VideoLink]
) -> dict[str, str]:
    by_run: dict[str, list[str]] = {}
    parts = {r.video_id: r.part for r in rows}
    for row in rows:
        if row.split not in LEFT_OUT:
            by_run.setdefault(row.run_id, []).append(row.video_id)
    found: dict[str, str] = {}
    for videos in by_run.values():
        if len(videos) < 2:
            continue
        candidates = [
            Candidate(v, parts[v], facts[v]["end_s"] - facts[v]["start_s"], facts[v].get("confidence", 1.0))
            for v in videos
        ]
        known = [links[v] for v in videos if v in links]
        times = [k.time_s for k in known] + [facts[v].get("time_s") for v in videos]
        found |= repeats(
            candidates,
            time_s=next((t for t in times if t), None),
            ordered=any(facts[v].get("source") == "local" for v in videos),
        )
    return found
