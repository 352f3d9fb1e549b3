"""The `video` artifact: published under its file's hash, one copy on disk of equal bytes, found again by its row."""

import os
from pathlib import Path
from urllib.parse import urlparse

from emurl_core.artifacts import Artifact, ArtifactStore, Input, file_sha256
from emurl_core.sources.download_configuration import DownloadConfig
from emurl_core.sources.inspection import VideoFacts
from emurl_core.sources.links import VideoLink
from emurl_core.sources.local import VIDEO_SUFFIXES
from emurl_core.sources.outcomes import OutcomeBook
from emurl_core.sources.registry import Fetched
from emurl_core.stage import StageContext

CODE_VERSION = "1"
_NOT_KEPT = frozenset({"cookies_file", "retry"})
"""Settings that the artifact does not tell of."""


def find_video(link: VideoLink, store: ArtifactStore, book: OutcomeBook) -> Artifact | None:
    """The video that this row leads to, if it was fetched. New words about a run (title, category) don't make it another."""
    told = {k: getattr(link, k) for k in ("run_id", "game", "url", "part", "time_s", "fingerprint")}
    told["listed_s"] = link.duration_s
    versions = store.versions("video", link.video_id)
    for video in reversed(versions):
        facts = video.facts
        if facts["row_hash"] == link.row_hash or all(k in facts and facts[k] == v for k, v in told.items()):
            return video
    # A row that changed may have led to the same bytes as before.
    known = book.find(link.video_id)
    if known is not None and known.outcome == "ok" and known.circumstances == link.row_hash:
        return next((video for video in versions if video.id == known.artifact), None)
    return None


def publish(
    link: VideoLink,
    runs: Artifact,
    file: Path,
    found: VideoFacts,
    fetched: Fetched,
    config: DownloadConfig,
    context: StageContext,
) -> Artifact:
    store, sha256 = context.store, file_sha256(file)
    version = sha256[:16]
    existing = store.find("video", version, link.video_id)
    if existing is not None and existing.facts["sha256"] == sha256:
        # The same bytes as before: put back, if the file was let go.
        os.replace(file, existing.path / existing.facts["file"])
        store.choose(existing)
        return existing
    known_suffix = os.path.splitext(urlparse(link.url).path)[1].lower() in VIDEO_SUFFIXES
    name = file.name if known_suffix else f"video{found.suffix}"
    twin = _twin(link.video_id, sha256, context)
    with store.draft(
        "video",
        version,
        config=config.model_dump(mode="json", exclude=set(_NOT_KEPT)),
        code_version=CODE_VERSION,
        inputs=[Input("speedrun_runs", runs)],
        partition=link.video_id,
    ) as draft:
        if twin is None or not _linked(twin.path / twin.facts["file"], draft.path / name):
            os.rename(file, draft.path / name)
        draft.facts |= {
            "video_id": link.video_id,
            "run_id": link.run_id,
            "row_hash": link.row_hash,
            "game": link.game,
            "source": link.source,
            "url": link.url,
            "title": link.title,
            "players": link.players,
            "part": link.part,
            "time_s": link.time_s,
            "file": name,
            "sha256": sha256,
            "bytes": (draft.path / name).stat().st_size,
            "duration_s": found.duration_s,
            "fingerprint": link.fingerprint,
            "listed_s": link.duration_s,
            "announced_s": link.duration_s or fetched.duration_s,
            "width_px": found.width_px,
            "height_px": found.height_px,
            "fps": found.fps,
            "codec": found.codec,
            **fetched.facts,
        }
        if twin is not None:
            draft.facts["same_as"] = twin.id
    return store.get("video", version, link.video_id)


def _twin(video_id: str, sha256: str, context: StageContext) -> Artifact | None:
    """The video that has the same bytes under another address."""
    for folder in sorted((context.store.root / "video").glob(f"*/{sha256[:16]}*")):
        if folder.parent.name != video_id and (folder / "artifact.json").is_file():
            other = context.store.find("video", folder.name, folder.parent.name)
            if other is not None and other.facts["sha256"] == sha256:
                return other
    return None


def _linked(existing: Path, wanted: Path) -> bool:
    try:
        os.link(existing, wanted)
    except OSError:
        return False
    return True
