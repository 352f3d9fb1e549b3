"""A video that comes in fragments (HLS playlists, DASH), put together so that a killed process never doubles or loses one.

Beside `<name>.part` lies `<name>.part.json`: which list it is of, how many fragments are in, and how long the part was then;
what a killed process wrote beyond that is cut off. Before a resume the last fragment is asked for once more (a server with
ETags answers in one line that it is unchanged) and compared. A missing fragment ends the try. Whole files are in `transfer`.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError

from emurl_core.sources.connections import CutError
from emurl_core.sources.errand import Errand, Open
from emurl_core.sources.inspection import looks_like_page
from emurl_core.sources.registry import FetchError
from emurl_core.sources.verdicts import judge
from emurl_core.sources.ytdlp import Media

PLAYLIST_BYTES = 32 * 2**20
_MOST_FRAGMENTS = 200_000
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')


@dataclass(frozen=True)
class Fragment:
    """One piece. `start` and `end` are a range of bytes, end excluded; None for all."""

    url: str
    duration_s: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class _Note:
    signature: str = ""
    fragments: int = 0
    size: int = 0
    last_size: int = 0
    etag: str | None = None
    lengths_known: bool = True


def hls_fragments(open_url: Open, media: Media, name: str) -> list[Fragment]:
    """The fragments of the playlist at the media's address.

    Raises:
        FetchError: it can't be had, is no playlist, has not ended, or is encrypted.
    """
    try:
        with open_url(Request(media.url, headers=dict(media.headers))) as response:
            body = response.read(PLAYLIST_BYTES)
            base = str(response.url)
    except RequestError as error:
        raise judge(error, name) from error
    return parse_playlist(body.decode("utf-8", "replace"), base, name)


def dash_fragments(media: Media, name: str) -> list[Fragment]:
    """The fragments that yt-dlp listed. FetchError when they have no addresses."""
    found = []
    for part in media.fragments:
        url = part.get("url") or urljoin(str(part.get("base") or ""), str(part.get("path") or ""))
        if not str(url).startswith(("http://", "https://")):
            raise FetchError(
                "unsupported", f"{name}: found a fragment without an address, expected one; leave it out"
            )
        found.append(Fragment(str(url), float(part.get("duration") or 0.0)))
    return found


def parse_playlist(text: str, base: str, name: str) -> list[Fragment]:
    """Fragments of an HLS media playlist, the initialization fragment first. FetchError as `hls_fragments`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if (
        not lines
        or not lines[0].startswith("#EXTM3U")
        or any(line.startswith("#EXT-X-STREAM-INF") for line in lines)
    ):
        raise FetchError("unsupported", f"{name}: found no playlist of fragments, expected one; leave it out")
    if "#EXT-X-ENDLIST" not in lines and "#EXT-X-PLAYLIST-TYPE:VOD" not in lines:
        raise FetchError(
            "unavailable",
            f"{name}: found a playlist that still grows, expected one that ended; try again later",
        )
    fragments: list[Fragment] = []
    duration, wanted, reached = 0.0, None, 0
    for line in lines[1:]:
        tag, _, value = line.partition(":")
        if tag == "#EXTINF":
            duration = _number(value.partition(",")[0])
        elif tag == "#EXT-X-BYTERANGE":
            wanted = value
        elif tag == "#EXT-X-MAP":
            attributes = {k: v.strip('"') for k, v in _ATTRIBUTE.findall(value)}
            start, end = _byte_range(attributes.get("BYTERANGE"), 0)
            init = Fragment(urljoin(base, attributes.get("URI", "")), 0.0, start, end)
            if fragments and init != fragments[0]:
                raise FetchError(
                    "unsupported",
                    f"{name}: found a playlist whose encoding changes, expected one; leave it out",
                )
            if not fragments:
                fragments.append(init)
        elif tag == "#EXT-X-KEY" and "METHOD=NONE" not in value:
            raise FetchError(
                "unsupported", f"{name}: found an encrypted playlist, expected an open one; leave it out"
            )
        elif not line.startswith("#"):
            start, end = _byte_range(wanted, reached)
            fragments.append(Fragment(urljoin(base, line), duration, start, end))
            duration, wanted, reached = 0.0, None, end or 0
    if not any(f.duration_s for f in fragments) or len(fragments) > _MOST_FRAGMENTS:
        raise FetchError(
            "unsupported",
            f"{name}: found a playlist of {len(fragments)} fragments, expected some; leave it out",
        )
    return fragments


