"""The page over HTTP: `/` is the page, `/stream` what it shows, as server-sent events, `/order` what it orders.

A page of another site that is open in the same browser can reach this address as well. So no answer is open to other origins;
the stream and orders are refused to its pages, and an order needs the token that stands in our page; and a Host that is a name of somebody's domain is refused, because such a
name can be made to point here.
"""

import ipaddress
import json
import secrets
import socket
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jinja2
from pydantic import ValidationError

from emurl_core.watching.board import Board, Glance
from emurl_core.watching.controls import Controls, Order

TOKEN_HEADER = "X-EmuRL-Token"
_MOST_VIEWERS = 16
_MOST_BYTES = 1_000
"""Of an order."""
_SIGN_OF_LIFE_S = 3.0
"""How soon a page that was closed during a pause is noticed."""


class WatchServer(ThreadingHTTPServer):
    """Listens at `address`, the port of which may be 0. Raises OSError when it is taken."""

    daemon_threads = True
    allow_reuse_port = False  # Or two of them would share a port without a word.

    def __init__(self, address: tuple[str, int], controls: Controls, board: Board) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.controls, self.board = controls, board
        self.named = address[0]
        self.token = secrets.token_urlsafe(32)
        self.session = secrets.token_hex(8)
        self._page = jinja2.Environment(
            loader=jinja2.PackageLoader("emurl_core.watching"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        ).get_template("watch.html.j2")
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise OSError(
                f"cannot serve at {address[0]}:{address[1]}: found {error.strerror or error}, expected an address of this "
                "machine and a free port; set port=0 to take any free one"
            ) from error

    def server_bind(self) -> None:
        """Without looking up this machine's name in the network, which the parent does and nobody needs."""
        socketserver.TCPServer.server_bind(self)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        host = f"[{self.named}]" if ":" in self.named else self.named
        return f"http://{host}:{self.server_address[1]}/"

    def page(self, nonce: str) -> str:
        """The page; `nonce` marks what may run and style it."""
        return self._page.render(token=self.token, header=TOKEN_HEADER, nonce=nonce)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a page that is closed in the middle of a picture is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        if self.path == "/":
            nonce = secrets.token_urlsafe(16)
            allowed = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'"
            guard = {"Content-Security-Policy": f"{allowed}; base-uri 'none'; frame-ancestors 'none'"}
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page(nonce), guard)
        elif self.path == "/stream":
            self._stream()
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"found the path {self.path}, expected / or /stream")

    def do_POST(self) -> None:
        # Whatever the answer, what was not read of the body must not be taken for the next request.
        self.close_connection = True
        if not self._is_for_us():
            return
        if self.path != "/order":
            return self._refuse(HTTPStatus.NOT_FOUND, f"found the path {self.path}, expected /order")
        token = self.headers.get(TOKEN_HEADER, "")
        if not self._is_from_us() or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return self._refuse(
                HTTPStatus.FORBIDDEN,
                "found an order from elsewhere, expected our page's token: load the page again",
            )
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return self._refuse(
                HTTPStatus.BAD_REQUEST,
                f"found a body of {length or 'unknown'} bytes, expected at most {_MOST_BYTES}",
            )
        try:
            order = Order.model_validate_json(self.rfile.read(int(length)))
        except ValidationError as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, f"found no order: {error}")
        self.server.controls.obey(order)
        self._answer(HTTPStatus.OK, "application/json", "{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each key pressed says nothing."""

    def _stream(self) -> None:
        if not self._is_from_us():
            # It could not read a word of it, but it could take the places of our pages, and keep the game going.
            return self._refuse(
                HTTPStatus.FORBIDDEN, "found a page from elsewhere, expected our own: open that"
            )
        controls = self.server.controls
        if controls.viewers >= _MOST_VIEWERS:
            return self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, f"found {controls.viewers} pages open; close one"
            )
        self.close_connection = True
        self._head(HTTPStatus.OK, "text/event-stream", {})
        controls.enter()
        try:
            seen: Glance | None = None
            while True:
                new = self.server.board.look(seen, _SIGN_OF_LIFE_S)
                if new is None:
                    self.wfile.write(b": still here\n\n")
                else:
                    # A page that outlived its server finds another session here, and loads itself again.
                    message = {**new.message, "session": self.server.session}
                    self.wfile.write(f"data: {json.dumps(message)}\n\n".encode())
                    seen = new
        except OSError:
            pass  # The page was closed.
        finally:
            controls.leave()

    def _is_for_us(self) -> bool:
        host = self.headers.get("Host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        try:
            ipaddress.ip_address(name.strip("[]"))
            return True
        except ValueError:
            if name in ("localhost", self.server.named):
                return True
        self._refuse(
            HTTPStatus.FORBIDDEN,
            f"found the host {host!r}, expected this machine: open {self.server.address}",
        )
        return False

    def _is_from_us(self) -> bool:
        """Whether it is our page that asks, as far as browsers tell; programs tell nothing."""
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{self.headers.get('Host')}":
            return False
        return self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._answer(status, "application/json", json.dumps({"error": why}))

    def _answer(
        self, status: HTTPStatus, kind: str, body: str, headers: dict[str, str] | None = None
    ) -> None:
        content = body.encode()
        self._head(status, kind, {"Content-Length": str(len(content)), **(headers or {})})
        self.wfile.write(content)

    def _head(self, status: HTTPStatus, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        safe = {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if self.close_connection:
            # Or whoever keeps connections sends the next request into a closed one.
            safe["Connection"] = "close"
        for name, value in {"Content-Type": kind, **safe, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
