"""A web server on loopback that serves videos well and badly, and small videos to serve. Every request is written down."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np


@dataclass(frozen=True)
class Asked:
    """One request: when it came and when the answer ended, what for, and what was sent."""

    began: float
    at: float
    path: str
    range: str | None
    status: int
    sent: int
    headers: dict[str, str]


@dataclass
class Page:
    """How one address answers.

    Attributes:
        length: whether Content-Length is sent.
        cut_after: close the connection after so many bytes of the body, the first `cuts` times.
        stall_after: say nothing more after so many bytes. drip_s: seconds between single bytes from there.
        status: another status, the first `times` times.
    """

    body: bytes = b""
    kind: str = "video/mp4"
    status: int = 200
    times: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)
    length: bool = True
    ranges: bool = True
    etag: str | None = None
    modified: str | None = None
    cut_after: int | None = None
    cuts: int = 1_000_000
    stall_after: int | None = None
    drip_s: float | None = None
    bytes_per_s: float | None = None
    asked: int = 0


class VideoServer:
    """`pages` by path; a page may be changed while the server runs."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self._log: list[Asked] = []
        self._open = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                outer._answer(self)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return self.address + path

    @property
    def log(self) -> list[Asked]:
        """What was asked, once every answer is through: a client may be done before its answer is noted here."""
        until = time.monotonic() + 2
        while self._open and time.monotonic() < until:
            time.sleep(0.005)
        return list(self._log)

    def asked(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [a for a in self.log if a.path.split("?")[0] == path]

    @contextmanager
    def running(self) -> Iterator["VideoServer"]:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        yield self
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(
            handler.path.split("?")[0], Page(status=404, body=b"no such page", kind="text/plain")
        )
        with self._lock:
            self._open += 1
            page.asked += 1
            nth = page.asked
        began, sent, status = time.monotonic(), 0, page.status if nth <= page.times else 200
        try:
            status, sent = self._send(handler, page, status, nth)
        except OSError:
            pass
        finally:
            headers = {k.lower(): v for k, v in handler.headers.items()}
            with self._lock:
                self._log.append(
                    Asked(
                        began,
                        time.monotonic(),
                        handler.path,
                        handler.headers.get("Range"),
                        status,
                        sent,
                        headers,
                    )
                )
                self._open -= 1

    def _send(self, handler: BaseHTTPRequestHandler, page: Page, status: int, nth: int) -> tuple[int, int]:
        body, start = page.body if status == 200 else b"", 0
        wanted = handler.headers.get("Range")
        if page.etag and handler.headers.get("If-None-Match") == page.etag:
            status, body = 304, b""
        elif status == 200 and page.ranges and wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(body) - 1), len(body) - 1)
            if start > end:
                status, body = 416, b""
            else:
                status, body = 206, body[start : end + 1]
        handler.send_response(status)
        handler.send_header("Content-Type", page.kind)
        handler.send_header("Connection", "close")
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(page.body)}")
        if page.length or status != 200:
            handler.send_header("Content-Length", str(len(body)))
        for name, value in (("ETag", page.etag), ("Last-Modified", page.modified)):
            if value:
                handler.send_header(name, value)
        if status not in (200, 206) or page.status != 200:
            for name, value in page.headers.items():
                handler.send_header(name, value)
        handler.end_headers()
        return status, 0 if handler.command == "HEAD" else self._body(handler, page, body, nth)

    def _body(self, handler: BaseHTTPRequestHandler, page: Page, body: bytes, nth: int) -> int:
        if page.cut_after is not None and nth <= page.cuts:
            body = body[: page.cut_after]
        pace = page.bytes_per_s
        stop = len(body) if page.stall_after is None else min(page.stall_after, len(body))
        step = stop if pace is None else max(1, int(pace / 50))
        sent = 0
        while sent < stop:
            handler.wfile.write(body[sent : min(sent + step, stop)])
            sent = min(sent + step, stop)
            if pace is not None and self.closing.wait(step / pace):
                return sent
        while sent < len(body):
            if self.closing.wait(page.drip_s or 0.2):
                break
            if page.drip_s:
                handler.wfile.write(body[sent : sent + 1])
                sent += 1
        return sent


@cache
def video(
    seconds: float = 6.0, seed: int = 0, container: str = "mp4", fps: int = 15, keyframe_every: int = 15
) -> bytes:
    """A real H.264 video of moving noise, the index of an MP4 at its beginning."""
    options = {"movflags": "faststart"} if container == "mp4" else {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"video.{container}"
        form = {"ts": "mpegts", "mkv": "matroska"}.get(container, container)
        with av.open(str(path), "w", format=form, options=options) as file:
            stream = file.add_stream(
                "libx264",
                rate=fps,
                options={"g": str(keyframe_every), "preset": "ultrafast", "crf": "30", "threads": "1"},
            )
            stream.width, stream.height, stream.pix_fmt = 160, 144, "yuv420p"
            noise = np.random.default_rng(seed).integers(0, 255, (144, 160, 3), dtype=np.uint8)
            for i in range(round(seconds * fps)):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, i, axis=1), format="rgb24")))
            file.mux(stream.encode())
        return path.read_bytes()


def with_tail(body: bytes, mark: str) -> bytes:
    """The same MP4 with other bytes: a box behind the last one that every player passes over."""
    content = hashlib.sha256(mark.encode()).digest()
    return body + (8 + len(content)).to_bytes(4, "big") + b"free" + content


@cache
def fragments(count: int = 6, seed: int = 0, fps: int = 15) -> tuple[bytes, ...]:
    """A video as MPEG-TS fragments of one second."""
    noise = np.random.default_rng(seed).integers(0, 255, (144, 160, 3), dtype=np.uint8)
    with TemporaryDirectory() as folder:
        options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": f"{folder}/%d.ts"}
        with av.open(f"{folder}/list.m3u8", "w", format="hls", options=options) as file:
            coding = {"preset": "ultrafast", "crf": "30", "threads": "1", "g": str(fps), "bf": "0"}
            stream = file.add_stream("libx264", rate=fps, options=coding)
            stream.width, stream.height, stream.pix_fmt = 160, 144, "yuv420p"
            for i in range(count * fps):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, i, axis=1), format="rgb24")))
            file.mux(stream.encode())
        return tuple((Path(folder) / f"{i}.ts").read_bytes() for i in range(count))


def playlist(server: VideoServer, folder: str, bodies: tuple[bytes, ...], **settings: Any) -> str:
    """Serve fragments of one second and their playlist below `folder`; the playlist's path."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0"]
    for i, body in enumerate(bodies):
        server.pages[f"{folder}/{i}.ts"] = Page(body, kind="video/mp2t", **settings)
        lines += ["#EXTINF:1.000000,", f"{i}.ts"]
    text = "\n".join([*lines, "#EXT-X-ENDLIST"]).encode()
    server.pages[f"{folder}/list.m3u8"] = Page(text, kind="application/vnd.apple.mpegurl")
    return f"{folder}/list.m3u8"


Wait = Callable[[], bool]


def wait_until(true: Wait, limit_s: float = 20.0) -> None:
    """Return when it is true; AssertionError when it takes too long."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.01)
