"""How much of a bare PyBoy loop's speed is left, and what more processes bring. Everything in one run, in turns.

    python benchmarks/emulation.py [--game rom --rom my.gb] [--sb3]

The bare loop presses a random button, ticks 30 frames in one call, drawing the last, and copies the screen's red channel.
Other programs on the machine disturb all contenders alike, because they take turns; each figure is a median over rounds.
"""

import io
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np
import tyro

from emurl_core.game import Emulator, GameConfig, GameEnv, VectorGame, open_game
from emurl_core.game.emulator import PyBoy
from emurl_core.screen import BUTTON_NAMES, PRESS_FRAMES, STEP_FRAMES

BARE = "bare PyBoy loop"


@dataclass(frozen=True)
class EmulationBenchmark:
    """Steps a second of every way to play."""

    game: GameConfig = field(default_factory=GameConfig)
    steps: int = 320
    """Steps per contender and round."""
    rounds: int = 5
    envs: int = 8
    """Emulators per process."""
    sb3: bool = False
    """Also Stable-Baselines3's SubprocVecEnv, which takes a process per emulator."""


@dataclass(frozen=True)
class Contender:
    """One way to play."""

    reset: Callable[[], object]
    """Back to power-on; not timed."""
    step: Callable[[int], object]
    """Press a button, in all emulators where there are many."""
    pids: Sequence[int] = ()
    """Processes that work for this one, beside the benchmark's own."""


@contextmanager
def bare(rom: bytes) -> Iterator[Contender]:
    pyboy = PyBoy(io.BytesIO(rom), window="null", sound_emulated=False, cgb=False, log_level="ERROR")
    pyboy.set_emulation_speed(0)
    start = io.BytesIO()
    pyboy.save_state(start)

    def reset() -> None:
        start.seek(0)
        pyboy.load_state(start)

    def step(button: int) -> None:
        pyboy.button(BUTTON_NAMES[button], PRESS_FRAMES)
        pyboy.tick(STEP_FRAMES, True, False)
        pyboy.screen.ndarray[:, :, 0].copy()

    yield Contender(reset, step)
    pyboy.stop(save=False)


@contextmanager
def single(rom: bytes) -> Iterator[Contender]:
    with Emulator(rom) as emulator:
        start = emulator.save_state()
        yield Contender(lambda: emulator.load_state(start), emulator.step)


@contextmanager
def environment(config: GameConfig) -> Iterator[Contender]:
    env = GameEnv(config.game, config.rom, max_idle_frames=0)
    yield Contender(env.reset, env.step)
    env.close()


@contextmanager
def vector(config: GameConfig, envs: int, workers: int) -> Iterator[Contender]:
    with VectorGame(config, envs, workers, max_idle_frames=0) as game:
        yield Contender(game.reset, lambda button: game.step(np.full(envs, button)), game.worker_pids)


@contextmanager
def sb3(config: GameConfig, envs: int) -> Iterator[Contender]:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    def make() -> gymnasium.Env:
        return GameEnv(config.game, config.rom, max_idle_frames=0)

    venv = SubprocVecEnv([make] * envs, start_method="forkserver")
    yield Contender(
        venv.reset, lambda button: venv.step(np.full(envs, button)), [p.pid for p in venv.processes]
    )
    venv.close()


def cpu_s(pids: Sequence[int]) -> float:
    """CPU seconds used so far by this process and others: what a busy machine does not distort as much. Linux only."""
    total = time.process_time()
    for pid in pids:
        if Path("/proc/self/stat").exists():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main(config: EmulationBenchmark) -> None:
    rom = open_game(config.game).rom
    buttons = np.random.default_rng(0).integers(0, len(BUTTON_NAMES), config.steps)
    one, two = config.envs, 2 * config.envs
    with ExitStack() as stack:
        contenders: dict[str, tuple[Contender, int]] = {
            BARE: (stack.enter_context(bare(rom)), 1),
            "Emulator.step": (stack.enter_context(single(rom)), 1),
            "GameEnv.step": (stack.enter_context(environment(config.game)), 1),
            f"VectorGame, {one} here": (stack.enter_context(vector(config.game, one, 0)), one),
            f"VectorGame, {one} in 1 process": (stack.enter_context(vector(config.game, one, 1)), one),
            f"VectorGame, {two} in 2 processes": (stack.enter_context(vector(config.game, two, 2)), two),
        }
        if config.sb3:
            contenders["SB3 SubprocVecEnv, 2 in 2 processes"] = (stack.enter_context(sb3(config.game, 2)), 2)
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        costs: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(config.rounds):
            for name, (contender, envs) in contenders.items():
                own = buttons[: max(1, config.steps // envs)]
                contender.reset()
                for _ in range(3):  # The frames of the boot logo are cheaper than any game's.
                    contender.step(0)
                start, cpu = time.perf_counter(), cpu_s(contender.pids)
                for button in own:
                    contender.step(button)
                rates[name].append(len(own) * envs / (time.perf_counter() - start))
                costs[name].append((cpu_s(contender.pids) - cpu) / (len(own) * envs))
    print(f"{'':40s} {'steps/s':>8s} {'of bare':>8s} {'CPU ms/step':>12s} {'bare/own':>9s}")
    for name in contenders:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        speed = statistics.median(r / b for r, b in zip(rates[name], rates[BARE], strict=True))
        share = statistics.median(b / c for c, b in zip(costs[name], costs[BARE], strict=True))
        print(f"{name:40s} {rate:8.0f} {speed:7.2f}× {1000 * cost:12.3f} {share:8.2f}×")


if __name__ == "__main__":
    main(tyro.cli(EmulationBenchmark, description=__doc__))
