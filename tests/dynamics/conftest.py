"""A tokenizer and a dynamics model trained once for all tests of the stage."""

from pathlib import Path

import pytest
from tile_speedruns import tile_dataset
from tiny_models import TINY_DYNAMICS, TINY_TOKENIZER, quiet_context

from emurl_core.artifacts import Artifact
from emurl_core.dynamics import train_dynamics
from emurl_core.stage import StageContext
from emurl_core.tokenizer import train_tokenizer


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return quiet_context(tmp_path / "home")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[StageContext, Artifact, Artifact, Artifact]:
    """A store with a dataset, a tokenizer and a dynamics model, for reading."""
    home = tmp_path_factory.mktemp("shared")
    context = quiet_context(home / "home")
    dataset = tile_dataset(context, home)
    config = TINY_TOKENIZER.model_copy(update={"steps": 10, "unquantised_steps": 1, "validate_every": 10})
    tokenizer = train_tokenizer(dataset, config, context)
    return context, dataset, tokenizer, train_dynamics(dataset, tokenizer, TINY_DYNAMICS, context)
