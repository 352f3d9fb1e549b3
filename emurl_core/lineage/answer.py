"""What built this artifact, as plain data. For people it is said by `text` and `page`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore, RunBook
from emurl_core.frames.crop_segments import read_crop_segments
from emurl_core.lineage.graph import PER_VIDEO, parts
from emurl_core.sources.retractions import RetractionBook

_OF_VIDEO = ("run_id", "title", "players", "url", "sha256", "bytes", "duration_s")


def summary(artifact: Artifact, store: ArtifactStore | None = None) -> dict[str, Any]:
    """Everything that an artifact was built from.

    Args:
        store: where to look for the runs that made each artifact, for retractions, and for the crop segments of frames that older
            code cut; without it, the artifact's own `lineage.json` alone answers.

    Returns:
        `{"artifact": id,
        "frames": {"count", "videos", "sha256"}`: of the frames it saw, the hash over all their hashes (`frames_hash`),
        `"videos": [{video_id, title, sha256, split, used, frames, frames_sha256, start_s, end_s, crop_segments, retracted, ...}]`,
        `"datasets": [{id, facts}]`, `"stages": [{id, kind, version, code_version, created_utc, config, metrics, runs}]`,
        `"frame_settings": [{config, code_version, videos}]`, `"edges": [[from id, to id, role]]`,
        `"retracted": {video_id: reason}}`: of the videos it saw.
    """
    nodes, edges = artifact.lineage["nodes"], artifact.lineage["edges"]
    reasons = RetractionBook(store.home).reasons() if store else {}
    runs = RunBook(store.home).of(nodes) if store else {}
    made = {id: [asdict(run) for run in found] for id, found in runs.items()}
    videos = _videos(nodes, edges, store, made)
    for video in videos:
        video["retracted"] = reasons.get(video["video_id"])
    used = [v for v in videos if v["used"] and v["frames"] is not None]
    keep = ("kind", "version", "code_version", "created_utc", "config", "metrics")
    return {
        "artifact": artifact.id,
        "frames": {
            "count": sum(v["frames"] for v in used),
            "videos": len(used),
            "sha256": frames_hash(used) if used else None,
        },
        "videos": videos,
        "datasets": [{"id": id, **_of_dataset(n)} for id, n in _in_order(nodes, "frame_dataset")],
        "stages": [
            {"id": id, **{k: n.get(k) for k in keep}, "runs": made.get(id, [])}
            for id, n in _in_order(nodes)
            if n["kind"] not in PER_VIDEO or id == artifact.id
        ],
        "frame_settings": _frame_settings(nodes),
        "edges": edges,
        "retracted": {v["video_id"]: v["retracted"] for v in videos if v["used"] and v["retracted"]},
    }


def frames_hash(videos: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over `<video id> <frames SHA-256>` of each video, a line each, in the order of their ids."""
    lines = sorted(f"{v['video_id']} {v['frames_sha256']}\n" for v in videos)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _videos(
    nodes: Mapping[str, Any], edges: Iterable[list[str]], store: ArtifactStore | None, made: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row for each cut of each video; a video that was not cut has one too."""
    played = parts(nodes)
    source = {target: origin for origin, target, role in edges if role == "video"}
    cuts = dict(_in_order(nodes, "frames"))
    bare = {id: n for id, n in _in_order(nodes, "video") if id not in {source.get(c) for c in cuts}}
    rows = []
    for id, node in [*cuts.items(), *bare.items()]:
        cut = id in cuts
        video_id = source.get(id) if cut else id
        facts = nodes[video_id]["facts"] if video_id and video_id in nodes else {}
        of_cut = node["facts"] if cut else {}
        part = played[node["partition"]]
        rows.append(
            {
                "video_id": node["partition"],
                **{k: facts.get(k) or of_cut.get(k) for k in _OF_VIDEO},
                "sha256": facts.get("sha256") or of_cut.get("video_sha256"),
                "same_as": facts.get("same_as"),
                "video": video_id,
                "frames_artifact": id if cut else None,
                "split": part.split,
                "splits": dict(part.splits),
                "used": part.used and cut,
                "frames": of_cut.get("kept"),
                "frames_dropped": of_cut.get("dropped"),
                "frames_sha256": of_cut.get("frames_sha256"),
                "start_s": of_cut.get("start_s"),
                "end_s": of_cut.get("end_s"),
                "crop_segments": _segments(node, store) if cut else [],
                "runs": made.get(video_id or "", []) + (made.get(id, []) if cut else []),
            }
        )
    return sorted(rows, key=lambda row: (row["video_id"], row["frames_artifact"] or ""))


def _segments(node: Mapping[str, Any], store: ArtifactStore | None) -> list[dict[str, Any]]:
    if "crop_segments" in node["facts"]:
        return list(node["facts"]["crop_segments"])
    frames = store.find("frames", node["version"], node["partition"]) if store else None
    return read_crop_segments(frames) if frames else []


def _of_dataset(node: Mapping[str, Any]) -> dict[str, Any]:
    facts = {k: v for k, v in node["facts"].items() if k not in ("videos", "retracted")}
    return {"retracted": node["facts"].get("retracted", []), "facts": facts}


def _frame_settings(nodes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The settings and the code that frames and clips were cut with; each once, with how many videos."""
    found: dict[str, dict[str, Any]] = {}
    for _, node in _in_order(nodes):
        if node["kind"] in ("frames", "clip"):
            key = repr((node["kind"], node["code_version"], sorted(node["config"].items())))
            told = {k: node[k] for k in ("kind", "code_version", "config")}
            found.setdefault(key, told | {"videos": 0})["videos"] += 1
    return list(found.values())


def _in_order(nodes: Mapping[str, Any], kind: str | None = None) -> list[tuple[str, Any]]:
    chosen = [(id, n) for id, n in nodes.items() if kind is None or n["kind"] == kind]
    return sorted(chosen, key=lambda item: (item[1]["created_utc"], item[0]))
