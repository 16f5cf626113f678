"""Every fault that httpx, an answer or the websockets library can report has an error and a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import websockets.exceptions as ws_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Response

from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady, SettingsInvalid
from adapters.exchange import (
    HTTPX_ERRORS,
    exchange,
    http_error,
    retry_after_s,
    server_clock_ms,
    status_error,
    websocket_error,
)

PEER = "the server"
NOW_MS = 1_790_000_000_000

HTTPX_CLASSES = [
    found for name in httpx.__all__ if inspect.isclass(found := getattr(httpx, name)) and issubclass(found, Exception)
]


def made(kind: type[Exception]) -> Exception:
    request = httpx.Request("GET", "https://x/?token=secret")
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("x", request=request, response=httpx.Response(503, request=request))
    wanted = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "args", "kwargs")]
    values: dict[str, Any] = {"message": "secret", "request": request}
    return kind(
        *(values[name] for name in wanted if name == "message"), **{n: values[n] for n in wanted if n != "message"}
    )


@pytest.mark.parametrize("kind", HTTPX_CLASSES)
def test_every_httpx_exception_is_mapped(kind: type[Exception]) -> None:
    assert issubclass(kind, HTTPX_ERRORS)
    told = http_error(made(kind), PEER)
    assert isinstance(told, NotReady | BadReply | SettingsInvalid)
    assert told.why.endswith((".", "https://gps.example.org"))
    assert "secret" not in told.why


@pytest.mark.parametrize("name", ws_errors.__all__)
def test_every_websockets_exception_is_mapped(name: str) -> None:
    kind: type[ws_errors.WebSocketException] = getattr(ws_errors, name)
    error = kind.__new__(kind)
    if isinstance(error, ws_errors.InvalidStatus):
        error.response = Response(401, "", Headers(), b"")
    told = websocket_error(error, PEER, NOW_MS)
    assert isinstance(told, AdapterError)
    assert told.why


@pytest.mark.parametrize("status", range(201, 600))
def test_every_status_has_a_sentence(status: int) -> None:
    told = status_error(status, httpx.Headers(), "x", peer=PEER, now_ms=NOW_MS)
    assert told.why.endswith(".")
    assert isinstance(told, AuthFailed) == (status in (401, 403))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("999999999999", 86_400.0),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 14:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
    ],
)
def test_retry_after_as_number_or_date(text: str, seconds: float | None) -> None:
    headers = httpx.Headers([(b"retry-after", text.encode())])
    assert retry_after_s(headers, NOW_MS) == seconds


def test_retry_after_is_measured_on_the_clock_of_the_peer() -> None:
    headers = httpx.Headers({"retry-after": "Mon, 21 Sep 2020 10:01:00 GMT", "date": "Mon, 21 Sep 2020 10:00:00 GMT"})
    assert retry_after_s(headers, NOW_MS) == 60.0


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_header_crashes(value: bytes) -> None:
    headers = httpx.Headers([(b"retry-after", value), (b"date", value)])
    wait = retry_after_s(headers, NOW_MS)
    assert wait is None or 0 <= wait <= 86_400
    server_clock_ms(headers)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


async def answer(handler: Handler, *, timeout_s: float = 2.0, max_bytes: int = 10_000) -> bytes:
    ended = asyncio.Event()

    async def to_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            ended.set()

    listener = await asyncio.start_server(to_the_end, "127.0.0.1", 0)
    async with listener:
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                request = http.build_request("GET", f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
                return (await exchange(http, request, peer=PEER, timeout_s=timeout_s, max_bytes=max_bytes)).body
        finally:
            await ended.wait()


def says(*pieces: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    return handler


async def test_a_whole_answer() -> None:
    assert await answer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) == b"ok"


@pytest.mark.parametrize(
    ("pieces", "error", "words"),
    [
        ((b"SSH-2.0-OpenSSH_9.6\r\n",), BadReply, "does not speak HTTP"),
        ((b"",), BadReply, "broke off"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",), BadReply, "broke off"),
        ((b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",), BadReply, "damaged"),
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 20_000), BadReply, "more than"),
    ],
)
async def test_broken_answers(pieces: tuple[bytes, ...], error: type[AdapterError], words: str) -> None:
    with pytest.raises(error, match=words):
        await answer(says(*pieces))


async def test_a_peer_that_drips_bytes_cannot_hold_a_run_for_ever() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    with pytest.raises(NotReady, match="did not finish its answer"):
        await answer(drip, timeout_s=0.05)


async def test_a_name_that_nobody_knows() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        request = http.build_request("GET", "http://nowhere.invalid/")
        with pytest.raises(NotReady, match="is not known"):
            await exchange(http, request, peer=PEER, timeout_s=5, max_bytes=10)
