"""A training in a process of its own that is really killed once it has come far enough."""

import json
import subprocess
import sys
import time
from pathlib import Path

from safetensors import safe_open

from emurl_core.training.checkpoint import FILE


def train_and_kill(function: str, home: Path, work: Path, steps: int) -> None:
    """Run `tiny_models.<function>(home)` and send it SIGKILL when its resume state in `work` has `steps` steps."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import tiny_models; getattr(tiny_models, sys.argv[2])(sys.argv[3])"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent), function, str(home)], stderr=subprocess.PIPE
    )
    while finished_steps(work) < steps:
        if child.poll() is not None:
            assert child.stderr is not None
            raise AssertionError(f"the training ended by itself: {child.stderr.read().decode()[-2000:]}")
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -9


def finished_steps(work: Path) -> int:
    """Steps in the resume state; 0 when there is none."""
    if not (work / FILE).is_file():
        return 0
    with safe_open(work / FILE, framework="pt") as file:
        return int(json.loads(file.metadata()["progress"])["step"])
