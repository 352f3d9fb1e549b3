"""An artifact that is being written. `store` makes drafts and publishes them; what is published is an `artifact`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


@dataclass
class Draft:
    """An artifact being written: put files under `path`, fill `facts` and `metrics`."""

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    def save_tensors(self, tensors: Mapping[str, torch.Tensor], name: str = "weights") -> None:
        """Write `<name>.safetensors`."""
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in tensors.items()}, self.path / f"{name}.safetensors"
        )

    def pictures(self) -> Path:
        """The folder for PNG and GIF files, made on first use."""
        folder = self.path / "pictures"
        folder.mkdir(exist_ok=True)
        return folder


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("w") as f:
        json.dump(value, f, indent=1, sort_keys=True)
        f.flush()
        os.fsync(f.fileno())
