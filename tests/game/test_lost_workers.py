import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from emurl_core.game import VectorGame


def test_a_killed_worker_is_replaced_and_counted_and_the_others_play_on(tiny_config):
    with VectorGame(tiny_config, envs=4, workers=2) as game, VectorGame(tiny_config, envs=4) as undisturbed:
        game.reset()
        undisturbed.reset()
        for _ in range(5):
            game.step([4] * 4)
            undisturbed.step([4] * 4)
        os.kill(game.worker_pids[0], signal.SIGKILL)
        frames = game.step([4] * 4)
        assert game.restarted.tolist() == [True, True, False, False]
        assert game.restarts == 1
        assert np.array_equal(frames[2:], undisturbed.step([4] * 4)[2:])
        game.step([4] * 4)
        assert not game.restarted.any()
        os.kill(game.worker_pids[1], signal.SIGKILL)
        game.reset([0])
        game.reset([3])
        assert game.restarts == 2
        os.kill(game.worker_pids[1], signal.SIGKILL)
        with pytest.raises(RuntimeError, match="save again"):
            game.save_states()
        assert len(game.save_states()) == 4
        assert game.restarts == 3


def test_a_worker_that_hangs_is_replaced_after_the_timeout(tiny_config):
    with VectorGame(tiny_config, envs=2, workers=1, timeout_s=4.0) as game:
        game.reset()
        hung = game.worker_pids[0]
        os.kill(hung, signal.SIGSTOP)
        start = time.monotonic()
        game.step([0, 0])
        assert time.monotonic() - start > 3.5
        assert game.restarts == 1
        assert game.restarted.all()
        assert all_end([hung])


def test_a_worker_that_never_gets_going_is_an_error_and_no_endless_loop(tiny_config, tiny_path):
    with VectorGame(tiny_config, envs=1, workers=1) as game:
        game.reset()
        tiny_path.unlink()
        os.kill(game.worker_pids[0], signal.SIGKILL)
        with pytest.raises(RuntimeError, match="3 replacements"):
            game.step([0])


def test_closing_ends_every_process_and_can_be_done_twice(tiny_config):
    game = VectorGame(tiny_config, envs=3, workers=2)
    pids = game.worker_pids
    assert len(pids) == 2
    descriptors = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    game.close()
    game.close()
    assert all_end(pids)
    if descriptors is not None:
        assert len(os.listdir("/proc/self/fd")) < descriptors


def test_workers_end_when_their_owner_is_killed(tiny_config):
    script = (
        "import sys, time\n"
        "from emurl_core.game import GameConfig, VectorGame\n"
        "game = VectorGame(GameConfig(game='rom', rom=sys.argv[1]), envs=2, workers=2)\n"
        "game.reset()\n"
        "print(*game.worker_pids, flush=True)\n"
        "time.sleep(60)\n"
    )
    # Started from a string: workers must not need the owner's main module.
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tiny_config.rom)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pids = [int(p) for p in owner.stdout.readline().split()]
    assert len(pids) == 2
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert all_end(pids)


def all_end(pids: Sequence[int]) -> bool:
    """Whether the processes end within ten seconds."""
    deadline = time.monotonic() + 10
    while any(runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc").is_dir() is False
