"""Only public http(s) hosts are asked, whatever an address is made to look like."""

import socket
from typing import Any

import pytest

from emurl_core.sources import addresses
from emurl_core.sources.addresses import check_public, is_public
from emurl_core.sources.registry import FetchError


def outcome(url: str, allow_private: bool = False) -> str:
    try:
        check_public(url, allow_private)
    except FetchError as error:
        return error.outcome
    return "ok"


def resolves_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    "url",
    [
        "https://8.8.8.8/",
        "http://1.1.1.1:8080/a?b#c",
        "http://[2606:4700::1111]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[64:ff9b::808:808]/",
    ],
)
def test_a_public_address_passes(url):
    assert outcome(url) == "ok"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:3000/graphql",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://192.168.1.1/admin",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ],
)
def test_a_private_one_is_refused_unless_a_setting_allows_it(url):
    assert outcome(url) == "refused"
    assert outcome(url, allow_private=True) == "ok"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/video.mp4",
        "//example.org/",
        "ftp://8.8.8.8/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://8.8.8.8:0/",
        "http://8.8.8.8:99999/",
        "http://[::1",
        "http://8.8.8.8\\@127.0.0.1/",
        "http://8.8.8.8/\nHost: evil",
        "http://8.8.8.8 .example.org/",
        "http://user:secret@8.8.8.8/",
        "http://" + "a" * 300 + ".example/",
    ],
)
def test_what_is_no_plain_http_address_is_refused_always(url):
    assert outcome(url, allow_private=True) == "refused"


def test_the_message_holds_no_secret():
    for url in ("http://user:hunter2@8.8.8.8/", "ftp://host/path?token=hunter2"):
        with pytest.raises(FetchError) as error:
            check_public(url, True)
        assert "hunter2" not in str(error.value)


def test_every_address_behind_a_name_must_be_public(monkeypatch):
    resolves_to(monkeypatch, "8.8.8.8", "9.9.9.9")
    assert outcome("https://example.org/") == "ok"
    resolves_to(monkeypatch, "8.8.8.8", "192.168.0.7")
    assert outcome("https://example.org/") == "refused"


def test_a_host_that_is_gone_is_the_networks_fault(monkeypatch):
    def gone(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(addresses.socket, "getaddrinfo", gone)
    assert outcome("https://hitbox.example/video") == "network"


def test_an_address_with_a_zone_is_private():
    assert not is_public("fe80::1%eth0")
