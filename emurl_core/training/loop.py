"""The training loop: AdamW, warm-up and cosine, clipping, guards, curves, checkpoints, validation, keep-best.

Everything random in step `t` comes from (seed, t): the batch function draws from `step_generator`, and torch's global
generator is seeded anew before every step. So a training that was killed and resumed ends with the same bits as one that
was not, on a CPU with the same number of threads.

Started by `torchrun`, all ranks run this loop: each draws the same batch, keeps its share of it, and gradients are averaged
(`DistributedDataParallel`), so the loss curve is that of one process with the same batch, but for rounding and for what the
model itself draws at random in training. The first rank alone logs, validates and saves.
"""

import abc
import math
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from emurl_core import ranks
from emurl_core.runtime import Stopwatch, autocast, cpu_computes_in_bfloat16, pick_device, track
from emurl_core.stage import StageContext
from emurl_core.training import checkpoint
from emurl_core.training.configuration import FitConfig

Batch = Mapping[str, torch.Tensor]
Losses = tuple[torch.Tensor, dict[str, torch.Tensor]]
"""The scalar to minimise, and scalars worth a curve."""


class TrainingError(ValueError):
    """Training cannot go on. Says what was found, what was expected and what to do."""


class Trainable(nn.Module, abc.ABC):
    """A model that knows its own loss, which is what lets one loop serve all of them."""

    loss_uses_all_weights = True
    """Whether every weight takes part in every loss. Asked where several ranks train."""

    @abc.abstractmethod
    def loss(self, batch: Batch) -> Losses:
        """Loss of a batch that lies on the model's device, and scalars to report beside it."""


@dataclass(frozen=True)
class FitResult:
    """What a training ended with. The model itself holds the best weights, or the last when nothing was validated."""

    steps: int
    """Finished optimizer steps; fewer than configured after an early stop."""
    seconds: float
    """Wall time over all sittings."""
    best_step: int
    """Finished steps at the best validation; -1 without validation."""
    best_value: float
    """Validation value there (inf without validation)."""
    last: dict[str, torch.Tensor]
    """The weights after the last step, on the CPU."""


def step_generator(seed: int, step: int, stream: int = 0) -> np.random.Generator:
    """The generator of one training step: a pure function of its arguments. `stream` tells uses within a step apart."""
    return np.random.default_rng((seed, step, stream))


