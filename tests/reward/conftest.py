"""A reward model trained once on made-up speedruns for all tests of the stage."""

from pathlib import Path

import pytest
from room_speedruns import TINY, runs
from tile_speedruns import dataset_of
from tiny_models import quiet_context

from emurl_core.artifacts import Artifact
from emurl_core.reward import train_reward
from emurl_core.stage import StageContext


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return quiet_context(tmp_path / "home")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[StageContext, Artifact, Artifact]:
    """A store with a dataset and a reward model trained on it, for reading."""
    home = tmp_path_factory.mktemp("reward")
    context = quiet_context(home / "home")
    dataset = dataset_of(runs(), context, home / "videos")
    return context, dataset, train_reward(dataset, TINY, context)
