"""Resume states of a policy training: one safetensors file each, with its bookkeeping as JSON inside.

A state holds everything the next iteration depends on: network, optimizer, random stream, normaliser, memories,
emulators, sentinels with the last healthy weights.
Finished policies are kept by `emurl_core.artifacts`.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from emurl_core.artifacts import ArtifactError
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sentinels import Watchmen

_PATTERN = "iteration-*.safetensors"


def save(
    work: Path,
    iteration: int,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    collector: Collector,
    watchmen: Watchmen,
    notes: dict[str, Any],
    kept: int,
) -> None:
    """Add the state after `iteration` iterations; a kill at any moment leaves whole files only. The oldest are removed."""
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{name}/{key}"] = value
    tensors |= {f"collector/{name}": tensor for name, tensor in collector.state().items()}
    tensors |= {f"watchmen/{name}": tensor for name, tensor in watchmen.state().items()}
    about = {"iteration": iteration, "stream": collector.stream.bit_generator.state, "notes": notes}
    path = work / f"iteration-{iteration:07d}.safetensors"
    staged = path.with_suffix(".new")
    # Copies, because safetensors refuses tensors that share memory.
    plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_file(plain, staged, metadata={"about": json.dumps(about)})
    with staged.open("rb") as f:
        os.fsync(f.fileno())
    os.replace(staged, path)
    for old in sorted(work.glob(_PATTERN))[:-kept]:
        old.unlink()


def load(
    work: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    collector: Collector,
    watchmen: Watchmen,
) -> tuple[int, dict[str, Any]] | None:
    """Go back to the newest state in `work`: `(finished iterations, notes)`; None when there is none.

    Raises ArtifactError when the file is damaged or belongs to another training.
    """
    found = sorted(work.glob(_PATTERN))
    if not found:
        return None
    try:
        with safe_open(found[-1], framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            # Copies, because views into the file's buffer are aligned otherwise, and alignment may change last bits.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        network.load_state_dict(_below(tensors, "network/"))
        for name, parameter in network.named_parameters():
            if state := _below(tensors, f"optimizer/{name}/"):
                optimizer.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in state.items()
                }
        collector.restore(_below(tensors, "collector/"))
        watchmen.restore(_below(tensors, "watchmen/"))
        collector.stream = np.random.default_rng()
        collector.stream.bit_generator.state = about["stream"]
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise ArtifactError(
            f"found the resume state {found[-1]}, which does not fit this training ({' '.join(str(error).split())}); expected "
            "one written by the same code and config: delete it (an older one beside it is then used) and start again"
        ) from error
    return int(about["iteration"]), about["notes"]


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