def fit(
    model: Trainable,
    batches: Callable[[int], Batch],
    config: FitConfig,
    context: StageContext,
    work: Path,
    *,
    name: str,
    validate: Callable[[], Mapping[str, float]] | None = None,
    objective: str = "loss",
    before_step: Callable[[int], None] | None = None,
    validate_start: bool = False,
    checkpoint_every_s: float = 20.0,
) -> FitResult:
    """Train `model` in place for `config.steps` steps, resuming from `work` when a state lies there.

    Args:
        model: moved to the runtime's device. Its training-time randomness may use torch's global generator.
        batches: step -> batch on the CPU; a pure function of the step (draw from `step_generator(config.seed, step)`).
            It is called from another thread, one step ahead, so it must not touch torch's global generator.
        work: folder of the resume state; a finished training found there is taken as it stands.
        name: what progress and curves are called: `tokenizer` gives the curve `tokenizer/loss`.
        validate: held-out metrics of the model as it stands; called every `config.validate_every` steps and after the
            last one, in evaluation mode, without gradients. The weights with the lowest `objective` among them win.
        before_step: called before each step, for changes of the model at set times; a pure function of model and step.
        validate_start: look at the held-out split once before the first step too: a good start may be the best there is.
        checkpoint_every_s: seconds between two resume states; the result does not depend on it.

    Raises:
        TrainingError: the loss or a gradient is not finite, or a batch cannot be shared out evenly among the ranks.
        ArtifactError: the resume state is damaged, or the disk is full.
    """
    _require_even_shares(name, config)
    device = pick_device(context.runtime)
    model.to(device)
    first = ranks.is_first()
    ranks.begin()
    optimizer = _optimizer(model, config)
    resumed = checkpoint.load(work, model, optimizer)
    progress, best = resumed or (checkpoint.Progress(), None)
    losses_of = _together(model)
    looks = validate is not None and config.validate_every > 0
    precision = autocast(device, context.runtime)
    automatic = device.type == "cpu" and context.runtime.precision == "auto"
    if config.cpu_bfloat16 and automatic and cpu_computes_in_bfloat16():
        precision = torch.autocast("cpu", torch.bfloat16)
    log_every = max(1, config.steps // 200)
    sitting, saved, earlier = Stopwatch(), 0.0, progress.seconds

    def save() -> None:
        if not first:
            return
        progress.seconds = earlier + sitting.seconds
        with context.store.explain_full_disk(f"the resume state of {name}"):
            checkpoint.save(work, model, optimizer, progress, best)

    def look(step: int) -> None:
        if first:
            judge(step)
        progress.take(ranks.told_by_first(progress.numbers()))

    def judge(step: int) -> None:
        nonlocal best
        assert validate is not None
        model.eval()
        with torch.no_grad():
            found = validate()
        context.sink.log({f"{name}/validation_{k}": float(v) for k, v in found.items()}, step)
        if found[objective] < progress.best_value:
            progress.best_value, progress.best_step = float(found[objective]), progress.step
            progress.stale, best = 0, checkpoint.copied(model)
        elif math.isfinite(found[objective]):
            # A validation that cannot be judged yet says nothing about progress.
            progress.stale += 1
            progress.stopped = bool(config.patience) and progress.stale >= config.patience

    ahead = _ahead(batches, progress.step, config.steps)
    stop = config.steps if not progress.stopped else progress.step
    for step in track(stop, name, start=progress.step) if first else range(progress.step, stop):
        torch.manual_seed(int(step_generator(config.seed, step, 1 + ranks.rank()).integers(2**62)))
        if before_step is not None:
            before_step(step)
        if looks and validate_start and step == 0:
            look(step)
        model.train()
        own = ranks.share(next(ahead))
        batch = {key: tensor.to(device, non_blocking=True) for key, tensor in own.items()}
        with precision:
            loss, metrics = losses_of(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        _guard(name, step, loss, norm, config)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate_at(step)
        optimizer.step()
        progress.step = step + 1
        last = progress.step == config.steps

        if step % log_every == 0 or last:
            curves = _over_ranks({"loss": loss.detach(), "gradient_norm": norm, **metrics})
            if first:
                context.sink.log({f"{name}/{k}": v for k, v in curves.items()}, step)
        if looks and (last or progress.step % config.validate_every == 0):
            look(step)
        if last or progress.stopped or sitting.seconds - saved >= checkpoint_every_s:
            save()
            saved = sitting.seconds
        if progress.stopped:
            break

    ahead.close()
    weights = checkpoint.copied(model)
    if best is not None and first:
        model.load_state_dict(best)
    if ranks.size() > 1:
        for tensor in model.state_dict().values():
            tensor.copy_(ranks.of_first(tensor))
    model.eval()
    return FitResult(
        progress.step, earlier + sitting.seconds, progress.best_step, progress.best_value, weights
    )


class _Losses(nn.Module):
    """A model's loss as the forward pass that `DistributedDataParallel` watches."""

    def __init__(self, model: Trainable) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Losses:
        return self.model.loss(batch)


def _together(model: Trainable) -> Callable[[Batch], Losses]:
    """The model's loss; its backward pass averages gradients over all ranks, which begin with the first one's weights."""
    if ranks.size() == 1:
        return model.loss
    return DistributedDataParallel(
        _Losses(model), find_unused_parameters=not model.loss_uses_all_weights, gradient_as_bucket_view=True
    )


def _require_even_shares(name: str, config: FitConfig) -> None:
    if config.batch_size % ranks.size():
        raise TrainingError(
            f"{name}: found batch_size={config.batch_size} for {ranks.size()} processes, expected a multiple of their number: "
            "each computes an equal share of every batch; change either"
        )


def _over_ranks(curves: Mapping[str, torch.Tensor]) -> dict[str, float]:
    means = ranks.mean(torch.stack([v.detach().float().reshape(()) for v in curves.values()]))
    return dict(zip(curves, means.tolist(), strict=True))


def _optimizer(model: nn.Module, config: FitConfig) -> torch.optim.AdamW:
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
    )


def _guard(name: str, step: int, loss: torch.Tensor, norm: torch.Tensor, config: FitConfig) -> None:
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise TrainingError(
            f"{name}: found loss {float(loss.detach()):g} and gradient norm {float(norm):g} at step {step}, expected finite "
            f"numbers; nothing was published. Lower learning_rate (now {config.learning_rate:g}) or clip_norm (now "
            f"{config.clip_norm:g}), raise warmup_steps, or use precision='float32', and look for broken input data"
        )


def _ahead(batches: Callable[[int], Batch], start: int, stop: int) -> Generator[Batch]:
    """Batches in order, the next one being drawn while the current one is trained on."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        coming: Future[Batch] | None = pool.submit(batches, start) if start < stop else None
        for step in range(start, stop):
            assert coming is not None
            batch = coming.result()
            coming = pool.submit(batches, step + 1) if step + 1 < stop else None
            yield batch
