"""What every training and rollout needs to run: device, precision, seeds, progress with an ETA, a place for metrics.

Where results are kept is in `emurl_core.artifacts`.
"""

import json
import random
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from tqdm import tqdm

from emurl_core.configuration import StageConfig


class RuntimeConfig(StageConfig):
    """Where and how numbers are crunched. Not part of an artifact's identity."""

    device: str = "auto"
    """`auto` (CUDA when there is one), `cpu`, `cuda` or `cuda:N`."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 on CUDA and float32 on a CPU."""
    threads: int = 0
    """Torch threads; 0 leaves torch's own choice."""


class MetricSink(Protocol):
    """Receives training curves. A back-end is this one method."""

    def log(self, metrics: Mapping[str, float], step: int) -> None: ...


class NullSink:
    """Forgets everything."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        pass


class JsonLinesSink:
    """Appends one JSON object a call to a file: `{"step": 3, "loss": 0.2}`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        with self.path.open("a") as f:
            f.write(json.dumps({"step": step, **{k: float(v) for k, v in metrics.items()}}) + "\n")


def pick_device(config: RuntimeConfig) -> torch.device:
    """The device asked for. Raises ValueError when CUDA is asked for and absent."""
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"found no CUDA device, expected one because device={config.device!r}: "
            "use device='cpu' or 'auto', or install a torch build and a driver that see the GPU"
        )
    return torch.device(config.device)


def autocast(device: torch.device, config: RuntimeConfig) -> AbstractContextManager[Any]:
    """bfloat16 autocast where the precision setting asks for it, else nothing."""
    wanted = config.precision
    if wanted == "auto":
        wanted = "bfloat16" if device.type == "cuda" else "float32"
    return torch.autocast(device.type, torch.bfloat16) if wanted == "bfloat16" else nullcontext()


def cpu_computes_in_bfloat16() -> bool:
    """Whether this processor has instructions for it. Without them it is emulated, slower than float32."""
    # torch has no public name for it.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported is not None and supported())


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def slow_bar(**settings: Any) -> Any:
    """A `tqdm` bar on stderr for work that takes minutes: a terminal gets a bar, a log file a line every half minute."""
    terminal = sys.stderr.isatty()
    pause_s = {"mininterval": 0.5, "delay": 1.0} if terminal else {"mininterval": 30.0, "delay": 30.0}
    return tqdm(
        file=sys.stderr, dynamic_ncols=terminal, ascii=not terminal, leave=False, **pause_s, **settings
    )


def track(total: int, description: str, start: int = 0) -> Iterator[int]:
    """Count from `start` to `total`, showing progress and an ETA on stderr.

    A terminal gets a bar; a log file gets a line every ten seconds instead of one a step.
    """
    bar = tqdm(
        range(start, total),
        desc=description,
        initial=start,
        total=total,
        file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
        dynamic_ncols=sys.stderr.isatty(),
        ascii=not sys.stderr.isatty(),
    )
    yield from bar


class Stopwatch:
    """Seconds of wall time since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start
