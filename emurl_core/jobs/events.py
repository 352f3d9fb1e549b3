"""What a job says while it runs: JSON lines in a file, each written at once, so that several processes may write.

    {"event": "opened", "rank": 0, "pid": 41}      {"event": "curve", "step": 3, "metrics": {"tokenizer/loss": 0.2}}
    {"event": "warning", "message": "…"}           {"event": "result", "artifact": "tokenizer@…"}
    {"event": "failed", "message": "…", "rank": 0, "foreseen": true}

`foreseen` failures say what to do; the others carry a traceback.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Events:
    """The file of one job; without a path nothing is written. Also a sink of training curves and a log handler."""

    def __init__(self, path: Path | None, rank: int = 0) -> None:
        self.path, self.rank = path, rank

    def tell(self, event: str, **told: Any) -> None:
        """Append one line."""
        if self.path is None:
            return
        line = json.dumps({"event": event, "rank": self.rank, **told}) + "\n"
        # One write in append mode: lines of several processes stay whole.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """A point of the training curves."""
        self.tell("curve", step=step, metrics={name: float(value) for name, value in metrics.items()})


class WarningEvents(logging.Handler):
    """Warnings of the library as events."""

    def __init__(self, events: Events) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("emurl"):
            self._events.tell("warning", message=record.getMessage())
