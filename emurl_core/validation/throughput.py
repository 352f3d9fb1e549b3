"""How long the configured trainings will take on this machine: a few real steps of each, and the sum.

Models are made at their configured sizes and trained by the very loop that trains them, on noise: a step's time does not
depend on what is in a batch. Nothing is published.
"""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from emurl_core.actions.classes import CLASSES
from emurl_core.actions.cloning import Copyist
from emurl_core.actions.inverse_dynamics import InverseDynamics
from emurl_core.actions.motion import CHANNELS
from emurl_core.artifacts import ArtifactStore
from emurl_core.dynamics import Dynamics
from emurl_core.game import VectorGame
from emurl_core.policy import PolicyConfig, PolicyShape, VQPolicy
from emurl_core.policy.ppo import Rollout, update
from emurl_core.policy.sight import look_with
from emurl_core.policy.trained_encoder import SeeingPolicy
from emurl_core.reward import RewardModel
from emurl_core.reward.member import RewardMember
from emurl_core.runtime import NullSink, Stopwatch, pick_device
from emurl_core.screen import FRAME_SHAPE, GRID_SHAPE, SHADES, TOKENS, Button
from emurl_core.stage import StageContext
from emurl_core.tokenizer import Tokenizer
from emurl_core.training import Batch, FitConfig, Trainable, fit
from emurl_core.validation.finding import Finding, Plan

NEW_FRAMES_SHARE = 0.5
"""Share of the policy's frames that are not in its memory; in the demo it is about that."""
LONG_S = 86_400.0
_LOOKED = 16
_PLAYED_STEPS = 20


class _EnoughError(Exception):
    """Ends a training that was timed."""


def check_throughput(plan: Plan, store: ArtifactStore) -> Finding:
    """Seconds a step of each training, and how long all of them will take; WARN above a day."""
    device = pick_device(plan.runtime)
    store.home.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(plan.tokenizer)
    tokenizer.quantiser.ready.fill_(True)
    steps = {
        "tokenizer": (plan.tokenizer.steps, _tokenizer_step_s(plan, tokenizer, store)),
        "dynamics": (plan.dynamics.steps, _dynamics_step_s(plan, store)),
        "reward": (plan.reward.steps * plan.reward.ensemble, _reward_step_s(plan, tokenizer, store)),
    }
    if plan.policy.warm_start:
        steps["inverse dynamics"] = (plan.inverse_dynamics.steps, _inverse_dynamics_step_s(plan, store))
        steps["cloning"] = (plan.warm_start.steps, _cloning_step_s(plan, store))
    steps["policy"] = (plan.policy.iterations, _policy_iteration_s(plan, tokenizer, device))
    total = sum(count * seconds for count, seconds in steps.values())
    figures = {"eta_s": total}
    for name, (count, seconds) in steps.items():
        key = name.replace(" ", "_")
        figures |= {f"{key}_step_s": seconds, f"{key}_eta_s": count * seconds}
    told = "; ".join(f"{name} {n:,} × {s:.3g} s = {spoken(n * s)}" for name, (n, s) in steps.items())
    message = f"all trainings take about {spoken(total)} on this {device.type.upper()}: {told}"
    if total > LONG_S and device.type == "cpu":
        message += '; use a machine with a GPU, or smaller models (`extends = "demo"`)'
    return Finding("throughput", "WARN" if total > LONG_S else "OK", message, figures)


def spoken(seconds: float) -> str:
    """`95 -> "1.6 min"`."""
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def _tokenizer_step_s(plan: Plan, tokenizer: Tokenizer, store: ArtifactStore) -> float:
    config = plan.tokenizer
    batch = {"frames": _noise(config.batch_size)}
    return _step_s("timing tokenizer", tokenizer, batch, config, plan, store)


def _dynamics_step_s(plan: Plan, store: ArtifactStore) -> float:
    config, codes = plan.dynamics, plan.tokenizer.codes
    shape = config.batch_size, config.context_frames + 1, TOKENS
    return _step_s(
        "timing dynamics",
        Dynamics(config, codes),
        {"clips": torch.randint(codes, shape)},
        config,
        plan,
        store,
    )


def _reward_step_s(plan: Plan, tokenizer: Tokenizer, store: ArtifactStore) -> float:
    config = plan.reward.of_member(0)
    shape = config.batch_size, config.context_frames

    def pictures() -> torch.Tensor:
        if config.reads_tokens:
            return torch.randint(plan.tokenizer.codes, (*shape, *GRID_SHAPE), dtype=torch.int32)
        return _noise(*shape)

    one = torch.ones(config.batch_size)
    batch = {"earlier": pictures(), "later": pictures(), "label": one, "elapsed": 0.1 * one}
    member = RewardMember(config, tokenizer.codebook if config.reads_tokens else None)
    return _step_s("timing reward", member, batch, config, plan, store)


def _inverse_dynamics_step_s(plan: Plan, store: ArtifactStore) -> float:
    config = plan.inverse_dynamics
    shape = config.batch_size, config.window_frames
    batch = {
        "motion": torch.rand(*shape, CHANNELS, *GRID_SHAPE).half(),
        "labels": torch.randint(CLASSES, shape),
    }
    return _step_s("timing inverse dynamics", InverseDynamics(config), batch, config, plan, store)


