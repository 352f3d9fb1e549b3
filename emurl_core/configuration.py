"""The base of every configuration class, and the one setting that says where data lives.

One frozen class stands above the code it configures; the CLI, the profiles and Dagster's run config are all derived from
it, so a default stands in one place only. Fields are flat and of simple types (str, int, float, bool, tuples of those,
Literal, Optional), because they must fit a command line and a web form.
"""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

HOME_VARIABLE = "EMURL_HOME"


class StageConfig(BaseModel):
    """Frozen, typo-proof configuration of one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def home_folder() -> Path:
    """Absolute folder of all data, caches and temporary files: `$EMURL_HOME`, else `data/` in the working directory."""
    return Path(os.environ.get(HOME_VARIABLE) or "data").expanduser().resolve()
