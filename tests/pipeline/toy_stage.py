"""A stage small enough to be built in a moment, in the shape of the real ones."""

import numpy as np
from PIL import Image

from emurl_core.artifacts import Artifact, version_of
from emurl_core.configuration import StageConfig
from emurl_core.stage import StageContext

CODE_VERSION = "7"


class ToyConfig(StageConfig):
    """How the toy is made."""

    steps: int = 3
    """Points of its training curve."""
    quality: float = 0.9
    """What its check looks at."""


def make_toy(config: ToyConfig, context: StageContext) -> Artifact:
    """A picture, a metric beside its baseline, a curve."""
    if config.steps < 0:
        raise ValueError(f"found steps={config.steps}, expected at least 0; raise it")
    version = version_of(config, CODE_VERSION)
    if (existing := context.store.reuse("toy", version)) is not None:
        return existing
    for step in range(config.steps):
        context.sink.log({"loss": 1 / (step + 1)}, step)
    with context.store.draft("toy", version, config=config, code_version=CODE_VERSION) as draft:
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(draft.pictures() / "swatch.png")
        draft.metrics |= {"test/accuracy": config.quality, "test/majority": 0.4}
        draft.facts["good"] = config.quality > 0.5
    return context.store.get("toy", version)
