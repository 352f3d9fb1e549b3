"""Take a video back: what is stale then, which files are its own, and their deletion.

The record that everything else reads is in `emurl_core.sources.retractions`. Records, indexes and lineage are never deleted: what a
model was built from stays known.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emurl_core.artifacts import Artifact, ArtifactStore, RunBook
from emurl_core.frames.extract import video_file
from emurl_core.frames.store import FRAMES_FILE
from emurl_core.lineage.graph import PER_VIDEO, Built, built_from_video
from emurl_core.lineage.known_videos import require_known
from emurl_core.sources.retractions import Retraction, RetractionBook
from emurl_core.sources.video_lock import alone


@dataclass(frozen=True)
class Doomed:
    """A file that goes with its video."""

    path: Path
    what: str
    size_bytes: int


@dataclass(frozen=True)
class Aftermath:
    """What a retraction means.

    Attributes:
        before: the retraction that stood already.
        built: everything that has the video in its lineage, oldest first.
        twins: other videos with the very same content: they stay, as long as they are not retracted too.
        files: what was deleted; what would be, where nothing was asked to be deleted.
        deleted: whether it was.
    """

    retraction: Retraction
    before: Retraction | None
    built: list[Built]
    twins: dict[str, str]
    files: list[Doomed]
    deleted: bool

    @property
    def stale(self) -> list[Built]:
        """What learnt something from it; the video's own files and frames are not counted."""
        return [b for b in self.built if b.part.used and b.artifact.kind not in PER_VIDEO]

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        r = self.retraction
        return {
            "video_id": r.video_id,
            "reason": r.reason,
            "at_utc": r.at_utc,
            "was_retracted": self.before is not None,
            "stale": [b.as_dict() for b in self.stale],
            "listed": [b.as_dict() for b in self.built if b not in self.stale],
            "same_content": self.twins,
            "files": [{"path": str(f.path), "what": f.what, "bytes": f.size_bytes} for f in self.files],
            "deleted": self.deleted,
        }


def retract(
    store: ArtifactStore,
    video_id: str,
    reason: str = "",
    *,
    delete_files: bool = False,
    tell: Callable[[Doomed], None] = lambda file: None,
) -> Aftermath:
    """Leave a video out from now on. Calling it again changes the reason, deletes files, or ends a deletion that was killed.

    Args:
        reason: may be empty for a video that is retracted already.
        delete_files: delete the video file, its frames and clips, and what was cached or drawn of them.
        tell: is told each file before the first is deleted.

    Raises:
        ValueError: there is no such video (the message names near ones), or no reason was given.
        ArtifactError: the record of an earlier retraction is damaged.
    """
    require_known(store, video_id)
    book = RetractionBook(store.home)
    before = book.find(video_id)
    retraction = book.note(video_id, reason)
    built = built_from_video(store, video_id)
    twins = _twins(store, video_id, built)
    if not delete_files and (before is None or before.files != "going"):
        return Aftermath(retraction, before, built, twins, list(_files(store, video_id, built)), False)
    # A download that is on its way publishes first; what comes later is refused, since the record stands.
    with alone(store.home, video_id):
        files = list(_files(store, video_id, built_from_video(store, video_id)))
        for file in files:
            tell(file)
        book.note(video_id, files="going")
        for file in files:
            file.path.unlink(missing_ok=True)
        retraction = book.note(video_id, files="gone")
    return Aftermath(retraction, before, built, twins, files, True)


def take_back(store: ArtifactStore, video_id: str) -> Retraction:
    """The video may be used again. Returns the retraction that stood.

    Raises:
        ValueError: there is no such video, or it is not retracted.
    """
    require_known(store, video_id)
    before = RetractionBook(store.home).undo(video_id)
    if before is None:
        raise ValueError(
            f"found no retraction of {video_id}, expected one to undo; `emurl retract` lists them"
        )
    return before


def _files(store: ArtifactStore, video_id: str, built: Sequence[Built]) -> Iterator[Doomed]:
    """What is on this disk of the video's pictures. The models' own files are theirs."""
    for what, path in _paths(store, video_id, [b.artifact for b in built]):
        if path.is_file():
            yield Doomed(path, what, path.stat().st_size)


def _paths(store: ArtifactStore, video_id: str, built: Sequence[Artifact]) -> Iterator[tuple[str, Path]]:
    own = [a for a in built if a.partition == video_id]
    for artifact in own:
        if artifact.kind == "video":
            yield "video", video_file(artifact)
        elif artifact.kind in PER_VIDEO:
            yield artifact.kind, artifact.path / FRAMES_FILE
        for picture in artifact.pictures.values():
            yield "picture", picture
    for kind in PER_VIDEO:
        for path in sorted((store.home / "work" / kind / video_id).rglob("*")):
            yield "unfinished", path
    for artifact in built:
        if artifact.kind == "frame_dataset":
            for path in sorted((store.home / "cache" / "tokens").glob(f"{artifact.version}-*.npy")):
                yield "cache", path
    runs = RunBook(store.home).of(a.id for a in own)
    for run in (run for made in runs.values() for run in made):
        if run.mlflow_run_id:
            copies = (store.home / "mlflow_artifacts").glob(f"*/{run.mlflow_run_id}/artifacts/pictures/*")
            yield from (("picture", path) for path in sorted(copies))
    for folder in ("lineage", "report"):
        for page in sorted((store.home / folder).rglob("*.html")):
            if video_id in page.read_text(errors="replace"):
                yield "page", page


def _twins(store: ArtifactStore, video_id: str, built: Sequence[Built]) -> dict[str, str]:
    """`{video id: why}` of videos that show the same."""
    found: dict[str, str] = {}
    retracted = RetractionBook(store.home).reasons()
    own = [b.artifact for b in built if b.artifact.partition == video_id]
    hashes = {str(a.facts["sha256"]) for a in own if a.kind == "video"}
    for version in {h[:16] for h in hashes}:
        for folder in (store.root / "video").glob(f"*/{version}"):
            other = store.find("video", version, folder.parent.name)
            if other is not None and other.partition and other.facts["sha256"] in hashes:
                found[other.partition] = "the same file"
    cuts = {str(a.facts["frames_sha256"]) for a in own if a.kind == "frames"}
    newest = next((b.artifact for b in reversed(built) if b.artifact.kind == "frame_dataset"), None)
    for row in newest.facts.get("videos", []) if newest else []:
        if row["frames_sha256"] in cuts:
            found.setdefault(row["video_id"], "the same frames")
    return {v: why for v, why in sorted(found.items()) if v != video_id and v not in retracted}
