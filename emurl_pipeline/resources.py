"""What all assets share: the data folder, the runtime and the game. Tracking is in `emurl_pipeline.tracking`."""

from typing import Any

import dagster as dg
from pydantic import Field

from emurl_core.artifacts import ArtifactStore
from emurl_core.configuration import StageConfig
from emurl_pipeline.run_config import run_config_class


class DataHome(dg.ConfigurableResource):
    """The folder of videos, frames and artifacts."""

    home: str = Field(default="", description="Data folder; empty is $EMURL_HOME, else data/.")

    def store(self) -> ArtifactStore:
        """The artifact store in that folder."""
        return ArtifactStore(self.home or None)


def settings_resource(defaults: StageConfig) -> Any:
    """A resource with the fields of a configuration, for settings that several assets share."""
    return run_config_class(defaults, base=dg.ConfigurableResource)()
