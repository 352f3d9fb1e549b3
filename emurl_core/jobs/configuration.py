"""Where stages run."""

from typing import Literal

from pydantic import Field

from emurl_core.configuration import StageConfig


class ExecutionConfig(StageConfig):
    """Where stages run. Not part of an artifact's identity."""

    launcher: Literal["inline", "subprocess", "torchrun", "ray"] = "inline"
    """`inline` computes in the process that runs the graph; `subprocess` gives each stage a process of its own; `torchrun` trains
    on all GPUs of this machine; `ray` hands stages to a Ray cluster that shares the data folder."""
    processes: int = Field(0, ge=0)
    """Processes that `torchrun` starts for a training; 0 is one for each GPU. Batches must be multiples of it."""
    ray_address: str = "http://127.0.0.1:8265"
    """Address of the Ray cluster's dashboard, where jobs are submitted."""
    ray_python: str = ""
    """The cluster's Python, with EmuRL in it; empty is the path of the one that asks."""
    ray_cpus: float = Field(1.0, ge=0)
    """Cores that Ray reserves for a stage; extraction takes one more for each video at work."""
    ray_gpus: float = Field(0.0, ge=0)
    """GPUs that Ray reserves for a stage that trains or plays."""
