"""What a materialization shows of its lineage: a short table of videos, frames and dataset, and the page that has all of it."""

import logging
from collections.abc import Mapping
from typing import Any

import dagster as dg

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.lineage import page_path, summary, write_page

_ROWS = 6
"""Dagster's page shows Markdown in place only when it is short."""


def lineage_metadata(artifact: Artifact, store: ArtifactStore) -> dict[str, Any]:
    """`lineage` as Markdown and `lineage_page`, the path of the page, which is written anew."""
    found = summary(artifact, store)
    shown: dict[str, Any] = {"lineage": dg.MetadataValue.md(_markdown(found))}
    try:
        page = write_page(page_path(store, artifact), store, artifact)
    except OSError as error:
        logging.getLogger("emurl").warning("the lineage page of %s was not written: %s", artifact.id, error)
    else:
        shown["lineage_page"] = dg.MetadataValue.path(str(page))
    if found["retracted"]:
        shown["built_from_retracted_videos"] = dg.MetadataValue.json(found["retracted"])
    return shown


def _markdown(found: Mapping[str, Any]) -> str:
    videos = found["videos"]
    lines = [
        f"**⚠ built from the retracted video `{v}`**: {reason}" for v, reason in found["retracted"].items()
    ][:_ROWS]
    lines.append(
        f"**{len({v['video_id'] for v in videos})} videos, {found['frames']['count']:,} frames**"
        + "".join(f", dataset `{d['id']}`" for d in found["datasets"] if d["id"] != found["artifact"])
    )
    if videos:
        lines += ["", "| video | split | frames | seconds | SHA-256 |", "|---|---|---|---|---|"]
        lines += [_row(v) for v in videos[:_ROWS]]
    rest = f"{len(videos) - _ROWS} more: " if len(videos) > _ROWS else "all: "
    return "\n".join([*lines, "", f"{rest}`emurl lineage {found['artifact']}`"])


def _row(v: Mapping[str, Any]) -> str:
    seconds = f"{v['start_s']:.0f} – {v['end_s']:.0f}" if v["start_s"] is not None else "–"
    count = "–" if v["frames"] is None else f"{v['frames']:,}"
    return f"| {v['video_id']} | {v['split'] or '–'} | {count} | {seconds} | {(v['sha256'] or '–')[:8]} |"
