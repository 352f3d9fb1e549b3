"""A loopback web server whose answers are a function of the request, and which remembers what it was asked and when."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request. `query` holds the last value of each name."""

    at: float
    path: str
    query: Mapping[str, str]
    user_agent: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """One response. `cut` closes the connection after so many bytes of the body, `None` of them is a dead connection."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    slow_s: float = 0.0

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


DEAD = Answer(b"", status=0)
"""The connection is closed without a word."""


class JsonServer:
    """Runs until the block ends."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.answer = answer
        self.port = 0
        self._lock = threading.Lock()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def gaps(self) -> list[float]:
        """Seconds between one request and the next."""
        times = [asked.at for asked in self.asked]
        return [b - a for a, b in pairwise(times)]

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            return self.answer(asked)


@contextmanager
def serving(server: JsonServer) -> Iterator[JsonServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            at = time.monotonic()
            parts = urlsplit(self.path)
            query = {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = server.take(
                Asked(at, parts.path, query, self.headers.get("User-Agent", ""), dict(self.headers), body)
            )
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response_only(answer.status, "Answer")
            content = answer.content
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in answer.headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if answer.slow_s:
                for i in range(len(content)):
                    self.wfile.write(content[i : i + 1])
                    self.wfile.flush()
                    time.sleep(answer.slow_s)
                return
            self.wfile.write(content if answer.cut is None else content[: answer.cut])
            self.close_connection = self.close_connection or answer.cut is not None

        do_POST = do_GET  # noqa: N815 - the name http.server wants

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 50

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is part of the play."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