def _cloning_step_s(plan: Plan, store: ArtifactStore) -> float:
    config, codes = plan.warm_start, plan.tokenizer.codes
    policy = VQPolicy(PolicyShape.like(Dynamics(plan.dynamics, codes), config.frame_stack))
    shape = config.batch_size, config.frame_stack, TOKENS
    batch = {
        "stacks": torch.randint(codes, shape),
        "previous": torch.randint(len(Button), shape[:1]),
        "buttons": torch.randint(len(Button), shape[:1]),
    }
    return _step_s("timing cloning", Copyist(policy, config.doubt), batch, config, plan, store)


def _step_s(
    name: str, model: Trainable, batch: Batch, config: FitConfig, plan: Plan, store: ArtifactStore
) -> float:
    """Seconds of one step, the median after the first."""
    times: list[float] = []
    wanted, longest = plan.validation.timed_steps, plan.validation.timed_at_most_s
    synchronised = pick_device(plan.runtime).type == "cuda"

    def before_step(step: int) -> None:
        if synchronised:
            torch.cuda.synchronize()
        times.append(time.perf_counter())
        if len(times) > wanted + 1 or (len(times) > 1 and times[-1] - times[0] > longest):
            raise _EnoughError

    timed = config.model_copy(update={"steps": wanted + 2, "validate_every": 0})
    context = StageContext(store, NullSink(), plan.runtime)
    with tempfile.TemporaryDirectory(dir=store.home) as work, contextlib.suppress(_EnoughError):
        fit(model, lambda _: batch, timed, context, Path(work), name=name, before_step=before_step)
    durations = np.diff(times)
    return float(np.median(durations[1:] if len(durations) > 1 else durations))


def _policy_iteration_s(plan: Plan, tokenizer: Tokenizer, device: torch.device) -> float:
    """Seconds of one rollout and its updates: emulators and network, frames that are new, minibatches; added up."""
    config = plan.policy
    shape = PolicyShape.like(
        Dynamics(plan.dynamics, plan.tokenizer.codes), config.frame_stack, lstm=config.lstm
    )
    network = (SeeingPolicy(shape, plan.tokenizer) if config.train_encoder else VQPolicy(shape)).to(device)
    network.eval()
    played = _step_of_all_s(plan, network, device)
    judge = RewardModel(plan.reward, tokenizer.to(device)).to(device).eval()
    look = look_with(tokenizer.eval(), judge, device)
    frames = _noise(_LOOKED)
    with torch.no_grad():
        look(frames)
        clock = Stopwatch()
        look(frames)[1].cpu()
        looked = clock.seconds / _LOOKED
    updates = config.epochs * (config.rollout_size // config.minibatch_size)
    new_frames = NEW_FRAMES_SHARE * config.rollout_size
    return (
        config.rollout_steps * played
        + new_frames * looked
        + updates * _update_s(network, shape, config, device)
    )


@torch.no_grad()
def _step_of_all_s(plan: Plan, network: VQPolicy, device: torch.device) -> float:
    config, rng = plan.policy, np.random.default_rng(0)
    stacks = _stacks(network, config.envs).to(device)
    previous = torch.zeros(config.envs, dtype=torch.int64, device=device)
    with VectorGame(plan.game, config.envs, config.workers, config.seed) as game:
        game.reset()
        game.step(rng.integers(len(Button), size=config.envs))
        clock = Stopwatch()
        for _ in range(_PLAYED_STEPS):
            network(stacks, previous)[0].cpu()
            game.step(rng.integers(len(Button), size=config.envs))
        return clock.seconds / _PLAYED_STEPS


def _update_s(network: VQPolicy, shape: PolicyShape, config: PolicyConfig, device: torch.device) -> float:
    size = config.minibatch_size
    one = torch.zeros(1, size)
    rollout = Rollout(
        stacks=_stacks(network, size)[None],
        previous=torch.zeros(1, size, dtype=torch.int64),
        actions=torch.zeros(1, size, dtype=torch.int64),
        log_probabilities=one - 2,
        values=one,
        rewards=torch.rand(1, size),
        cut=torch.zeros(1, size, dtype=torch.bool),
        cut_values=one,
        last_values=torch.zeros(size),
        first_hidden=torch.zeros(size, 2 * shape.lstm),
    )
    single = config.model_copy(update={"envs": size, "rollout_steps": 1, "epochs": 1})
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6)
    stream = np.random.default_rng(0)
    update(network, optimizer, rollout, single, 0, stream, device)
    clock = Stopwatch()
    update(network, optimizer, rollout, single, 0, stream, device)
    return clock.seconds


def _stacks(network: VQPolicy, size: int) -> torch.Tensor:
    """Of what the policy sees: frames or tokens."""
    if network.sees_frames:
        return _noise(size, network.shape.frames)
    return torch.randint(network.shape.codes, (size, network.shape.frames, TOKENS), dtype=torch.int16)


def _noise(*shape: int) -> torch.Tensor:
    return torch.randint(SHADES, (*shape, *FRAME_SHAPE), dtype=torch.uint8)
