"""Models small enough to train in seconds on `tile_speedruns`, and a slow motion of their training, to be killed in."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from emurl_core.artifacts import ArtifactStore
from emurl_core.dynamics import DynamicsConfig, train_dynamics
from emurl_core.dynamics import training as dynamics_training
from emurl_core.reward import VARIANTS, RewardConfig, train_reward
from emurl_core.reward import train as reward_training
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_core.tokenizer import TokenizerConfig, train_tokenizer
from emurl_core.tokenizer import training as tokenizer_training

TINY_TOKENIZER = TokenizerConfig(
    channels=(8, 16, 32, 32), residual_blocks=1, width=32, codes=64, fsq_levels=(4, 4, 4), steps=60, batch_size=8,
    learning_rate=3e-3, warmup_steps=10, unquantised_steps=20, validate_every=15, emulator_frames=24,
)  # fmt: skip
TINY_DYNAMICS = DynamicsConfig(
    width=32, layers=2, heads=2, feedforward=64, steps=150, batch_size=8, learning_rate=3e-3, warmup_steps=10,
    validate_every=50,
)  # fmt: skip
TINY_REWARDS = {
    variant: RewardConfig(
        variant=variant, width=4, downsample=4, token_width=8, sequence_frames=3, steps=36, batch_size=4, warmup_steps=5,
        learning_rate=3e-3, validate_every=12, max_shift_px=2, soften_frames=2.0, gate_kendall_tau=-1.0,
        ensemble=2 if variant == "tokenizer" else 1,
    )
    for variant in VARIANTS
}  # fmt: skip
"""One of each kind; that of the tokenizer is an ensemble."""


def quiet_context(home: Path) -> StageContext:
    """One thread of the CPU, and no curves."""
    return StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))


def train_tokenizer_slowly(home: str) -> None:
    """On the home's dataset, a resume state every tenth of a second."""
    context = _slow(tokenizer_training, "FrameBatches", home)
    train_tokenizer(context.store.get("frame_dataset"), TINY_TOKENIZER, context)


def train_dynamics_slowly(home: str) -> None:
    """On the home's dataset and tokenizer, a resume state every tenth of a second."""
    context = _slow(dynamics_training, "ClipBatches", home)
    store = context.store
    train_dynamics(store.get("frame_dataset"), store.get("tokenizer"), TINY_DYNAMICS, context)


def train_reward_slowly(variant: str, home: str) -> None:
    """On the home's dataset and tokenizer, a resume state every tenth of a second."""
    context = _slow(reward_training, "PairSampler", home, "draw")
    store = context.store
    train_reward(store.get("frame_dataset"), TINY_REWARDS[variant], context, store.get("tokenizer"))


train_resnet_slowly = partial(train_reward_slowly, "resnet")
train_tokens_slowly = partial(train_reward_slowly, "tokenizer")
train_global_slowly = partial(train_reward_slowly, "global")
train_sequence_slowly = partial(train_reward_slowly, "sequence")


def _slow(stage: Any | ModuleType, batches: str, home: str, method: str = "__call__") -> StageContext:
    torch.set_num_threads(1)
    draw: Callable[..., Any] = getattr(getattr(stage, batches), method)

    def slowly(self: Any, step: int) -> Any:
        time.sleep(0.03)
        return draw(self, step)

    setattr(getattr(stage, batches), method, slowly)
    stage.fit = partial(stage.fit, checkpoint_every_s=0.1)
    return quiet_context(Path(home))
