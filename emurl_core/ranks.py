"""One training over several processes: which of them this one is, and what they do together.

`torchrun` starts the processes, called ranks; each computes its share of every batch, on a GPU of its own where there are
GPUs. In a process that `torchrun` did not start, or after `leave`, there is one rank and nothing here does anything. How the
training loop uses this is in `emurl_core.training.loop`.

Numbers that are trained with go through the fast group (NCCL between GPUs, else gloo). What ranks merely tell each other goes
through a second one, on CPUs, that waits for days: the first rank may take its time to prepare or to validate.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

RANK, SIZE, LOCAL_RANK = "RANK", "WORLD_SIZE", "LOCAL_RANK"
"""Environment variables by which `torchrun` tells a process its place."""
_PATIENCE = timedelta(days=7)
_told: Any = None
_others_wait = False


def started_as() -> tuple[int, int]:
    """Rank and number of ranks that this process was started as, joined or not."""
    return int(os.environ.get(RANK, 0)), int(os.environ.get(SIZE, 1))


def join(device: torch.device) -> None:
    """Meet the other ranks that `torchrun` started. `device` is where this one computes.

    The first rank then prepares alone and says `begin`; the others ask `may_begin` before they do anything.
    """
    global _told, _others_wait
    if started_as()[1] == 1 or dist.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    _told = dist.new_group(backend="gloo", timeout=_PATIENCE)
    _others_wait = True


def begin() -> None:
    """Said by the first rank once all is prepared that others need: they find it on the disk. Later ones change nothing."""
    global _others_wait
    if is_first() and _others_wait:
        told_by_first([1.0])
        _others_wait = False


def may_begin() -> bool:
    """For other ranks: wait until the first one says `begin` (True), or leaves without (False)."""
    return bool(told_by_first([0.0])[0])


def leave() -> None:
    """Have nothing to do with the others any more."""
    global _told, _others_wait
    if is_first() and _others_wait:
        told_by_first([0.0])
        _others_wait = False
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    _told = None


def device_of_rank(device: str) -> str:
    """The device setting for this rank: with `auto` or `cuda` each rank of a machine has the GPU of its own number.

    Raises ValueError when there are more ranks than GPUs.
    """
    local = int(os.environ.get(LOCAL_RANK, 0))
    if started_as()[1] == 1 or device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    if local >= torch.cuda.device_count():
        raise ValueError(
            f"found {torch.cuda.device_count()} GPUs for rank {local} of this machine, expected one for each rank; start "
            "fewer processes, or set runtime.device to cpu"
        )
    return f"cuda:{local}"


def size() -> int:
    """How many ranks train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this one, in `[0, size())`."""
    return dist.get_rank() if size() > 1 else 0


def is_first() -> bool:
    """Whether this is the rank that logs, validates, saves and publishes."""
    return rank() == 0


def share(batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """This rank's part of a batch; those of all ranks, in their order, are the batch."""
    if size() == 1:
        return batch
    return {name: tensor.chunk(size())[rank()] for name, tensor in batch.items()}


def mean(tensor: torch.Tensor) -> torch.Tensor:
    """The mean over ranks of a tensor of one shape; gradients flow through it."""
    return tensor if size() == 1 else _Mean.apply(tensor)


def gathered(tensor: torch.Tensor) -> torch.Tensor:
    """The tensors of all ranks, of one shape, one after the other in their order: `(n, ...) -> (size · n, ...)`."""
    if size() == 1:
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(size())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def of_first(tensor: torch.Tensor) -> torch.Tensor:
    """The first rank's tensor, on every rank. All bring one of the same shape and type."""
    if size() > 1:
        tensor = tensor.contiguous()
        dist.broadcast(tensor, 0)
    return tensor


def told_by_first(numbers: list[float]) -> list[float]:
    """The first rank's numbers, however long it takes to say them. All bring equally many."""
    if size() == 1:
        return numbers
    tensor = torch.tensor(numbers, dtype=torch.float64)
    dist.broadcast(tensor, 0, group=_told)
    return tensor.tolist()


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the whole batch, not of this rank's share."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if size() == 1 or not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            seen = x.float()
            centre = mean(seen.mean((0, 2, 3)))
            spread = mean((seen - centre[:, None, None]).square().mean((0, 2, 3)))
            scale = self.weight * (spread + self.eps).rsqrt()
            y = (seen - centre[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        self._remember(centre.detach(), spread.detach(), size() * x.numel() // x.shape[1])
        return y.to(x.dtype)

    @torch.no_grad()
    def _remember(self, centre: torch.Tensor, spread: torch.Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(centre, self.momentum)
        self.running_var.lerp_(spread * count / max(1, count - 1), self.momentum)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: torch.Tensor) -> torch.Tensor:
        return _averaged(tensor)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        # Every rank's loss depends on every rank's tensor.
        return _averaged(gradients[0])


def _averaged(tensor: torch.Tensor) -> torch.Tensor:
    total = tensor.detach().clone().contiguous()
    dist.all_reduce(total)
    return total / size()
