"""Resume state of an unfinished training: one safetensors file, replaced atomically, with its bookkeeping as JSON inside.

Random generators need no place here: the loop derives every one of them from (seed, step). Finished weights are kept by
`emurl_core.artifacts`.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from emurl_core.artifacts import ArtifactError

FILE = "training.safetensors"

Weights = dict[str, torch.Tensor]


@dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    """Finished optimizer steps."""
    seconds: float = 0.0
    """Wall time spent, over all sittings."""
    best_value: float = float("inf")
    """Lowest validation value seen."""
    best_step: int = -1
    """Finished steps when it was seen; -1 before the first validation."""
    stale: int = 0
    """Validations since then without a better one."""
    stopped: bool = False
    """Training ended early."""

    def numbers(self) -> list[float]:
        """All of it as numbers."""
        return [float(value) for value in asdict(self).values()]

    def take(self, numbers: list[float]) -> None:
        """Become what `numbers` of another one said."""
        kinds = [type(value) for value in asdict(self).values()]
        for name, kind, number in zip(asdict(self), kinds, numbers, strict=True):
            setattr(self, name, kind(number))


def copied(model: nn.Module) -> Weights:
    """The model's parameters and buffers as CPU copies."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def save(
    work: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, best: Weights | None
) -> None:
    """Replace the resume state in `work`; a kill at any moment leaves the old one or the new one, whole."""
    tensors = {f"model/{name}": tensor for name, tensor in copied(model).items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{name}/{key}"] = value.detach().cpu().clone()
    tensors |= {f"best/{name}": tensor for name, tensor in (best or {}).items()}
    staged = work / f".{FILE}.new"
    save_file(tensors, staged, metadata={"progress": json.dumps(asdict(progress))})
    with staged.open("rb") as f:
        os.fsync(f.fileno())
    os.replace(staged, work / FILE)


def load(
    work: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Progress, Weights | None] | None:
    """Put model and optimizer back to the state saved in `work`; None when there is none.

    Raises ArtifactError when the file is damaged or belongs to another model.
    """
    path = work / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads(file.metadata()["progress"]))
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        model.load_state_dict(_below(tensors, "model/"))
        for name, parameter in model.named_parameters():
            # Copies, because views into the file's buffer are aligned otherwise, and alignment may change last bits.
            state = {key: value.clone() for key, value in _below(tensors, f"optimizer/{name}/").items()}
            optimizer.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device) for key, value in state.items()
            }
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"found the resume state {path}, which does not fit this training ({' '.join(str(error).split())}); expected "
            f"one written by the same code and config: delete the folder {work} and start the stage again"
        ) from error
    return progress, _below(tensors, "best/") or None


def _below(tensors: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
