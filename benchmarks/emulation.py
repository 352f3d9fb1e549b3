"""How much of a bare PyBoy loop's speed is left, and what more processes bring. Everything in one run, in turns.

    python benchmarks/emulation.py [--game rom --rom my.gb] [--sb3]

The bare loop presses a random button, ticks 30 frames in one call, drawing the last, and copies the screen's red channel.
Other programs on the machine disturb all contenders alike, because they take turns; each figure is a median over rounds.
"""

import io
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

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

    game: GameConfig = GameConfig()
    steps: int = 400
    """Steps per contender and round."""
    rounds: int = 7
    envs: int = 8
    """Emulators per process."""
    sb3: bool = False
    """Also Stable-Baselines3's SubprocVecEnv with two processes per two emulators."""


Contender = Callable[[np.ndarray], None]
"""Plays a (steps,) array of buttons in one emulator, or each of them in all its emulators."""


@contextmanager
def bare(rom: bytes) -> Iterator[Contender]:
    pyboy = PyBoy(io.BytesIO(rom), window="null", sound_emulated=False, cgb=False, log_level="ERROR")
    pyboy.set_emulation_speed(0)
    start = io.BytesIO()
    pyboy.save_state(start)

    def play(buttons: np.ndarray) -> None:
        start.seek(0)
        pyboy.load_state(start)
        for button in buttons:
            pyboy.button(BUTTON_NAMES[button], PRESS_FRAMES)
            pyboy.tick(STEP_FRAMES, True, False)
            pyboy.screen.ndarray[:, :, 0].copy()

    yield play
    pyboy.stop(save=False)


@contextmanager
def single(rom: bytes) -> Iterator[Contender]:
    with Emulator(rom) as emulator:
        start = emulator.save_state()

        def play(buttons: np.ndarray) -> None:
            emulator.load_state(start)
            for button in buttons:
                emulator.step(button)

        yield play


@contextmanager
def environment(config: GameConfig) -> Iterator[Contender]:
    env = GameEnv(config.game, config.rom, max_idle_frames=0)

    def play(buttons: np.ndarray) -> None:
        env.reset(seed=0)
        for button in buttons:
            env.step(button)

    yield play
    env.close()


@contextmanager
def vector(config: GameConfig, envs: int, workers: int) -> Iterator[Contender]:
    with VectorGame(config, envs, workers, max_idle_frames=0) as game:

        def play(buttons: np.ndarray) -> None:
            game.reset()
            for button in buttons:
                game.step(np.full(envs, button))

        yield play


@contextmanager
def sb3(config: GameConfig, envs: int) -> Iterator[Contender]:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    def make() -> gymnasium.Env:
        return GameEnv(config.game, config.rom, max_idle_frames=0)

    venv = SubprocVecEnv([make] * envs, start_method="forkserver")

    def play(buttons: np.ndarray) -> None:
        venv.reset()
        for button in buttons:
            venv.step(np.full(envs, button))

    yield play
    venv.close()


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
            name = f"SB3 SubprocVecEnv, {two} in {two} processes"
            contenders[name] = (stack.enter_context(sb3(config.game, two)), two)
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(config.rounds):
            for name, (play, envs) in contenders.items():
                own = buttons[: max(1, config.steps // envs)]
                play(own[:2])
                start = time.perf_counter()
                play(own)
                rates[name].append(len(own) * envs / (time.perf_counter() - start))
    print(f"{'':40s} steps/s   of the bare loop, same round")
    for name, rate in rates.items():
        ratio = statistics.median(r / b for r, b in zip(rate, rates[BARE], strict=True))
        print(f"{name:40s} {statistics.median(rate):7.0f}   {ratio:5.2f}×")


if __name__ == "__main__":
    main(tyro.cli(EmulationBenchmark, description=__doc__))
