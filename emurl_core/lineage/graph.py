"""Back from an artifact to what built it, and forward from a video to what was built from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.frames.manifest import SPLITS

PER_VIDEO = ("video", "frames", "clip")
"""Kinds of which there is one artifact a video."""


@dataclass(frozen=True)
class Part:
    """The part that a video plays in an artifact's lineage.

    Attributes:
        splits: its split in each dataset, by the dataset's id, oldest first. `duplicate` and `mirror` are splits that nothing
            is trained on; a video that a dataset looked at and has no row of is `left out`.
        used: whether the artifact saw its frames.
    """

    splits: Mapping[str, str]
    used: bool

    @property
    def split(self) -> str | None:
        """The split in the newest dataset; None without any."""
        return list(self.splits.values())[-1] if self.splits else None


@dataclass(frozen=True)
class Built:
    """Something that was built from a video.

    Attributes:
        current: whether it is the version that the next stage would take.
    """

    artifact: Artifact
    part: Part
    current: bool

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        a = self.artifact
        told = {"id": a.id, "kind": a.kind, "version": a.version, "partition": a.partition}
        told |= {k: a.record[k] for k in ("created_utc", "code_version")}
        return told | {"current": self.current, "split": self.part.split, "used": self.part.used}


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


def parts(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Part]:
    """The videos of a lineage's nodes, by id, and the part of each."""
    videos = sorted({n["partition"] for n in nodes.values() if n["kind"] in PER_VIDEO and n["partition"]})
    datasets = {
        id: {row["video_id"]: row["split"] for row in node["facts"].get("videos", [])}
        for id, node in sorted(nodes.items(), key=lambda item: item[1]["created_utc"])
        if node["kind"] == "frame_dataset"
    }
    found = {}
    for video in videos:
        splits = {id: rows.get(video, "left out") for id, rows in datasets.items()}
        used = not datasets or any(split in SPLITS for split in splits.values())
        found[video] = Part(splits, used)
    return found


def built_from_video(store: ArtifactStore, video_id: str) -> list[Built]:
    """Every artifact of every stage that has the video in its lineage, oldest first; its own file and frames too."""
    found = []
    for artifact in store.everything():
        nodes = artifact.lineage["nodes"]
        if any(n["partition"] == video_id for n in nodes.values()):
            chosen = store.find(artifact.kind, partition=artifact.partition)
            current = chosen is not None and chosen.version == artifact.version
            found.append(Built(artifact, parts(nodes).get(video_id, Part({}, True)), current))
    return sorted(found, key=lambda built: built.artifact.record["created_utc"])