def fetch_fragments(errand: Errand, fragments: Sequence[Fragment]) -> bool:
    """Fetch all fragments into the errand's part, one after the other, from where it stands.

    Returns:
        Whether the server said of each how long it is, so that none can have lost its end.

    Raises:
        FetchError: one can't be had. OSError: it can't be written.
    """
    signature = _signature(errand.identity, fragments)
    puller = _Puller(errand, len(fragments))
    note = _read_note(errand)
    try:
        if note.fragments and not _same(note, signature, errand.part, fragments, puller):
            note = _Note()
        if note.size == 0:
            errand.part.unlink(missing_ok=True)
        with errand.part.open("ab") as file:
            file.truncate(note.size)
            for i in range(note.fragments, len(fragments)):
                body, etag = puller.pull(fragments[i], i)
                file.write(body)
                file.flush()
                whole = puller.lengths_known and note.lengths_known
                note = _Note(signature, i + 1, note.size + len(body), len(body), etag, whole)
                errand.write_note(asdict(note))
                errand.progress(note.size, round(note.size * len(fragments) / (i + 1)))
    finally:
        errand.reins.flow(False)
    return note.lengths_known


class _Puller:
    """Fetches one fragment, with patience."""

    def __init__(self, errand: Errand, count: int) -> None:
        self._errand, self._count = errand, count
        self.lengths_known = True

    def pull(self, fragment: Fragment, index: int, known_etag: str | None = None) -> tuple[bytes, str | None]:
        """The bytes and the ETag; no bytes when the server says that they are those with `known_etag`."""
        failures = 0
        reins = self._errand.reins
        while True:
            try:
                reins.flow(True)
                return self._once(fragment, index, known_etag)
            except CutError as error:
                raise error.error from None
            except RequestError as error:
                if reins.verdict is not None:
                    raise reins.verdict from None
                status = error.status if isinstance(error, HTTPError) else None
                failures += 1
                if status in (404, 410):
                    raise FetchError(
                        "corrupt",
                        f"{self._errand.name}: found fragment {index + 1} of {self._count} missing (HTTP {status}), expected all of "
                        "them; try again later",
                    ) from error
                heals = status is None and isinstance(error, TransportError)
                heals |= status is not None and (status >= 500 or status in (408, 420, 429))
                self._errand.wait_or_raise(error, failures, heals)

    def _once(self, fragment: Fragment, index: int, known_etag: str | None) -> tuple[bytes, str | None]:
        headers = {**self._errand.headers, "Accept-Encoding": "identity"}
        if fragment.start is not None and fragment.end is not None:
            headers["Range"] = f"bytes={fragment.start}-{fragment.end - 1}"
        if known_etag:
            headers["If-None-Match"] = known_etag
        try:
            response = self._errand.open_url(Request(fragment.url, headers=headers))
        except HTTPError as error:
            if error.status == 304 and known_etag:
                error.close()
                return b"", known_etag
            raise
        with response:
            body: bytes = response.read()
            kind = str(response.headers.get("Content-Type") or "").lower()
            etag = response.headers.get("ETag")
            chunked = "chunked" in str(response.headers.get("Transfer-Encoding") or "").lower()
            self.lengths_known &= chunked or response.headers.get("Content-Length") is not None
        self._errand.reins.go_on()
        if fragment.start is not None and fragment.end is not None:
            if response.status == 200:
                body = body[fragment.start : fragment.end]
            if len(body) != fragment.end - fragment.start:
                raise TransportError(
                    f"{len(body)} bytes of a fragment, expected {fragment.end - fragment.start}"
                )
        if not body or looks_like_page(body[:256], kind):
            raise FetchError(
                "corrupt",
                f"{self._errand.name}: found {'nothing' if not body else 'a web page'} as fragment {index + 1} of {self._count}, expected "
                "a piece of video; try again later",
            )
        return body, str(etag)[:300] if etag else None


def _same(note: _Note, signature: str, part: Path, fragments: Sequence[Fragment], puller: _Puller) -> bool:
    if note.signature != signature or not part.is_file() or part.stat().st_size < note.size:
        return False
    again, _ = puller.pull(fragments[note.fragments - 1], note.fragments - 1, note.etag)
    if not again:
        return True
    with part.open("rb") as file:
        file.seek(note.size - note.last_size)
        return file.read(note.last_size) == again


def _signature(identity: str, fragments: Sequence[Fragment]) -> str:
    # Without queries: those carry tokens that differ each time.
    told = [identity, *((urlsplit(f.url).path, f.duration_s, f.start, f.end) for f in fragments)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _byte_range(said: str | None, reached: int) -> tuple[int | None, int | None]:
    if not said:
        return None, None
    length, _, start = said.partition("@")
    first = int(_number(start)) if start else reached
    return first, first + int(_number(length))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e12 else 0.0


def _read_note(errand: Errand) -> _Note:
    try:
        return _Note(**errand.read_note())
    except TypeError:
        return _Note()
