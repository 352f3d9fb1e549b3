"""What differs between two artifacts of one kind: videos, frames, settings, code and metrics. As plain data.

A frame is the same in both when it is of the same video, at the same time, with the same hash. Only where a video was cut twice are
the indexes of its frames read; everything else is in the artifacts' own lineage.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.frames.store import INDEX_FILE
from emurl_core.lineage.answer import summary
from emurl_core.lineage.graph import PER_VIDEO

_GAP_S = 1.6
"""Frames further apart than this are two stretches."""


def difference(old: Artifact, new: Artifact, store: ArtifactStore) -> dict[str, Any]:
    """What `new` has and `old` has not, and the other way round.

    Returns:
        `{"old": id, "new": id, "frames": {"added", "removed", "kept"},
        "videos": {"added": [id], "removed": [id], "recut": [id], "moved": {id: [old split, new split]}},
        "per_video": [{video_id, change, title, split, added, removed, kept, added_s, removed_s, reason}]`: those that differ,
        stretches `[[start_s, end_s, frames]]` of the video's time; counts of a cut whose index is gone are None,
        `"stages": {stage: [old version, new version]}`, `"config": {dotted name: [old, new]}`, `"code": {stage: [old, new]}`,
        `"metrics": {stage: {name: [old, new]}}}`.

    Raises:
        ArtifactError: they are of different kinds, or of different videos.
    """
    if (old.kind, old.partition) != (new.kind, new.partition):
        raise ArtifactError(
            f"found {old.id} beside {new.id}, expected two versions of one kind; compare others"
        )
    before, after = summary(old, store), summary(new, store)
    rows = list(_per_video(before, after, store))
    stages_old, stages_new = _stages(old), _stages(new)
    both = sorted(stages_old.keys() & stages_new.keys())
    return {
        "old": old.id,
        "new": new.id,
        "frames": {k: _total(row[k] for row in rows) for k in ("added", "removed", "kept")},
        "videos": {
            **{k: [r["video_id"] for r in rows if r["change"] == k] for k in ("added", "removed", "recut")},
            "moved": {r["video_id"]: r["split"] for r in rows if isinstance(r["split"], list)},
        },
        "per_video": [row for row in rows if row["change"]],
        "stages": {
            name: [_version(stages_old.get(name)), _version(stages_new.get(name))]
            for name in sorted(stages_old.keys() | stages_new.keys())
            if _version(stages_old.get(name)) != _version(stages_new.get(name))
        },
        "config": {
            f"{name}.{key}": pair
            for name in both
            for key, pair in _changed(stages_old[name]["config"], stages_new[name]["config"]).items()
        }
        | _cutting(before, after, "config"),
        "code": {
            name: [stages_old[name]["code_version"], stages_new[name]["code_version"]]
            for name in both
            if stages_old[name]["code_version"] != stages_new[name]["code_version"]
        }
        | _cutting(before, after, "code_version"),
        "metrics": {
            name: changed
            for name in both
            if (changed := _changed(stages_old[name].get("metrics", {}), stages_new[name].get("metrics", {})))
        },
    }


def _per_video(
    before: Mapping[str, Any], after: Mapping[str, Any], store: ArtifactStore
) -> Iterator[dict[str, Any]]:
    old, new = (_seen(answer) for answer in (before, after))
    reasons = {r["video_id"]: r["reason"] for dataset in after["datasets"] for r in dataset["retracted"]}
    for video in sorted(old.keys() | new.keys()):
        was, now = old.get(video), new.get(video)
        known: Any = now or was
        row = {"video_id": video, "title": known["title"], "split": known["split"], "sha256": known["sha256"]}
        row["reason"] = (
            (f"retracted: {reasons[video]}" if video in reasons else None) if now is None else None
        )
        if was is None or now is None:
            stretch = [[known["start_s"], known["end_s"], known["frames"]]]
            sides = ("added", "removed") if was is None else ("removed", "added")
            yield row | {
                "change": sides[0],
                sides[0]: known["frames"],
                sides[1]: 0,
                "kept": 0,
                f"{sides[0]}_s": stretch if known["start_s"] is not None else [],
                f"{sides[1]}_s": [],
            }
        else:
            if was["sha256"] != now["sha256"]:
                row["reason"] = (
                    f"another file: SHA-256 {(was['sha256'] or '–')[:16]} → {(now['sha256'] or '–')[:16]}"
                )
            if was["split"] != now["split"]:
                row["split"] = [was["split"], now["split"]]
            yield row | _cut_twice(was, now, store)


def _cut_twice(was: Mapping[str, Any], now: Mapping[str, Any], store: ArtifactStore) -> dict[str, Any]:
    moved = "moved" if was["split"] != now["split"] else None
    if was["frames_sha256"] == now["frames_sha256"] or was["frames_artifact"] == now["frames_artifact"]:
        nothing = {"added": 0, "removed": 0, "kept": now["frames"], "added_s": [], "removed_s": []}
        return {"change": moved, **nothing}
    old, new = (_frames(side["frames_artifact"], store) for side in (was, now))
    if old is None or new is None:
        unknown: dict[str, Any] = {
            "added": None,
            "removed": None,
            "kept": None,
            "added_s": [],
            "removed_s": [],
        }
        return {"change": "recut", **unknown}
    here, gone = np.isin(new, old), ~np.isin(old, new)
    return {
        "change": "recut",
        "added": int((~here).sum()),
        "removed": int(gone.sum()),
        "kept": int(here.sum()),
        "added_s": _stretches(new["pts_s"][~here]),
        "removed_s": _stretches(old["pts_s"][gone]),
    }


def _seen(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {v["video_id"]: v for v in answer["videos"] if v["used"]}


def _frames(frames_id: str, store: ArtifactStore) -> np.ndarray | None:
    """`(n,) {pts_s float64, hash uint64}` of a cut; None when its index is gone."""
    place, _, version = frames_id.rpartition("@")
    artifact = store.find("frames", version, place.partition("/")[2])
    if artifact is None or not artifact.has(INDEX_FILE):
        return None
    index = pq.read_table(artifact.path / INDEX_FILE, columns=["pts_s", "frame_hash"])
    found = np.empty(len(index), [("pts_s", np.float64), ("hash", np.uint64)])
    found["pts_s"], found["hash"] = index["pts_s"].to_numpy(), index["frame_hash"].to_numpy()
    return found


def _stretches(pts_s: np.ndarray) -> list[list[float]]:
    """Times as `[[start_s, end_s, frames]]`."""
    if not len(pts_s):
        return []
    pieces = np.split(pts_s, np.flatnonzero(np.diff(pts_s) > _GAP_S) + 1)
    return [[float(p[0]), float(p[-1]), len(p)] for p in pieces]


def _stages(artifact: Artifact) -> dict[str, Mapping[str, Any]]:
    """Nodes that are not of one video, by kind; where one kind is there more than once, by `kind#number`. The artifact always."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for id, node in sorted(artifact.lineage["nodes"].items(), key=lambda item: item[1]["created_utc"]):
        if node["kind"] not in PER_VIDEO or id == artifact.id:
            by_kind.setdefault(node["kind"], []).append(node)
    # Videos come from the tables of many scrapes: the newest says enough.
    by_kind["speedrun_runs"] = by_kind.get("speedrun_runs", [])[-1:]
    return {
        kind if len(nodes) == 1 else f"{kind}#{i}": node
        for kind, nodes in by_kind.items()
        for i, node in enumerate(nodes, 1)
    }


def _cutting(before: Mapping[str, Any], after: Mapping[str, Any], what: str) -> dict[str, list[Any]]:
    """How the cutting of frames and clips differs: the settings that most videos were cut with on either side."""
    found: dict[str, list[Any]] = {}
    for kind in ("frames", "clip"):
        sides = [_usual([s for s in a["frame_settings"] if s["kind"] == kind]) for a in (before, after)]
        if sides[0] is None or sides[1] is None:
            continue
        if what == "config":
            changed = _changed(sides[0]["config"], sides[1]["config"])
            found |= {f"{kind}.{key}": pair for key, pair in changed.items()}
        elif sides[0][what] != sides[1][what]:
            found[kind] = [sides[0][what], sides[1][what]]
    return found


def _usual(settings: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return max(settings, key=lambda s: s["videos"], default=None)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = sorted(old.keys() | new.keys())
    return {k: [old.get(k), new.get(k)] for k in names if old.get(k) != new.get(k)}


def _version(node: Mapping[str, Any] | None) -> str | None:
    return None if node is None else str(node["version"])


def _total(counts: Iterator[int | None]) -> int | None:
    """The sum; None when a part of it is not known."""
    known = list(counts)
    return None if None in known else sum(n for n in known if n is not None)
