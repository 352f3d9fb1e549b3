"""How much of a bare PyBoy loop's speed is left, and what more processes bring. Everything in one run, in turns; prints Markdown.

    python benchmarks/emulation.py [--game rom --rom my.gb] [--sb3]

The bare loop presses a random button, ticks 30 frames in one call, drawing the last, and copies the screen's red channel.
Other programs on the machine disturb all contenders alike, because they take short turns; each ratio is a median over rounds.
Two cores of a virtual machine slow each other down: two bare loops at once show by how much, and are what 2 processes are held to.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
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
TWO_BARE = "2 bare loops in 2 processes"
SB3 = "SB3 SubprocVecEnv, 2 in 2 processes"


@dataclass(frozen=True)
class EmulationBenchmark:
    """Steps a second of every way to play."""

    game: GameConfig = field(default_factory=GameConfig)
    steps: int = 64
    """Steps per contender and round: short, so that what disturbs one disturbs all."""
    rounds: int = 40
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
    many: Callable[[int], object] | None = None
    """Play so many steps with buttons of its own, where telling each one would cost more than it does."""


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


def bare_loop(rom_file: str) -> None:
    """A bare loop in a process of its own: for every count of steps on its input, plays so many and says so. Empty: ends."""
    buttons = np.random.default_rng(0)
    with bare(Path(rom_file).read_bytes()) as contender:
        for line in sys.stdin:
            if line.startswith("reset"):
                contender.reset()
            else:
                for button in buttons.integers(0, len(BUTTON_NAMES), int(line)).tolist():
                    contender.step(button)
            print("done", flush=True)


@contextmanager
def bare_loops(rom: bytes, processes: int) -> Iterator[Contender]:
    """As many bare loops at once as there are processes: what the machine gives at most. A step of it is a turn's worth."""
    with tempfile.NamedTemporaryFile(suffix=".gb") as file:
        file.write(rom)
        file.flush()
        command = [sys.executable, __file__, "--bare-loop", file.name]
        loops = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]

        def ask(what: str) -> None:
            for loop in loops:
                assert loop.stdin is not None
                print(what, file=loop.stdin, flush=True)
            for loop in loops:
                assert loop.stdout is not None
                if loop.stdout.readline() != "done\n":
                    raise RuntimeError(f"a bare loop ended with {loop.wait()}; see what it wrote above")

        ask("reset")
        try:
            yield Contender(
                lambda: ask("reset"), lambda _: ask("1"), [loop.pid for loop in loops], lambda n: ask(str(n))
            )
        finally:
            for loop in loops:
                loop.communicate()


def main(config: EmulationBenchmark) -> None:
    rom = open_game(config.game).rom
    stream = np.random.default_rng(0)
    one, two = config.envs, 2 * config.envs
    one_process, two_processes = f"VectorGame, {one} in 1 process", f"VectorGame, {two} in 2 processes"
    with ExitStack() as stack:
        contenders: dict[str, tuple[Contender, int]] = {
            BARE: (stack.enter_context(bare(rom)), 1),
            TWO_BARE: (stack.enter_context(bare_loops(rom, 2)), 2),
            "Emulator.step": (stack.enter_context(single(rom)), 1),
            "GameEnv.step": (stack.enter_context(environment(config.game)), 1),
            f"VectorGame, {one} here": (stack.enter_context(vector(config.game, one, 0)), one),
            one_process: (stack.enter_context(vector(config.game, one, 1)), one),
            two_processes: (stack.enter_context(vector(config.game, two, 2)), two),
        }
        if config.sb3:
            contenders[SB3] = (stack.enter_context(sb3(config.game, 2)), 2)
        for contender, _ in contenders.values():
            contender.reset()
            for _ in range(3):  # The frames of the boot logo are cheaper than any game's.
                contender.step(0)
        wall: dict[str, list[float]] = {name: [] for name in contenders}
        cpu: dict[str, list[float]] = {name: [] for name in contenders}
        load = [os.getloadavg()[0]]
        for _ in range(config.rounds):
            buttons = stream.integers(0, len(BUTTON_NAMES), config.steps)
            for name, (contender, envs) in contenders.items():
                own = buttons[: max(1, config.steps // envs)]
                start, spent = time.perf_counter(), cpu_s(contender.pids)
                if contender.many is not None:
                    contender.many(len(own))
                else:
                    for button in own.tolist():
                        contender.step(button)
                wall[name].append((time.perf_counter() - start) / (len(own) * envs))
                cpu[name].append((cpu_s(contender.pids) - spent) / (len(own) * envs))
    load.append(os.getloadavg()[0])
    # Of the same round, because what else the machine does changes from round to round.
    ratio = {
        (a, b): statistics.median(y / x for x, y in zip(wall[a], wall[b], strict=True))
        for a in contenders
        for b in contenders
    }
    print(
        f"{os.cpu_count()} cores, load {load[0]:.1f} before and {load[1]:.1f} after; medians of {config.rounds} rounds\n"
    )
    print("| | steps/s | of bare | CPU ms a step | bare's CPU / own |\n|---|---|---|---|---|")
    for name in contenders:
        # Sums, because the clock of other processes is coarse.
        cost = sum(cpu[name]) / config.rounds
        print(
            f"| {name} | {1 / statistics.median(wall[name]):.0f} | {ratio[name, BARE]:.2f}× | {1000 * cost:.3f} "
            f"| {sum(cpu[BARE]) / config.rounds / cost:.2f}× |"
        )
    print("\n| by wall time | found | asked |\n|---|---|---|")
    asked = [
        (one_process, BARE, "≥ .90"),
        (two_processes, one_process, "≥ 1.8, on two whole cores"),
        (TWO_BARE, BARE, "the machine's limit"),
        (two_processes, TWO_BARE, "≥ .90 of that limit"),
    ]
    asked += [(two_processes, SB3, "≥ 2")] if config.sb3 else []
    for a, b, wanted in asked:
        print(f"| {a} / {b} | {ratio[a, b]:.2f}× | {wanted} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare-loop"]:
        bare_loop(sys.argv[2])
    else:
        main(tyro.cli(EmulationBenchmark, description=__doc__))
