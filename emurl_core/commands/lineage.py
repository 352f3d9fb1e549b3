"""Where things come from and what becomes of them: lineage, retract."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.commands.command import Command
from emurl_core.lineage import (
    Aftermath,
    as_text,
    built_as_text,
    built_from_video,
    descendants,
    difference,
    difference_as_text,
    require_known,
    retract,
    summary,
    take_back,
    write_page,
)
from emurl_core.lineage.graph import PER_VIDEO
from emurl_core.sources.retractions import RetractionBook

_ASSETS = {"videos": "video"}
"""Assets that are not called like what they make."""


@dataclass(frozen=True)
class Lineage(Command):
    """Tell what built an artifact: videos, frames, crops, datasets, settings, code, runs. Or what was built from a video. Or what differs between two versions."""

    kind: tyro.conf.Positional[str] = ""
    """For example reward_model, policy, frame_dataset; or video and frames with --partition. An id as it is printed will do too."""
    version: tyro.conf.Positional[str | None] = None
    """A version or the start of one; the current one if left out."""
    partition: str | None = None
    """Video id, for the kinds that have one artifact a video."""
    against: str | None = None
    """Another version: tell what is different from it, frames added and removed, settings, code, metrics."""
    from_video: str | None = None
    """Id of a video: tell everything that was built from it, every stage and version."""
    built: bool = False
    """Tell what was built from the artifact instead, from any version of it."""
    json: bool = False
    """Print JSON instead of text."""
    html: Path | None = None
    """Write a page with the graph and sample frames into this file too. It needs no other file and no network."""

    def run(self, store: ArtifactStore) -> int:
        if self.from_video is not None:
            return self._from_video(self.from_video, store)
        kind, version, partition = self._asked()
        if self.built:
            ids = [a.id for a in descendants(store, kind, partition)]
            print(json.dumps(ids, indent=1) if self.json else "\n".join(ids) or "nothing was built from it")
            return 0
        artifact = _artifact(store, kind, version, partition)
        against = _artifact(store, kind, self.against, partition) if self.against else None
        if against is not None:
            changes = difference(against, artifact, store)
            print(json.dumps(changes, indent=1) if self.json else difference_as_text(changes))
        else:
            found = summary(artifact, store)
            print(json.dumps(found, indent=1) if self.json else as_text(found))
        if self.html is not None:
            self._wrote(write_page(self.html, store, artifact, against=against))
        return 0

    def _from_video(self, video: str, store: ArtifactStore) -> int:
        require_known(store, video)
        built = built_from_video(store, video)
        retraction = RetractionBook(store.home).find(video)
        if self.json:
            told = asdict(retraction) if retraction else None
            rows = [b.as_dict() | {"stale": retraction is not None and b.part.used} for b in built]
            print(json.dumps({"video_id": video, "retraction": told, "built": rows}, indent=1))
        else:
            print(built_as_text(video, built, retraction))
        if self.html is not None:
            self._wrote(write_page(self.html, store, video=video))
        return 0

    def _asked(self) -> tuple[str, str | None, str | None]:
        """Kind, version and partition, out of an id too: `kind[/partition]@version`."""
        place, _, version = self.kind.partition("@")
        kind, _, partition = place.partition("/")
        if not kind:
            raise ValueError(
                "found neither an artifact nor --from-video, expected one of them; for example `emurl lineage reward_model`"
            )
        return _ASSETS.get(kind, kind), self.version or version or None, self.partition or partition or None

    def _wrote(self, page: Path) -> None:
        if not self.json:
            print(f"page: {page}")


@dataclass(frozen=True)
class Retract(Command):
    """Take a video back: the next dataset leaves it out, nothing fetches or cuts it again, and what was built from it is named."""

    video: tyro.conf.Positional[str] = ""
    """Id of the video; left out, the retracted ones are listed."""
    reason: str = ""
    """Why; it is kept with each dataset that leaves the video out."""
    delete_files: bool = False
    """Delete the video file, its frames, clips, pictures, caches and pages with them. Records and lineage stay."""
    undo: bool = False
    """The video may be used again. Deleted files are fetched and cut anew by the next run."""
    json: bool = False
    """Print JSON instead of text."""

    def run(self, store: ArtifactStore) -> int:
        if not self.video:
            return self._list(store)
        if self.undo:
            before = take_back(store, self.video)
            if self.json:
                print(json.dumps({"video_id": self.video, "undone": asdict(before)}, indent=1))
                return 0
            gone = (
                ""
                if before.files == "kept"
                else "; its files were deleted: `emurl run` fetches and cuts it again"
            )
            print(
                f"{self.video} may be used again, from the next dataset on (was retracted: {before.reason}){gone}"
            )
            return 0
        told = print if not self.json else lambda *_, **__: None
        found = retract(
            store,
            self.video,
            self.reason,
            delete_files=self.delete_files,
            tell=lambda f: told(f"deleting {f.what:<10} {f.size_bytes:>14,} bytes  {f.path}"),
        )
        print(json.dumps(found.as_dict(), indent=1) if self.json else _as_text(found))
        return 0

    def _list(self, store: ArtifactStore) -> int:
        found = RetractionBook(store.home).everything()
        if self.json:
            print(json.dumps([asdict(r) for r in found], indent=1))
            return 0
        files = {"kept": "files kept", "going": "files half deleted: call it again", "gone": "files deleted"}
        for r in found:
            print(f"{r.video_id:<26} {r.at_utc[:16].replace('T', ' ')}  {files[r.files]:<14} {r.reason}")
        if not found:
            print("no video is retracted")
        return 0


def _artifact(store: ArtifactStore, kind: str, version: str | None, partition: str | None) -> Artifact:
    if kind in PER_VIDEO and partition is None:
        raise ValueError(
            f"found {kind!r} without a video, expected the id of one: there is one artifact a video; add --partition VIDEO_ID"
        )
    if partition is not None and kind in PER_VIDEO:
        require_known(store, partition)
    return store.get(kind, version, partition)


def _as_text(found: Aftermath) -> str:
    r, stale = found.retraction, found.stale
    lines = [f"{r.video_id} {'stays' if found.before else 'is'} retracted: {r.reason}"]
    lines += [
        f"  {why} is here as {twin}, which stays in use: retract it too" for twin, why in found.twins.items()
    ]
    lines.append(
        f"{len(stale)} artifacts are stale{'; * is the current version of its stage' if stale else ''}"
    )
    for b in stale:
        mark, made = "*" if b.current else " ", b.artifact.record["created_utc"][:19]
        lines.append(f"{mark} {b.artifact.id:<46} {b.part.split or '–':<10} {made}Z")
    total = f"{len(found.files)} files, {sum(f.size_bytes for f in found.files):,} bytes"
    if found.deleted:
        lines.append(f"{total} deleted")
    elif found.files:
        lines.append(f"{total} of it are still here; --delete-files deletes them")
    lines.append(
        "the next dataset leaves it out: run `emurl run`, or `emurl dataset` and the stages after it"
    )
    return "\n".join(lines)
