"""Checks that take seconds and save hours: can a long run work on this machine, with this ROM, on this data?

Each check answers OK, WARN (it will work, but mind this) or FAIL (it can't).
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from emurl_core.artifacts import ArtifactStore
from emurl_core.game import GameConfig, VectorGame, open_game
from emurl_core.runtime import RuntimeConfig, Stopwatch, pick_device
from emurl_core.screen import FRAME_SHAPE, SHADES, Button

ENOUGH_DISK_BYTES = 10_000_000_000
LEAST_DISK_BYTES = 1_000_000_000
INTRO_STEPS = 1000
INTRO_EPISODES = 4
SPEED_STEPS = 100


@dataclass(frozen=True)
class Finding:
    """The answer of one check."""

    check: str
    verdict: Literal["OK", "WARN", "FAIL"]
    message: str


def validate(game: GameConfig, runtime: RuntimeConfig, store: ArtifactStore) -> list[Finding]:
    """All checks, in the order of the stages. A check that raises is a FAIL with its message."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("disk", lambda: _disk(store)),
        ("device", lambda: _device(runtime)),
        ("rom", lambda: _rom(game)),
        ("picture", lambda: _picture(game)),
        ("intro", lambda: _intro(game)),
        ("dataset", lambda: _dataset(store)),
        ("reward gate", lambda: _gate(store)),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(check())
        except (ValueError, OSError) as error:
            findings.append(Finding(name, "FAIL", str(error)))
    return findings


def _disk(store: ArtifactStore) -> Finding:
    store.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.home).free
    verdict: Literal["OK", "WARN", "FAIL"] = (
        "OK" if free >= ENOUGH_DISK_BYTES else "WARN" if free >= LEAST_DISK_BYTES else "FAIL"
    )
    return Finding("disk", verdict, f"{free / 1e9:,.1f} GB free under {store.home} (10 GB are comfortable)")


def _device(runtime: RuntimeConfig) -> Finding:
    device = pick_device(runtime)
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    return Finding("device", "OK", f"{name}, torch {torch.__version__}")


def _rom(game: GameConfig) -> Finding:
    opened = open_game(game)
    return Finding("rom", "OK", f"{opened.game.title}, SHA-1 {opened.sha1}")


def _picture(game: GameConfig) -> Finding:
    rng = np.random.default_rng(0)
    with VectorGame(game, envs=1) as vector:
        frame = vector.reset()[0]
        seen: set[int] = set()
        watch = Stopwatch()
        for _ in range(SPEED_STEPS):
            frame = vector.step(rng.integers(len(Button), size=1))[0]
            seen |= set(np.unique(frame).tolist())
        speed = SPEED_STEPS / watch.seconds
    fits = frame.shape == FRAME_SHAPE and seen <= set(range(SHADES)) and len(seen) > 1
    return Finding(
        "picture",
        "OK" if fits else "FAIL",
        f"frames {frame.shape} {frame.dtype} with shades {sorted(seen)}, {speed:,.0f} steps/s on one core; "
        f"a million steps take {1e6 / speed / 60:,.0f} minutes of emulation",
    )


def _intro(game: GameConfig) -> Finding:
    known = open_game(game).game
    if known.intro_milestone is None:
        return Finding("intro", "OK", f"{known.title} has no known milestones: nothing to check")
    bit = np.uint32(1 << known.milestones.index(known.intro_milestone))
    rng = np.random.default_rng(0)
    left = np.zeros(INTRO_EPISODES, dtype=np.int64)
    with VectorGame(game, envs=INTRO_EPISODES) as vector:
        vector.reset()
        for step in range(1, INTRO_STEPS + 1):
            vector.step(rng.integers(len(Button), size=INTRO_EPISODES))
            left[(left == 0) & ((vector.truth.milestones & bit) > 0)] = step
            if left.all():
                break
    out = left[left > 0]
    message = f"random play left the intro in {len(out)} of {INTRO_EPISODES} episodes of {INTRO_STEPS} steps"
    if len(out):
        message += f", after {np.median(out):.0f} steps (median)"
    return Finding("intro", "OK" if len(out) == INTRO_EPISODES else "FAIL", message)


def _dataset(store: ArtifactStore) -> Finding:
    dataset = store.find("frame_dataset")
    if dataset is None:
        return Finding("dataset", "WARN", "there is none yet: scrape, download, extract and build one")
    videos = dataset.facts["videos"]
    frames = {s: sum(v["rows"] for v in videos if v["split"] == s) for s in ("train", "validation", "test")}
    verdict: Literal["OK", "FAIL"] = "OK" if all(frames.values()) else "FAIL"
    return Finding("dataset", verdict, ", ".join(f"{n:,} frames {s}" for s, n in frames.items()))


def _gate(store: ArtifactStore) -> Finding:
    reward = store.find("reward_model")
    if reward is None:
        return Finding("reward gate", "WARN", "there is no reward model yet")
    tau = reward.metrics["test/kendall_tau_median"]
    passed = reward.facts["gate_passed"]
    return Finding(
        "reward gate",
        "OK" if passed else "FAIL",
        f"Kendall τ {tau:.2f} (median of unseen speedruns), the gate asks for {reward.config['gate_kendall_tau']}",
    )
