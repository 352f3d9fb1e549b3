"""Lineage as one self-contained HTML page: the graph of the stages, sample frames of each video, tables, settings, runs.

It asks no other address for anything. The answers themselves come from `answer`, `graph` and `difference`.
"""

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.lineage.answer import summary
from emurl_core.lineage.difference import difference
from emurl_core.lineage.drawing import Box, Drawing, draw
from emurl_core.lineage.graph import PER_VIDEO, Built, built_from_video
from emurl_core.lineage.samples import strip
from emurl_core.sources.retractions import RetractionBook

_SHOWN_VIDEOS = 120
"""Videos whose frames are shown; a page of thousands would be too heavy for a browser."""


def page_path(store: ArtifactStore, artifact: Artifact) -> Path:
    """Where the pipeline puts an artifact's page: `<home>/lineage/<kind>[/<video>]/<version>.html`."""
    folder = store.home / "lineage" / artifact.kind
    return (folder / artifact.partition if artifact.partition else folder) / f"{artifact.version}.html"


def write_page(
    target: Path,
    store: ArtifactStore,
    artifact: Artifact | None = None,
    *,
    against: Artifact | None = None,
    video: str | None = None,
) -> Path:
    """Write the page about an artifact, about what it has that `against` has not, or about what was built from a video.

    Raises:
        ArtifactError: `against` is of another kind.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emurl_core.lineage"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["number"] = lambda n: "–" if n is None else f"{n:,}"
    about = _about_artifact(store, artifact, against) if artifact else _about_video(store, video or "")
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{uuid.uuid4().hex}.html")
    try:
        staged.write_text(environment.get_template("lineage.html.j2").render(**about), encoding="utf-8")
        os.replace(staged, target)
    finally:
        staged.unlink(missing_ok=True)
    return target


def _about_artifact(store: ArtifactStore, artifact: Artifact, against: Artifact | None) -> dict[str, Any]:
    answer = summary(artifact, store)
    changes = difference(against, artifact, store) if against else None
    rows = changes["per_video"] if changes else [v for v in answer["videos"] if v["frames"] is not None]
    return {
        "title": artifact.id,
        "answer": answer,
        "changes": changes,
        "built": [],
        "retractions": answer["retracted"],
        "drawing": _backward(artifact, answer, changes),
        "samples": _samples(store, answer, against, rows),
        "sample_rest": max(0, len(rows) - _SHOWN_VIDEOS),
    }


def _about_video(store: ArtifactStore, video: str) -> dict[str, Any]:
    built = built_from_video(store, video)
    retraction = RetractionBook(store.home).find(video)
    cuts = [b.artifact for b in built if b.artifact.kind == "frames"]
    samples = [
        {"video_id": video, "title": a.facts.get("title", ""), "sign": "", "told": a.id, "picture": picture}
        for a in cuts
        if (picture := strip(store, a.id, frames=12))
    ]
    return {
        "title": f"built from {video}",
        "answer": None,
        "changes": None,
        "built": [b.as_dict() for b in built],
        "retractions": {video: retraction.reason} if retraction else {},
        "drawing": _forward(built, stale=retraction is not None),
        "samples": samples,
        "sample_rest": 0,
    }


def _samples(
    store: ArtifactStore,
    answer: Mapping[str, Any],
    against: Artifact | None,
    rows: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """A strip of frames for each video; of a difference, of the very frames that came or went."""
    here = {v["video_id"]: v["frames_artifact"] for v in answer["videos"] if v["frames_artifact"]}
    gone = {}
    if against is not None:
        gone = {v["video_id"]: v["frames_artifact"] for v in summary(against, store)["videos"]}
    shown = []
    for row in rows[:_SHOWN_VIDEOS]:
        video = row["video_id"]
        told = {"video_id": video, "title": row["title"]}
        if against is None:
            seconds = f"{row['start_s']:.0f} – {row['end_s']:.0f} s" if row["start_s"] is not None else ""
            words = f"{row['frames']:,} frames, {row['split'] or 'no split'}, {seconds}"
            shown.append(told | {"sign": "", "told": words, "picture": strip(store, row["frames_artifact"])})
            continue
        for sign, side, cuts in (("+", "added", here), ("−", "removed", gone)):
            if row[side] and cuts.get(video):
                picture = strip(store, cuts[video], row[f"{side}_s"])
                shown.append(
                    told | {"sign": sign, "told": f"{row[side]:,} frames {side}", "picture": picture}
                )
    return shown


def _backward(artifact: Artifact, answer: Mapping[str, Any], changes: Mapping[str, Any] | None) -> Drawing:
    """The graph of what built an artifact; the videos, and what there is one of for each, stand together."""
    nodes = artifact.lineage["nodes"]
    changed = {new: old for old, new in changes["stages"].values() if new} if changes else {}
    stale = _built_on(nodes, answer)
    boxes: list[Box] = []
    name: dict[str, str] = {}
    for kind in PER_VIDEO:
        ids = [id for id, n in nodes.items() if n["kind"] == kind and id != artifact.id]
        name |= dict.fromkeys(ids, kind)
        if ids:
            frames = sum(int(nodes[id]["facts"].get("kept", 0)) for id in ids)
            told = "" if kind == "video" else f"{frames:,} frames"
            plural = "" if len(ids) == 1 else "s"
            title = kind if kind == "frames" else f"{kind}{plural}"
            boxes.append(Box(kind, title, (f"of {len(ids)} video{plural}", told)))
    tables = [s["id"] for s in answer["stages"] if s["kind"] == "speedrun_runs"]
    for stage in answer["stages"]:
        if len(tables) > 1 and stage["id"] in tables:
            name[stage["id"]] = tables[-1]
            if stage["id"] == tables[-1]:
                lines = (stage["version"], f"and {len(tables) - 1} of earlier scrapes")
                boxes.append(Box(stage["id"], stage["kind"], lines))
            continue
        id = name[stage["id"]] = stage["id"]
        mark = "own" if id == artifact.id else "changed" if stage["version"] in changed else ""
        mark = "stale" if id in stale else mark
        told = f"was {changed[stage['version']] or 'not there'}" if stage["version"] in changed else ""
        second = told or f"code {stage['code_version']} · {stage['created_utc'][:16].replace('T', ' ')}"
        boxes.append(Box(id, stage["kind"], (stage["version"], second), mark))
    return draw(boxes, [(name[a], name[b]) for a, b, _ in answer["edges"] if a in name and b in name])


def _built_on(nodes: Mapping[str, Any], answer: Mapping[str, Any]) -> set[str]:
    """What in a lineage was built on a retracted video's frames."""
    found = {id for id, n in nodes.items() if n["partition"] in answer["retracted"]}
    while more := {b for a, b, _ in answer["edges"] if a in found and b not in found}:
        found |= more
    return found


def _forward(built: Sequence[Built], stale: bool) -> Drawing:
    boxes = []
    for b in built:
        a = b.artifact
        mark = "dim" if not b.part.used else "stale" if stale else "own" if b.current else ""
        when = a.record["created_utc"][:16].replace("T", " ")
        boxes.append(Box(a.id, a.kind, (a.version, f"{'current · ' if b.current else ''}{when}"), mark))
    return draw(boxes, [(i["id"], b.artifact.id) for b in built for i in b.artifact.record["inputs"]])
