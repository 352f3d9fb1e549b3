"""Jobs in processes of their own, alone or by torchrun, and what they said."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emurl_core.jobs.request import Request
from emurl_core.runtime import RuntimeConfig

ONE_THREAD = RuntimeConfig(device="cpu", threads=1)


class Started:
    """A job that was started on a home."""

    def __init__(
        self, stage: str, home: Path, arguments: Mapping[str, Any], ranks: int = 1, **env: str
    ) -> None:
        self.folder = home.parent / f"{stage}-{home.name}-{ranks}"
        self.folder.mkdir(exist_ok=True)
        self.events_path = self.folder / "events.jsonl"
        self.events_path.unlink(missing_ok=True)
        file = self.folder / "job.json"
        Request(home, arguments, ONE_THREAD, self.events_path).write(file)
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        self.command = [
            sys.executable, *(torchrun if ranks > 1 else []), "-m", f"emurl_core.jobs.{stage}", "--config", str(file),
        ]  # fmt: skip
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment(env)
        )

    def finish(self) -> "Started":
        """Wait for the end; keeps `status`, `out` and `err`."""
        self.out, self.err = self.process.communicate(timeout=120)
        self.status = self.process.returncode
        return self

    @property
    def events(self) -> list[dict[str, Any]]:
        if not self.events_path.is_file():
            return []
        return [json.loads(line) for line in self.events_path.read_text().splitlines()]

    def curve(self, name: str) -> dict[int, float]:
        """Value by step."""
        points = [e for e in self.events if e["event"] == "curve" and name in e["metrics"]]
        assert {e["rank"] for e in points} <= {0}, "only the first rank may log"
        return {e["step"]: e["metrics"][name] for e in points}


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}
