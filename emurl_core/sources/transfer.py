"""One file over HTTP, resumed from its part only where it is certain that the part is of the same file.

Beside `<name>.part` lies `<name>.part.json`: whose bytes these are (identity, ETag, Last-Modified, length). A resume asks
for the rest and compares. Where the server gives no strong ETag, the last bytes of the part are asked for once more and
compared too; a part that is of another file is thrown away. Playlists of fragments are in `fragments`.
"""

import os
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError

from emurl_core.sources.connections import CountedResponse, CutError
from emurl_core.sources.errand import Errand
from emurl_core.sources.inspection import looks_like_page
from emurl_core.sources.registry import FetchError

BLOCK_BYTES = 2**16
SEAM_BYTES = 2**16
"""How much of a part is compared again where there is no strong ETag."""
_MOST_ANEW = 3
_HEALING = (408, 420, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class WebPageError(FetchError):
    """The server answered with a page where a video was expected."""


@dataclass(frozen=True)
class Transferred:
    """How a file came together.

    Attributes:
        length_known: whether the server said how long it is, so that nothing can be missing at the end.
        unproven_seam: whether it was resumed and the server gave nothing to prove that both ends belong together.
    """

    length_known: bool
    unproven_seam: bool


@dataclass(frozen=True)
class _Part:
    """What is known of the file that the part is of. None: the server did not say."""

    identity: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None
    resumed: bool = False

    @property
    def proven(self) -> bool:
        return bool(self.etag) and not str(self.etag).startswith("W/")

    def is_of(self, other: "_Part") -> bool:
        """Whether two answers can be of the same file. What only one of them says counts as a difference."""
        return (self.identity, self.etag, self.modified) == (other.identity, other.etag, other.modified) and (
            self.total is None or other.total is None or self.total == other.total
        )


class _AnewError(Exception):
    """The part is of another file."""


def transfer(errand: Errand, url: str, chunk_bytes: int = 0) -> Transferred:
    """Fetch a file into the errand's part, from where it stands.

    Args:
        chunk_bytes: ask for so much at once; 0 for all that is left.

    Raises:
        WebPageError: a page was served. FetchError: it can't be had. OSError: it can't be written.
    """
    try:
        return _File(errand, url, chunk_bytes).fetch()
    finally:
        errand.reins.flow(False)


class _File:
    def __init__(self, errand: Errand, url: str, chunk_bytes: int) -> None:
        self._errand, self._url, self._chunk = errand, url, chunk_bytes
        self._part, self._reins, self._name = errand.part, errand.reins, errand.name
        self._note = self._read_note()
        self._ended = False

    def fetch(self) -> Transferred:
        failures = anew = 0
        # A part without its note is nobody's; one with another identity is of another video.
        if self._have and self._note.identity != self._errand.identity:
            self._drop()
        best = self._have
        while not self._complete:
            try:
                self._reins.flow(True)
                self._one_request()
                self._reins.go_on()
                failures = 0
            except _AnewError:
                anew += 1
                self._drop()
                if anew > _MOST_ANEW:
                    raise FetchError(
                        "corrupt",
                        f"{self._name}: found other bytes at each try, expected one file; try again later",
                    ) from None
            except CutError as error:
                raise error.error from None
            except RequestError as error:
                if self._reins.verdict is not None:
                    raise self._reins.verdict from None
                failures = failures + 1 if self._have <= best else 1
                self._errand.wait_or_raise(error, failures, _may_heal(error))
            best = max(best, self._have)
        return Transferred(
            length_known=self._note.total is not None or self._whole_ending,
            unproven_seam=self._note.resumed and not self._note.proven and self._note.modified is None,
        )

    @property
    def _have(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    @property
    def _complete(self) -> bool:
        return self._ended or (
            self._note.total is not None and self._have == self._note.total and self._have > 0
        )

    _whole_ending = False
    """Whether the end was marked as such although no length was said."""

    def _one_request(self) -> None:
        have = self._have
        if have > (self._note.total or have):
            raise _AnewError
        seam = 0 if self._note.proven else min(have, SEAM_BYTES)
        start = have - seam
        headers = {**self._errand.headers, "Accept-Encoding": "identity"}
        if start or seam or self._chunk:
            last = f"{start + self._chunk - 1}" if self._chunk else ""
            headers["Range"] = f"bytes={start}-{last}"
        try:
            response = self._errand.open_url(Request(self._url, headers=headers))
        except HTTPError as error:
            if error.status == 416 and have:
                error.close()
                raise _AnewError from error
            raise
        with response:
            served = _served(response, self._errand.identity)
            if response.status == 206 and have:
                if not self._note.is_of(served) or _start(response) != start:
                    raise _AnewError
                self._check_seam(response, seam)
                self._keep(replace(served, resumed=True, total=served.total or self._note.total))
            else:
                if response.status == 206 and _start(response) != 0:
                    raise FetchError(
                        "corrupt",
                        f"{self._name}: found another part of the file than asked for; try again",
                    )
                # The server knows no ranges, or this is the beginning.
                self._part.unlink(missing_ok=True)
                _refuse_page(response, self._name)
                self._keep(served)
            self._append(response)
            if self._note.total is None:
                self._ended = True
                self._whole_ending = "chunked" in str(response.headers.get("Transfer-Encoding") or "").lower()

    def _check_seam(self, response: CountedResponse, seam: int) -> None:
        if not seam:
            return
        again = b""
        while len(again) < seam and (block := response.read(seam - len(again))):
            again += block
        with self._part.open("rb") as file:
            file.seek(-seam, os.SEEK_END)
            if file.read(seam) != again:
                raise _AnewError

    def _append(self, response: CountedResponse) -> None:
        done = self._have
        with self._part.open("ab") as file:
            try:
                while block := response.read_some(BLOCK_BYTES):
                    file.write(block)
                    done += len(block)
                    self._errand.progress(done, self._note.total)
            finally:
                file.flush()
        # A connection that is cut from here ends without an error.
        self._reins.go_on()
        if self._note.total is not None and not self._chunk and done < self._note.total:
            raise TransportError(f"the connection ended after {done:,} of {self._note.total:,} bytes")
        if self._note.total is not None and done > self._note.total:
            raise _AnewError

    def _read_note(self) -> _Part:
        try:
            return _Part(**self._errand.read_note())
        except TypeError:
            return _Part("")

    def _keep(self, note: _Part) -> None:
        if note != self._note or not self._errand.read_note():
            self._note = note
            self._errand.write_note(asdict(note))

    def _drop(self) -> None:
        self._errand.drop_part()
        self._note = _Part("")


def _refuse_page(response: CountedResponse, name: str) -> None:
    kind = str(response.headers.get("Content-Type") or "").lower()
    if looks_like_page(b"", kind):
        raise WebPageError(
            "corrupt", f"{name}: found a web page ({kind[:40]}), expected a video; leave it out"
        )


def _served(response: CountedResponse, identity: str) -> _Part:
    headers = response.headers
    total: int | None = None
    if match := _RANGE.match(str(headers.get("Content-Range") or "")):
        total = None if match[3] == "*" else int(match[3])
    elif response.status == 200 and not headers.get("Content-Encoding"):
        said = str(headers.get("Content-Length") or "")
        total = int(said) if said.isdecimal() else None
    return _Part(identity, _text(headers.get("ETag")), _text(headers.get("Last-Modified")), total)


def _start(response: CountedResponse) -> int | None:
    match = _RANGE.match(str(response.headers.get("Content-Range") or ""))
    return int(match[1]) if match else None


def _text(value: Any) -> str | None:
    return str(value)[:300] if value else None


def _may_heal(error: RequestError) -> bool:
    return error.status in _HEALING if isinstance(error, HTTPError) else isinstance(error, TransportError)
