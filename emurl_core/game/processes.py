"""The owner's ends of its processes: start workers, talk to one, notice that it is lost, stop it.

What a worker does is in `worker`; who replaces a lost one is `crew`.
"""

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import emurl_core
from emurl_core.game.registry import GameConfig
from emurl_core.game.slots import Slots, anonymous_memory, slots_bytes
from emurl_core.game.worker import (
    CLOSE,
    ERROR,
    HEADER,
    LENGTH,
    PROCESS_ID,
    RESET,
    SAVE,
    STEP,
    receive_exactly,
)

STEP_REQUEST = HEADER.pack(STEP, 0)
_STOP_TIMEOUT_S = 5.0
# Workers open no window: without SDL, which PyBoy takes as optional, they start faster and say nothing.
_START = "import sys; sys.modules['sdl2'] = None; from emurl_core.game.worker import main; main()"


def reset_request(row: int, state: bytes) -> bytes:
    """Begin an episode in one row."""
    return HEADER.pack(RESET, row) + LENGTH.pack(len(state)) + state


def save_request(row: int) -> bytes:
    """Send the save state of one row."""
    return HEADER.pack(SAVE, row)


class WorkerLostError(Exception):
    """A worker, or the mother of workers, died or did not answer in time."""


class SharedSlots:
    """Slots in memory that workers can be given."""

    def __init__(self, envs: int) -> None:
        self.envs = envs
        self.descriptor = anonymous_memory(slots_bytes(envs))
        self.slots = Slots(envs, mmap.mmap(self.descriptor, slots_bytes(envs)))

    def close(self) -> None:
        """Let go of the descriptor; arrays that are still held stay readable."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Mother:
    """The process that workers are forked from; see `worker`. A lost one is started again when it is needed."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def bear(self, config: GameConfig, memory: SharedSlots, rows: range) -> "WorkerProcess":
        """A new worker for some rows, ready after its first `receive`. Raises WorkerLostError when there is none."""
        birth = {"config": config.model_dump(), "envs": memory.envs, "first": rows.start, "count": len(rows)}
        ours, theirs = socket.socketpair()
        ours.settimeout(self._timeout_s)
        with theirs:
            try:
                mother = self._alive()
                socket.send_fds(mother, [json.dumps(birth).encode()], [theirs.fileno(), memory.descriptor])
                (pid,) = PROCESS_ID.unpack(receive_exactly(mother, PROCESS_ID.size))
            except OSError as error:
                ours.close()
                self.close()
                raise WorkerLostError(f"the mother of workers: {error or type(error).__name__}") from error
        return WorkerProcess(ours, pid, rows)

    def close(self) -> None:
        """Stop the process; its workers live on. Safe to call twice."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._connection = self._process = None

    def _alive(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._connection is None:
            self._connection, theirs = socket.socketpair()
            self._connection.settimeout(self._timeout_s)
            code = str(Path(emurl_core.__file__).parent.parent)
            threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    # Emulators need no maths threads, and a process with threads must not fork.
                    env=os.environ
                    | threads
                    | {"PYTHONPATH": os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH"))))},
                )
        return self._connection


class WorkerProcess:
    """A running worker for some rows. `receive` answers requests in the order they were sent.

    `send` and `receive` raise WorkerLostError when the process is gone, `receive` also when nothing came in time.
    """

    def __init__(self, connection: socket.socket, pid: int, rows: range) -> None:
        self.rows = rows
        self.pid = pid
        self._connection = connection
        self._answer = bytearray(HEADER.size)

    def send(self, request: bytes) -> None:
        """Send one of the requests above."""
        try:
            self._connection.sendall(request)
        except OSError as error:
            raise WorkerLostError(f"worker {self.pid}: {error or type(error).__name__}") from error

    def receive(self) -> bytes:
        """The next answer. Raises ValueError when the worker refused the request."""
        try:
            # An answer is one small packet: one call, into memory that is there already.
            size = self._connection.recv_into(self._answer)
            if size == 0:
                raise ConnectionError("it ended")
            if size < HEADER.size:
                self._answer[size:] = receive_exactly(self._connection, HEADER.size - size)
            kind, length = HEADER.unpack(self._answer)
            payload = receive_exactly(self._connection, length) if length else b""
        except OSError as error:
            raise WorkerLostError(f"worker {self.pid}: {error or type(error).__name__}") from error
        if kind == ERROR:
            raise ValueError(payload.decode())
        return payload

    def close(self, force: bool = False) -> None:
        """Stop the process, by force when it is lost or does not listen, and wait for its end. Safe to call twice."""
        if self._connection.fileno() < 0:
            return
        if not force:
            with suppress(OSError):
                self._connection.sendall(HEADER.pack(CLOSE, 0))
        # Never kill a process that has ended: its number may be another one's by now.
        if not self._ends_within(0.0 if force else _STOP_TIMEOUT_S):
            os.kill(self.pid, signal.SIGKILL)
            self._ends_within(_STOP_TIMEOUT_S)
        self._connection.close()

    def _ends_within(self, seconds: float) -> bool:
        """Whether the process ends in time. The socket ends with it, after answers nobody waited for."""
        self._connection.settimeout(seconds)
        try:
            while self._connection.recv(1 << 16):
                pass
        except (TimeoutError, BlockingIOError):
            return False
        except OSError:
            pass
        return True
