"""Which videos, frames, datasets and configurations built an artifact, and what was built from a video.

Everything is read from the artifacts' own `lineage.json`, so it survives the loss of any database.
"""

from collections.abc import Mapping
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore


def ancestors(artifact: Artifact, kind: str) -> dict[str, Mapping[str, Any]]:
    """The nodes of one kind that an artifact was built from, by id: `{id: {version, partition, config, facts, ...}}`."""
    return {id: node for id, node in sorted(artifact.lineage["nodes"].items()) if node["kind"] == kind}


def descendants(store: ArtifactStore, kind: str, partition: str | None = None) -> list[Artifact]:
    """Every artifact that was built from any version of `kind[/partition]`, oldest first."""

    def built_from_it(artifact: Artifact) -> bool:
        own = (artifact.kind, artifact.partition) == (kind, partition)
        nodes = artifact.lineage["nodes"].values()
        return not own and any((n["kind"], n["partition"]) == (kind, partition) for n in nodes)

    return sorted(filter(built_from_it, store.everything()), key=lambda a: a.record["created_utc"])


def summary(artifact: Artifact) -> dict[str, Any]:
    """Lineage as plain data: the artifact, its videos with their frames, and every stage in between.

    Returns:
        `{"artifact": id, "videos": [{video_id, title, players, url, sha256, duration_s, run_id, split, frames, ...}],
        "stages": [{id, code_version, created_utc, config}]}`.
    """
    lineage = artifact.lineage
    nodes = lineage["nodes"]
    frames = {n["partition"]: n for n in nodes.values() if n["kind"] == "frames"}
    splits = {
        row["video_id"]: row["split"]
        for n in nodes.values()
        if n["kind"] == "frame_dataset"
        for row in n["facts"].get("videos", [])
    }
    videos = []
    for node in sorted((n for n in nodes.values() if n["kind"] == "video"), key=lambda n: n["partition"]):
        facts = node["facts"]
        cut = frames.get(node["partition"], {}).get("facts", {})
        videos.append(
            {
                "video_id": node["partition"],
                **{
                    k: facts.get(k)
                    for k in ("run_id", "title", "players", "url", "sha256", "bytes", "duration_s")
                },
                "split": splits.get(node["partition"]),
                "frames": cut.get("kept"),
                "frames_dropped": cut.get("dropped"),
                "frames_sha256": cut.get("frames_sha256"),
                "start_s": cut.get("start_s"),
                "end_s": cut.get("end_s"),
            }
        )
    stages = [
        {"id": id, **{k: n[k] for k in ("kind", "version", "code_version", "created_utc", "config")}}
        for id, n in sorted(nodes.items(), key=lambda item: item[1]["created_utc"])
        if n["kind"] not in ("video", "frames")
    ]
    return {"artifact": artifact.id, "videos": videos, "stages": stages, "edges": lineage["edges"]}


def as_text(artifact: Artifact) -> str:
    """`summary` for people."""
    found = summary(artifact)
    total = sum(v["frames"] or 0 for v in found["videos"])
    lines = [f"{found['artifact']} was built from {len(found['videos'])} videos, {total:,} frames"]
    for stage in found["stages"]:
        lines.append(f"  {stage['id']:<45} code {stage['code_version']}  {stage['created_utc'][:19]}Z")
    if found["videos"]:
        lines.append(
            f"  {'video':<26} {'split':<10} {'frames':>7} {'from':>7} {'to':>7}  {'video SHA-256':<16} {'frames SHA-256':<16} title"
        )
    for v in found["videos"]:
        time = [f"{v[k]:>6.0f}s" if v[k] is not None else f"{'–':>7}" for k in ("start_s", "end_s")]
        lines.append(
            f"  {v['video_id']:<26} {v['split'] or '–':<10} {v['frames'] if v['frames'] is not None else '–':>7} {time[0]} {time[1]}  "
            f"{(v['sha256'] or '–')[:16]:<16} {(v['frames_sha256'] or '–')[:16]:<16} {v['title'] or ''}"
        )
    return "\n".join(lines)
