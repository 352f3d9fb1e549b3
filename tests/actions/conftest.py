"""Recordings of the embedded game whose buttons are known, taken through the real stages once a session."""

import pytest
from recorded_play import SPLITS, TINY_INVERSE, Recorded, publish_video, runs

from emurl_core.actions import ClipsConfig, LabelsConfig, cut_clips, label_actions, train_inverse_dynamics
from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.frames import FramesConfig, build_dataset, extract
from emurl_core.game import GameConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.links import VideoLink, write_links
from emurl_core.stage import StageContext


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Two training runs, one for validation, one for the test."""
    home = tmp_path_factory.mktemp("recorded")
    context = StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))
    links = [VideoLink(run, "test", "embedded", f"test://{run}") for run in runs()]
    held, frames = {}, []
    for seed, link in enumerate(links):
        video, held[link.video_id] = publish_video(context, link, seed)
        frames.append(
            extract(video, FramesConfig(keyframes=24, min_pictures=12, emulator_check=False), context)
        )
    with context.store.draft("speedrun_runs", "v1", config={}, code_version="1") as draft:
        write_links(links, draft.path)
    dataset = build_dataset(frames, context.store.get("speedrun_runs"), SPLITS, context)
    return Recorded(context, dataset, held)


@pytest.fixture(scope="session")
def clips(recorded: Recorded) -> Artifact:
    return cut_clips(recorded.dataset, ClipsConfig(workers=1), recorded.context)


@pytest.fixture(scope="session")
def inverse(recorded: Recorded, clips: Artifact) -> Artifact:
    return train_inverse_dynamics(clips, TINY_INVERSE, GameConfig(), recorded.context)


@pytest.fixture(scope="session")
def labels(recorded: Recorded, clips: Artifact, inverse: Artifact) -> Artifact:
    return label_actions(clips, inverse, LabelsConfig(), recorded.context)
