"""The reins of one try to fetch a video: every connection is checked before it is used, counted while it is read, and cut
when its time is up.

They hold for everything that yt-dlp asks too (pages, redirects, playlists, fragments), because its only way to the network
is the request handler here. Which addresses are public is in `addresses`; what is fetched is in `web_video`.
"""

import contextlib
import socket
import threading
import time
import weakref
from types import TracebackType
from typing import Any

import urllib3
from yt_dlp.networking._requests import (
    RequestsHTTPAdapter,
    RequestsResponseAdapter,
    RequestsRH,
    RequestsSession,
)
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import RequestError

from emurl_core.sources.addresses import check_public, is_public
from emurl_core.sources.registry import FetchError

PAGE_BYTES = 256 * 2**20
"""Pages and players together; a video may be larger."""
_LEAST_FLOW_BYTES = 16 * 2**10
_TICK_S = 0.1
_MOST_REDIRECTS = 10


class Reins:
    """Used as a context: `with Reins(...) as reins:`.

    Args:
        allow_private: let loopback and private networks pass.
        limit_s: when to cut everything.
        stall_s: when to cut a transfer that moves less than 16 KiB in so long a time.
    """

    def __init__(self, allow_private: bool, limit_s: float, stall_s: float) -> None:
        self.allow_private = allow_private
        self.limit_s, self.stall_s = limit_s, stall_s
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._over = threading.Event()
        self._ended = threading.Event()
        self._cut: FetchError | None = None
        self._left = PAGE_BYTES
        self._allowed = PAGE_BYTES
        self._end = time.monotonic() + limit_s
        self._flow_began: float | None = None
        self._flow_bytes = 0

    def __enter__(self) -> "Reins":
        _LIVE.add(self)
        threading.Thread(target=self._watch, name="emurl-reins", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        _LIVE.discard(self)
        with self._lock:
            for copy in self._sockets:
                copy.close()
            self._sockets.clear()

    def check(self, url: str) -> None:
        """Pass when this address may be asked. Raises CutError."""
        self.go_on()
        try:
            check_public(url, self.allow_private)
        except FetchError as error:
            raise CutError(error) from error

    def admit(self, connection: socket.socket) -> None:
        """A connection was made. Raises CutError when it leads elsewhere than the check of its name said."""
        # A copy of the descriptor: wrapping in TLS empties the object itself.
        with self._lock:
            self._sockets.append(connection.dup())
        peer = str(connection.getpeername()[0])
        if not (self.allow_private or is_public(peer)):
            connection.close()
            raise CutError(
                FetchError(
                    "refused",
                    f"found a connection to {peer}, expected a host on the public internet; leave the link out",
                )
            )
        self.go_on()

    def allow(self, size: int) -> None:
        """So many bytes may be read from here on."""
        self._left = self._allowed = size

    def count(self, size: int) -> None:
        """Bytes were read. Raises CutError when they are too many."""
        self._left -= size
        self._flow_bytes += size
        if self._left < 0:
            self.cut(
                FetchError(
                    "too_large",
                    f"found more than {self._allowed / 1e9:,.3g} GB, expected less; leave the video out or raise max_gigabytes",
                )
            )
        self.go_on()

    def flow(self, flowing: bool) -> None:
        """A transfer begins, after which bytes must come; or it pauses, after which none need to."""
        self._flow_bytes = 0
        self._flow_began = time.monotonic() if flowing else None

    def nap(self, seconds: float) -> None:
        """Sleep, but not beyond the end. Raises CutError."""
        self._over.wait(max(0.0, min(seconds, self._end - time.monotonic() + _TICK_S)))
        self.go_on()

    def go_on(self) -> None:
        """Raises CutError when it is over."""
        if self._cut is not None:
            raise CutError(self._cut)

    @property
    def verdict(self) -> FetchError | None:
        """Why it was cut; None when it was not."""
        return self._cut

    def cut(self, why: FetchError) -> None:
        """End everything: whoever reads is woken up."""
        with self._lock:
            self._cut = self._cut or why
            for copy in self._sockets:
                with contextlib.suppress(OSError):
                    copy.shutdown(socket.SHUT_RDWR)
        self._over.set()

    def _watch(self) -> None:
        while not self._ended.wait(_TICK_S):
            now = time.monotonic()
            if now >= self._end:
                self.cut(
                    FetchError(
                        "timeout",
                        f"found it unfinished after {self.limit_s:,.0f} s, expected an end; try again or raise try_minutes",
                    )
                )
            elif self._flow_began is not None and now - self._flow_began >= self.stall_s:
                if self._flow_bytes < _LEAST_FLOW_BYTES:
                    self.cut(
                        FetchError(
                            "timeout",
                            f"found {self._flow_bytes} bytes in {self.stall_s:,.0f} s, expected a transfer that moves; try again later",
                        )
                    )
                else:
                    self.flow(True)


_LIVE: "weakref.WeakSet[Reins]" = weakref.WeakSet()


def cut_all(why: FetchError) -> None:
    """End every try of this process, for Ctrl-C."""
    for reins in list(_LIVE):
        reins.cut(why)


class CutError(RequestError):
    """What yt-dlp sees of a FetchError raised by the reins: it passes such errors on. `error` is the FetchError."""

    def __init__(self, error: FetchError) -> None:
        super().__init__(str(error), cause=error)
        self.error = error


class CountedResponse(RequestsResponseAdapter):
    """A response whose bytes the reins count."""

    def __init__(self, response: RequestsResponseAdapter, reins: Reins) -> None:
        super().__init__(response._requests_response)
        # Held, because an abandoned one closes the connection.
        self._plain = response
        self._reins = reins
        self._eager = False

    def read_some(self, most: int) -> bytes:
        """What has come, at most so many bytes, without waiting for more; none at the end. Raises as `read`."""
        self._eager = True
        try:
            return bytes(self.read(most))
        finally:
            self._eager = False

    def _real_read(self, amt: int | None = None) -> bytes:
        if amt is None:
            return b"".join(iter(lambda: self._real_read(2**20), b""))
        read = self.fp.read1 if self._eager else self.fp.read
        data: bytes = read(amt, decode_content=True)
        self._reins.count(len(data))
        return data


class ReinedRH(RequestsRH):
    """yt-dlp's request handler, held by the reins. No other handler is given to it."""

    def __init__(self, *, reins: Reins, **settings: Any) -> None:
        super().__init__(**settings)
        self._reins = reins

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> RequestsSession:
        session = RequestsSession()
        session.max_redirects = _MOST_REDIRECTS
        adapter = _Adapter(
            self._reins,
            ssl_context=self._make_sslcontext(legacy_ssl_support=legacy_ssl_support),
            source_address=self.source_address,
            max_retries=urllib3.util.retry.Retry(False),
        )
        session.adapters.clear()
        session.headers.clear()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.cookies = cookiejar
        session.trust_env = False
        return session

    def _send(self, request: Any) -> Response:
        return CountedResponse(super()._send(request), self._reins)


class _Adapter(RequestsHTTPAdapter):
    """Sends one request; a redirect is another one, so every hop comes by here."""

    def __init__(self, reins: Reins, **settings: Any) -> None:
        self._reins = reins
        super().__init__(**settings)

    def send(self, request: Any, *args: Any, **settings: Any) -> Any:
        self._reins.check(request.url)
        return super().send(request, *args, **settings)

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = _pools(self._reins)


def _pools(reins: Reins) -> dict[str, Any]:
    class Plain(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            reins.admit(made)
            return made

    class Secure(urllib3.connection.HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            reins.admit(made)
            return made

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
