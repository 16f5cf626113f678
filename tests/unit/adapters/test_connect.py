"""Addresses, the walk over name and route, and what the system's errors mean."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import CheckStep, Layer
from adapters.connect import Address, format_fingerprint, os_error, parse_address, proxy_for, tls_error, walk
from adapters.errors import NotReady, SettingsInvalid

PEER = "the server"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://gps.example.org", Address("gps.example.org", 443, True)),
        (" http://10.0.0.5:8082/ ", Address("10.0.0.5", 8082, False)),
        ("https://gps.example.org/traccar/", Address("gps.example.org", 443, True, "/traccar")),
        ("http://[::1]:8082", Address("::1", 8082, False)),
        ("https://büro.example", Address("xn--bro-hoa.example", 443, True)),
    ],
)
def test_addresses_are_read(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert parse_address(expected.url) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gps.example.org", "must begin with"),
        ("ftp://gps.example.org", "must begin with"),
        ("https://", "names no server"),
        ("https://a b", "names no server"),
        ("https://x:99999", "is not an address"),
        ("https://x:port", "is not an address"),
        ("https://[::1", "is not an address"),
        ("https://me:secret@x", "fields of their own"),
        ("https://x/?token=abc", "Leave out"),
        ("https://x/#y", "Leave out"),
        ("", "must begin with"),
    ],
)
def test_wrong_addresses_are_refused_at_their_field(text: str, words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words) as wrong:
        parse_address(text)
    assert wrong.value.field == "url"
    assert "secret" not in wrong.value.why


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(max_size=40).map(lambda rest: f"https://{rest}"))
def test_no_text_crashes(text: str) -> None:
    try:
        address = parse_address(text)
    except SettingsInvalid:
        return
    assert address.host
    assert 0 <= address.port < 65536


async def test_walk_stops_at_the_name() -> None:
    steps: list[CheckStep] = []
    with pytest.raises(NotReady, match=r"“nowhere\.invalid” of the server is not known"):
        await walk(parse_address("http://nowhere.invalid"), ssl.create_default_context(), steps.append, peer=PEER)
    assert steps == []


async def test_walk_stops_at_the_route() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can take the port
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        steps: list[CheckStep] = []
        with pytest.raises(NotReady, match="nothing listens there"):
            await walk(parse_address(url), ssl.create_default_context(), steps.append, peer=PEER)
    assert [step.layer for step in steps] == [Layer.NAME]


async def test_walk_over_an_open_port_without_encryption() -> None:
    ended = asyncio.Event()

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()
        ended.set()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        steps: list[CheckStep] = []
        await walk(parse_address(url), ssl.create_default_context(), steps.append, peer=PEER)
        await ended.wait()
    assert [(step.layer, step.ok) for step in steps] == [(Layer.NAME, True), (Layer.ROUTE, True), (Layer.TLS, True)]
    assert "Not encrypted" in steps[2].detail


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    def use(address: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", address)

    return use


async def test_walk_goes_as_far_as_the_proxy_that_leads_outside(proxied: Callable[[str], None]) -> None:
    """Behind a proxy this computer may neither know the peer's name nor reach it, and all works nevertheless."""
    ended = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as proxy:
        proxied(f"http://ada:planted-proxy-password@127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        steps: list[CheckStep] = []
        await walk(parse_address("https://gps.invalid"), ssl.create_default_context(), steps.append, peer=PEER)
        await ended.wait()
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE, Layer.TLS]
    assert "planted" not in repr(steps)


async def test_a_dead_proxy_is_named_without_its_password(proxied: Callable[[str], None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{bound.getsockname()[1]}"
        proxied(f"ada:planted-proxy-password@{place}")
        with pytest.raises(NotReady, match=f"connection to the proxy {place} was refused") as dead:
            await walk(parse_address("https://gps.invalid"), ssl.create_default_context(), lambda _: None, peer=PEER)
    assert "planted" not in dead.value.why


async def test_loopback_needs_no_proxy(proxied: Callable[[str], None]) -> None:
    proxied("http://127.0.0.1:1")
    assert proxy_for(parse_address("https://gps.example.org")) == "http://127.0.0.1:1"
    assert proxy_for(parse_address("https://127.0.0.1:8443")) is None
    assert proxy_for(parse_address("https://localhost")) is None
    assert proxy_for(parse_address("http://gps.example.org")) is None


async def test_peer_that_never_begins_encryption_is_given_up() -> None:
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(None)

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        with pytest.raises(NotReady, match="does not begin encryption"):
            await walk(parse_address(url), ssl.create_default_context(), lambda _: None, peer=PEER, timeout_s=1.5)
        for _ in ("route", "encryption"):
            await ended.get()


@pytest.mark.parametrize("number", [number for number in errno.errorcode if number != errno.EWOULDBLOCK])
def test_every_error_of_the_system_is_a_plain_sentence(number: int) -> None:
    told = os_error(OSError(number, os.strerror(number)), PEER)
    assert isinstance(told, NotReady)
    assert told.why.endswith(".")
    assert "Errno" not in told.why


def test_errors_of_several_addresses_folded_by_asyncio() -> None:
    folded = OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), [Errno 111] Connect …")
    assert "nothing listens" in os_error(folded, PEER).why


def test_a_failed_handshake_without_certificate_reason() -> None:
    told = tls_error(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), PEER)
    assert isinstance(told, NotReady)
    assert "does not complete encryption" in told.why


@pytest.mark.parametrize("code", range(100))
def test_every_reason_of_verification_is_a_plain_sentence(code: int) -> None:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = code
    error.verify_message = "some reason"
    assert tls_error(error, PEER, seen="AA:BB").why.endswith(".")


def test_fingerprints_look_as_certificate_viewers_show_them() -> None:
    assert format_fingerprint("0a1b:2c") == "0A:1B:2C"
