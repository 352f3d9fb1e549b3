"""Turns at a host: spaced over threads and processes, freed by the dead, and never held up by a clock that was set back."""

import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from emurl_core.sources.pace import Pace

TAKE_TURNS = """
import sys, time
from pathlib import Path
from emurl_core.sources.pace import Pace
pace = Pace(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    pace.wait(sys.argv[3], float(sys.argv[4]))
    print(time.time(), flush=True)
"""


def start(folder: Path, turns: int, host: str, spacing_s: float) -> subprocess.Popen[str]:
    arguments = [str(folder), str(turns), host, str(spacing_s)]
    return subprocess.Popen([sys.executable, "-c", TAKE_TURNS, *arguments], stdout=subprocess.PIPE, text=True)


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(sorted(times))]


def test_three_processes_share_the_turns_at_a_host(tmp_path):
    workers = [start(tmp_path, 4, "www.speedrun.com", 0.15) for _ in range(3)]
    times = [float(line) for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert len(times) == 12
    # Printing the time comes a little after the turn.
    assert min(gaps(times)) > 0.1
    assert max(times) - min(times) > 11 * 0.145


def test_threads_of_one_process_share_them_too(tmp_path):
    times: list[float] = []

    def work() -> None:
        for _ in range(3):
            Pace(tmp_path).wait("host", 0.05)
            times.append(time.time())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(gaps(times)) > 0.03
    assert max(times) - min(times) > 8 * 0.045


def test_the_first_turn_is_at_once_and_hosts_do_not_wait_for_each_other(tmp_path):
    pace, began = Pace(tmp_path), time.monotonic()
    for host in ("a.example", "b.example", "../../c", "d" * 300, "A.example:80"):
        pace.wait(host, 60)
    assert time.monotonic() - began < 1
    assert {p.parent for p in tmp_path.rglob("*")} == {tmp_path}


def test_letters_of_a_host_are_one_in_both_cases(tmp_path):
    pace, began = Pace(tmp_path), time.monotonic()
    pace.wait("Example.org", 0.2)
    pace.wait("example.ORG", 0.2)
    assert time.monotonic() - began >= 0.2


def test_a_killed_process_frees_its_turn(tmp_path):
    worker = start(tmp_path, 2, "host", 30)
    assert worker.stdout is not None
    worker.stdout.readline()
    time.sleep(0.3)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    began = time.monotonic()
    Pace(tmp_path).wait("host", 0.1)
    assert time.monotonic() - began < 1


def test_a_clock_that_was_set_back_costs_one_spacing(tmp_path, monkeypatch):
    pace = Pace(tmp_path)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    pace.wait("host", 0.2)
    pace.rest("host", 3_600)
    monkeypatch.setattr(time, "time", real)
    began = time.monotonic()
    pace.wait("host", 0.2)
    assert 0.15 < time.monotonic() - began < 1


def test_a_host_that_wants_rest_is_left_alone_by_those_who_wait_already(tmp_path):
    pace = Pace(tmp_path)
    pace.wait("host", 1.2)
    began = time.monotonic()
    waiting = threading.Thread(target=pace.wait, args=("host", 1.2))
    waiting.start()
    time.sleep(0.1)
    pace.rest("host", 1.8)
    pace.rest("host", 0.1)
    waiting.join()
    assert 1.8 < time.monotonic() - began < 3


@pytest.mark.parametrize("junk", ["", "soon", "1e999", "nan"])
def test_damaged_files_are_no_obstacle(tmp_path, junk):
    pace = Pace(tmp_path)
    pace.wait("host", 0.01)
    pace.rest("host", 0.01)
    for file in tmp_path.iterdir():
        file.write_text(junk)
    began = time.monotonic()
    pace.wait("host", 0.05)
    assert time.monotonic() - began < 0.5
