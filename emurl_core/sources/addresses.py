"""May this address be asked? Only http(s) hosts that the whole internet can reach, unless a setting allows local ones.

Links come from strangers: one may point, or redirect, to a router, a cloud machine's metadata or a service on this very
machine. So every address, and every hop of a redirect, is checked before it is asked. How often a host may be asked is
in `pace`.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from emurl_core.sources.registry import FetchError

_FORBIDDEN = frozenset(map(chr, [*range(0x21), 0x7F])) | {"\\"}
"""Two parsers may read these in two ways, so that the host that is checked is not the one that is asked."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check_public(url: str, allow_private: bool) -> None:
    """Pass when the address is http(s) and every machine behind its host name is on the public internet.

    Ask again for every hop of a redirect. A name that changes its address between this check and the connection is not
    found out.

    Args:
        allow_private: let loopback and private networks pass too: for mirrors of one's own, and tests.

    Raises:
        FetchError: `refused` when it is no such address; `network` when the host's name cannot be looked up.
    """
    parts = split_address(url)
    for address in _look_up(parts):
        if not allow_private and not is_public(address):
            raise FetchError(
                "refused",
                f"found the host {parts.hostname!r} at {address}, expected one on the public internet; leave the link out, or "
                "set allow_private_hosts if this machine of your own network is meant",
            )


def split_address(url: str) -> SplitResult:
    """The parts of an http(s) address with a host; FetchError `refused` when it is none. Looks nothing up."""
    shown = repr(url.partition("?")[0][:80])
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or _FORBIDDEN & set(url):
        raise FetchError(
            "refused",
            f"found the address {shown}, expected http:// or https:// with a host and no spaces; leave the link out",
        )
    if parts.username is not None or parts.password is not None:
        raise FetchError(
            "refused",
            f"found an address of {parts.hostname!r} with a name or password in it, expected none; leave the link out",
        )
    return parts


def is_public(address: str) -> bool:
    """Whether an IP address, as text, belongs to one machine on the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # Addresses that carry an IPv4 address lead where that one leads.
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in _NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried:
            return is_public(str(carried))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _look_up(parts: SplitResult) -> list[str]:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise FetchError(
            "refused",
            f"found the host {host[:80]!r}, expected a name that can be looked up; leave the link out",
        ) from error
    except OSError as error:
        raise FetchError(
            "network",
            f"found no address of the host {host!r} ({error.strerror or error}), expected one; the host is gone or this "
            "machine is offline: try again later",
        ) from error
    return sorted({str(entry[4][0]) for entry in found})
