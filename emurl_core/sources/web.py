"""JSON from an API on the web: honest, paced, patient with weather, and not to be led astray.

Every request says who asks, waits its turn (`pace`), goes to public hosts only (`addresses`; redirects are followed by
hand, each hop checked), is bounded in time and size, and is asked again with growing waits when the answer may heal.
Videos are the business of `download`.
"""

import json
import logging
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from emurl_core.sources.addresses import check_public, split_address
from emurl_core.sources.cleaning import clean_text
from emurl_core.sources.courtesy import USER_AGENT, seconds_to_wait
from emurl_core.sources.pace import Pace, pace_folder
from emurl_core.sources.registry import FetchError
from emurl_core.sources.scrape import ScrapeConfig

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
WHOLE_ANSWER_S = 120.0
BODY_BYTES = 32 * 2**20
REDIRECTS = 5
LONGEST_WAIT_S = 600.0
"""A server that wants to be left alone for longer is left alone, with an error that says so."""
LONGEST_OWN_WAIT_S = 60.0
_TRIES_OF_THE_DEAD = 4
"""A host that does not answer at all gets fewer tries: most often this machine is offline."""
_RATE_LIMITED = (420, 429)
_MAY_HEAL = (408, 425, *range(500, 600))
_OUTCOMES = {401: "login", 403: "forbidden", 404: "removed", 410: "removed", 451: "geo"}

_log = logging.getLogger(__name__)


class ApiError(FetchError):
    """An API gave no usable answer. `status` is the HTTP status where there was one."""

    def __init__(self, outcome: str, message: str, status: int | None = None) -> None:
        super().__init__(outcome, message)
        self.status = status


class _MayHealError(Exception):
    def __init__(self, error: ApiError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True)
class Manners:
    """How an API is asked.

    Attributes:
        spacing_s: seconds between two requests to one host, over all processes of this machine.
        tries: how often a request is sent before giving up.
        first_wait_s: seconds before the second try; each further wait is twice as long, up to a minute.
        allow_private: ask hosts of this machine and the local network too.
    """

    spacing_s: float
    tries: int
    first_wait_s: float
    allow_private: bool


def json_client(config: ScrapeConfig, home: Path) -> "JsonClient":
    """A client with the manners of the settings that shares its turns with all processes on this data folder."""
    manners = Manners(
        spacing_s=60 / config.requests_per_minute,
        tries=config.request_tries,
        first_wait_s=config.retry_wait_s,
        allow_private=config.allow_private_hosts,
    )
    return JsonClient(Pace(pace_folder(home)), manners)


class JsonClient:
    """Asks for JSON. `requests` counts what was sent, redirects and further tries included."""

    def __init__(self, pace: Pace, manners: Manners) -> None:
        self.requests = 0
        self._pace = pace
        self._manners = manners
        self._session = requests.Session()
        # No proxy, password file or cookie of the environment: what is asked is what anybody may ask.
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})

    def get(self, url: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """The JSON value behind the address.

        Raises:
            ApiError: no usable answer; `outcome` and `status` tell which. What may heal was tried `tries` times before.
            FetchError: `refused` when the address, or where it leads, must not be asked.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._follow(url, parameters)
            except _MayHealError as problem:
                error = problem.error
            dead = error.outcome in ("network", "timeout")
            tries = min(self._manners.tries, _TRIES_OF_THE_DEAD) if dead else self._manners.tries
            if attempt >= tries:
                raise error
            own_s = min(self._manners.first_wait_s * 2 ** (attempt - 1), LONGEST_OWN_WAIT_S)
            wait_s = max(error.retry_after_s or 0.0, own_s * random.uniform(1.0, 1.2))
            if wait_s > LONGEST_WAIT_S:
                raise error
            _log.warning("%s; asking again in %.1f s (try %d of %d)", error, wait_s, attempt + 1, tries)
            # Through the pace, so that no other process of ours asks meanwhile.
            self._pace.rest(_host(url), wait_s)

    def _follow(self, url: str, parameters: Mapping[str, str | int] | None) -> Any:
        split_address(url)
        request = requests.Request("GET", url, params=dict(parameters or {}))
        address = self._session.prepare_request(request).url or url
        for _ in range(REDIRECTS + 1):
            # Before the look-up: a host that can't be looked up is waited for like one that does not answer.
            self._pace.wait(_host(address), self._manners.spacing_s)
            try:
                check_public(address, self._manners.allow_private)
            except FetchError as error:
                if error.outcome == "network":
                    raise _MayHealError(ApiError("network", str(error))) from error
                raise
            self.requests += 1
            try:
                status, headers, body = self._ask(address)
            except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
                raise _MayHealError(_failure("timeout", address, "no answer in time")) from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise _MayHealError(_failure("network", address, type(error).__name__)) from error
            if status not in (301, 302, 303, 307, 308):
                return _value(address, status, headers, body)
            address = urljoin(address, headers.get("Location", ""))
        raise _failure("unsupported", url, f"more than {REDIRECTS} redirects")

    def _ask(self, address: str) -> tuple[int, Mapping[str, str], bytes]:
        deadline = time.monotonic() + WHOLE_ANSWER_S
        with self._session.get(
            address,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        ) as response:
            body = bytearray()
            while chunk := response.raw.read1(65_536, decode_content=True):
                body += chunk
                if len(body) > BODY_BYTES:
                    raise _failure("too_large", address, f"an answer of more than {BODY_BYTES:,} bytes")
                # The read timeout starts anew with every byte; a server that drips would hold us for ever.
                if time.monotonic() > deadline:
                    raise requests.Timeout(f"no whole answer within {WHOLE_ANSWER_S:.0f} s")
            return response.status_code, response.headers, bytes(body)


def _value(address: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    if status in _RATE_LIMITED or status in _MAY_HEAL:
        outcome = "rate_limited" if status in _RATE_LIMITED else "unavailable"
        wait_s = seconds_to_wait(headers.get("Retry-After")) or 0.0
        told = f", wants to be left alone for {wait_s:.0f} s" if wait_s else ""
        error = _failure(outcome, address, f"status {status}{told}", status)
        error.retry_after_s = wait_s or None
        raise _MayHealError(error)
    if status != 200:
        said = _message(body)
        raise _failure(_OUTCOMES.get(status, "unsupported"), address, f"status {status}{said}", status)
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        # Half an answer or a page that says "back soon": both heal.
        found = f"{len(body):,} bytes that are no JSON and start with {body[:60]!r}"
        raise _MayHealError(_failure("unavailable", address, found, status)) from error


def _failure(outcome: str, address: str, found: str, status: int | None = None) -> ApiError:
    # Without the query: it may carry a key.
    place = address.partition("?")[0][:120]
    return ApiError(
        outcome, f"{place}: found {found}, expected JSON; try again later or check the address", status
    )


def _message(body: bytes) -> str:
    try:
        said = clean_text(json.loads(body)["message"], 120)
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return ""
    return f" ({said})" if said else ""


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
