"""A worker process: a few emulators behind a socket, their frames in shared memory.

Workers are forked from a mother process, a fresh interpreter that has imported this module and does nothing else: so a
worker starts in milliseconds, never imports the owner's main module and inherits no threads. Mother and workers end by
themselves when their owner is gone. The owner's ends of the sockets are in `processes`.

Protocol: a request is 5 bytes, a command and a 32-bit number, then for RESET the save state. The answer is 5 bytes, OK or
ERROR and the length of what follows (a save state, or the message of the error). A step is thus one system call each way.
"""

import json
import mmap
import os
import signal
import socket
import struct
import sys
import traceback

from emurl_core.game.lanes import Lanes
from emurl_core.game.registry import GameConfig, open_game
from emurl_core.game.slots import Slots, slots_bytes

HEADER = struct.Struct("<cI")
LENGTH = struct.Struct("<I")
PROCESS_ID = struct.Struct("<I")
STEP, RESET, SAVE, CLOSE = b"S", b"R", b"V", b"C"
OK, ERROR = b"K", b"E"
BIRTH_BYTES = 65536
"""No request for a new worker is longer."""


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """`size` bytes; raises ConnectionError when the other side ends first."""
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("it ended")
        parts += part
    return bytes(parts)


def serve(connection: socket.socket, lanes: Lanes) -> None:
    """Answer requests until CLOSE. Raises ConnectionError when the owner is gone."""
    while True:
        command, number = HEADER.unpack(receive_exactly(connection, HEADER.size))
        answer = b""
        kind = OK
        try:
            if command == STEP:
                lanes.end_step()
            elif command == RESET:
                (size,) = LENGTH.unpack(receive_exactly(connection, LENGTH.size))
                lanes.reset([number], [receive_exactly(connection, size)])
            elif command == SAVE:
                (answer,) = lanes.save([number])
            else:
                return
        except ValueError as error:
            kind, answer = ERROR, str(error).encode()
        connection.sendall(HEADER.pack(kind, len(answer)) + answer)


def work(connection: socket.socket, memory_descriptor: int, birth: bytes) -> None:
    """Be a worker. `birth` is JSON: config, envs, first, count."""
    wanted = json.loads(birth)
    memory = mmap.mmap(memory_descriptor, slots_bytes(wanted["envs"]))
    rows = range(wanted["first"], wanted["first"] + wanted["count"])
    lanes = Lanes(open_game(GameConfig(**wanted["config"])), Slots(wanted["envs"], memory), rows)
    connection.sendall(HEADER.pack(OK, 0))
    serve(connection, lanes)


def main() -> None:
    """Be the mother: fork a worker for each request on the socket whose descriptor is the first argument."""
    # Ctrl-C reaches the whole process group: the owner decides what it means, and closes the sockets.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody waits for the exit status of a worker: its owner sees the socket close.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    owner = socket.socket(fileno=int(sys.argv[1]))
    while True:
        birth, descriptors, _, _ = socket.recv_fds(owner, BIRTH_BYTES, 2)
        if not birth:
            return
        child = os.fork()
        if child == 0:
            owner.close()
            # Held here until the process ends: its owner takes the closing of the socket for that.
            connection = socket.socket(fileno=descriptors[0])
            try:
                work(connection, descriptors[1], birth)
            except ConnectionError:
                pass  # The owner is gone.
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        owner.sendall(PROCESS_ID.pack(child))
