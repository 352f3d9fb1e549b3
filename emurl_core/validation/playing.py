"""The game: is it the right ROM, does it show what models expect, can random play get out of its intro?"""

import numpy as np

from emurl_core.artifacts import ArtifactStore
from emurl_core.game import VectorGame, open_game
from emurl_core.runtime import Stopwatch
from emurl_core.screen import FRAME_SHAPE, SHADES, Button
from emurl_core.validation.finding import Finding, Plan

SPEED_STEPS = 100


def check_rom(plan: Plan, store: ArtifactStore) -> Finding:
    """FAIL when it is missing or another one."""
    opened = open_game(plan.game)
    return Finding("rom", "OK", f"{opened.game.title}, SHA-1 {opened.sha1}")


def check_picture(plan: Plan, store: ArtifactStore) -> Finding:
    """FAIL unless frames are `(144, 160) uint8` of four shades, and more than one of them is seen."""
    rng = np.random.default_rng(0)
    with VectorGame(plan.game, envs=1) as vector:
        frame = vector.reset()[0]
        seen: set[int] = set()
        watch = Stopwatch()
        for _ in range(SPEED_STEPS):
            frame = vector.step(rng.integers(len(Button), size=1))[0]
            seen |= set(np.unique(frame).tolist())
        speed = SPEED_STEPS / watch.seconds
    fits = frame.shape == FRAME_SHAPE and frame.dtype == np.uint8
    fits &= seen <= set(range(SHADES)) and len(seen) > 1
    return Finding(
        "picture",
        "OK" if fits else "FAIL",
        f"frames {frame.shape} {frame.dtype} with shades {sorted(seen)}, {speed:,.0f} steps/s on one core; "
        f"a million steps take {1e6 / speed / 60:,.0f} minutes of emulation",
        {"steps_per_s": speed, "shades": float(len(seen))},
    )


def check_intro(plan: Plan, store: ArtifactStore) -> Finding:
    """FAIL unless every episode of random play leaves the intro: what cannot even be left by chance is never learnt."""
    known = open_game(plan.game).game
    if known.intro_milestone is None:
        return Finding("intro", "OK", f"{known.title} has no known milestones: nothing to check")
    episodes, steps = plan.validation.intro_episodes, plan.validation.intro_steps
    bit = np.uint32(1 << known.milestones.index(known.intro_milestone))
    rng = np.random.default_rng(0)
    left = np.zeros(episodes, dtype=np.int64)
    with VectorGame(plan.game, envs=episodes) as vector:
        vector.reset(seeds=range(episodes))
        for step in range(1, steps + 1):
            vector.step(rng.integers(len(Button), size=episodes))
            left[(left == 0) & ((vector.truth.milestones & bit) > 0)] = step
            if left.all():
                break
    out = left[left > 0]
    message = f"random play left the intro in {len(out)} of {episodes} episodes of {steps} steps"
    figures = {"episodes": float(episodes), "left": float(len(out))}
    if len(out):
        message += f", after {np.median(out):.0f} steps (median)"
        figures["median_steps"] = float(np.median(out))
    return Finding("intro", "OK" if len(out) == episodes else "FAIL", message, figures)
