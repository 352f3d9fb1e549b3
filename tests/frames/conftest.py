"""Recorded clips with known truth, made once a session, and a store to extract them into."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tile_world import GREEN, Clip, Layout, record

from emurl_core.artifacts import Artifact, ArtifactStore, file_sha256
from emurl_core.frames.decode import VideoError, probe
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext

torch.set_num_threads(1)

SMALL = (480, 270)
CARD = Layout(size=SMALL, rect=None, seed=5)
LEFT = Layout(
    size=SMALL, rect=(20.3, 12.6, 272.0, 244.8), webcam=(320, 150, 140, 100), timer=(320, 60), seed=1
)
RIGHT = Layout(
    size=SMALL,
    rect=(196.0, 20.0, 250.0, 225.0),
    palette=GREEN,
    webcam=(10, 20, 150, 110),
    timer=(12, 200),
    seed=2,
)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def stream_clip(clips: Path) -> Clip:
    """A card, the game in one layout, the game in another, a card."""
    return record(clips / "stream.mp4", [(3, CARD), (22, LEFT), (18, RIGHT), (3, CARD)], seed=3, fps=15)


@pytest.fixture(scope="session")
def raw_clip(clips: Path) -> Clip:
    """A plain recording: the whole picture is the game."""
    whole = Layout(size=(320, 288), rect=(0, 0, 320, 288), interpolation="nearest", webcam=None, timer=None)
    return record(clips / "raw.mp4", [(24, whole)], seed=4, fps=15)


@pytest.fixture(scope="session")
def talk_clip(clips: Path) -> Clip:
    """A face cam and a timer, no game."""
    nothing = replace(LEFT, rect=(0, 0, 1, 1), webcam=(40, 30, 200, 180))
    return record(clips / "talk.mp4", [(14, nothing)], seed=4, fps=15)


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(ArtifactStore(tmp_path / "home"))


@pytest.fixture
def video(context: StageContext) -> Callable[..., Artifact]:
    """Publishes a file as a `video` artifact."""

    def publish(path: Path, run_id: str = "run-1", video_id: str | None = None, part: int = 0) -> Artifact:
        partition = video_id or f"test-{path.stem}"
        sha256 = file_sha256(path)
        with context.store.draft(
            "video", sha256[:16], config={}, code_version="1", partition=partition
        ) as draft:
            shutil.copy(path, draft.path / "video.mp4")
            draft.facts |= {
                "sha256": sha256,
                "run_id": run_id,
                "game": "tiles",
                "part": part,
                "file": "video.mp4",
                "url": path.resolve().as_uri(),
                "duration_s": _length_s(path),
            }
        return context.store.get("video", sha256[:16], partition)

    return publish


@pytest.fixture
def runs(context: StageContext) -> Callable[..., Artifact]:
    """Publishes links as a `speedrun_runs` artifact."""

    def publish(*links: VideoLink) -> Artifact:
        with context.store.draft("speedrun_runs", "v1", config={}, code_version="1") as draft:
            write_links(links, draft.path)
        return context.store.get("speedrun_runs", "v1")

    return publish


def _length_s(path: Path) -> float:
    try:
        return probe(path).duration_s
    except VideoError:
        return 0.0
