"""What happens without anybody asking: how often to look for new speedruns, and what is worth a new training.

The numbers only. Who acts on them is in `emurl_pipeline.rescraping`; how a dataset's novelty is measured, in
`emurl_core.frames.novelty`.
"""

from pydantic import Field

from emurl_core.configuration import StageConfig


class AutomationConfig(StageConfig):
    """When to look for new speedruns, and when to train again."""

    enabled: bool = False
    """Look for new speedruns by schedule, and build what follows from them, while Dagster's daemon (`emurl ui`) runs. The
    switches in Dagster's UI, once touched, win over this."""
    cron: str = "0 5 * * *"
    """When to look, in cron's five fields: minute, hour, day of the month, month, day of the week."""
    timezone: str = "UTC"
    """Of these hours."""
    novel_share: float = Field(0.02, ge=0)
    """Train again when the frames that are new or gone since the last training are at least this share of those it had."""
    novel_frames: int = Field(1, ge=1)
    """And at least so many."""
    removal_is_novel: bool = True
    """A video that is gone from the dataset always counts, however short: what was withdrawn should leave the models."""
    poll_s: int = Field(30, ge=1)
    """Seconds between two looks at what changed."""
    retry_wait_minutes: float = Field(10.0, gt=0)
    """Before a video is tried again whose try broke off without a known outcome (a killed process, say); doubles each time. The
    waits after known outcomes are their own, see `emurl outcomes`."""
    retry_tries: int = Field(3, ge=0)
    """How often at most."""
    stale_after_hours: float = Field(72.0, ge=0)
    """A table of speedruns older than this is shown as stale; 0 never."""
    failure_log: str = ""
    """File that gets a line of JSON for each failed run; empty is none."""
    failure_command: tuple[str, ...] = ()
    """Program and its arguments that are started for each failed run, with the JSON on its standard input; never through a
    shell."""
    failure_command_timeout_s: float = Field(60.0, gt=0)
    """Seconds that it has."""
