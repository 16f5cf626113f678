"""Faults of the simulated server and of the line before it, switched on by tests and the demo.

:class:`FaultyApp` spoils answers of the server, :class:`Line` is a relay that cuts, slows or stalls the bytes of either
direction: only so can a request be lost in the middle.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "html_502", "html", "cut_reply", "stall", "slow", "empty", "text", "half_json", "500", "503", "internal_error"
]

_PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_INTERNAL = b'{"data":null,"errors":[{"message":"Internal error","extensions":{"details":"database is locked"}}]}'


@dataclass(slots=True)
class Faults:
    """What goes wrong. ``operation`` limits it to requests that contain this text, ``left`` to so many (None: all).

    ``applies``: the server does the work before the fault spoils the answer; without it the request never arrives.
    ``after`` are the bytes of the body that a cut reply still brings, ``delay_s`` the wait of a slow one.
    """

    kind: FaultKind | None = None
    operation: str = ""
    left: int | None = None
    applies: bool = True
    after: int = 0
    delay_s: float = 1.0
    met: int = 0
    """How often a fault was met."""

    def clear(self) -> None:
        self.kind, self.operation, self.left, self.applies, self.after = None, "", None, True, 0

    def take(self, body: bytes) -> FaultKind | None:
        """The fault for one request."""
        if self.kind is None or self.left == 0 or self.operation.encode() not in body:
            return None
        if self.left is not None:
            self.left -= 1
        self.met += 1
        return self.kind


class BrokenOffError(Exception):
    """Ends a response in the middle, as a server does that fails while it sends."""


class FaultyApp:
    """The server with its faults: an ASGI application around another one."""

    def __init__(self, app: ASGIApp, faults: Faults, date: Callable[[], str]) -> None:
        self._app = app
        self._faults = faults
        self._date = date

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"date", self._date().encode())]
                message = {**message, "headers": headers}
            await send(message)

        body = await _body(receive)
        if body is None:
            return
        fault = self._faults.take(body)
        answer = _Kept()
        if fault is None or fault == "slow" or self._faults.applies:
            given = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def again() -> Message:
                return next(given, {"type": "http.disconnect"})

            await self._app(scope, again, send_dated if fault is None else answer)
        if fault is not None:
            await self._spoil(fault, answer, receive, send_dated)

    async def _spoil(self, fault: FaultKind, answer: _Kept, receive: Receive, send: Send) -> None:
        faults = self._faults
        match fault:
            case "stall":
                await _until_gone(receive)
            case "slow":
                await asyncio.sleep(faults.delay_s)
                await answer.send(send)
            case "cut_reply":
                await send(answer.start or _start(200, b"application/json", len(_INTERNAL)))
                await send(
                    {"type": "http.response.body", "body": bytes(answer.body[: faults.after]), "more_body": True}
                )
                raise BrokenOffError("simulated fault in the middle of an answer")
            case "half_json":
                half = bytes(answer.body[: len(answer.body) // 2])
                await _whole(send, 200, b"application/json", half)
            case "html_502":
                await _whole(send, 502, b"text/html", _PAGE)
            case "html":
                await _whole(send, 200, b"text/html", _PAGE)
            case "empty":
                await _whole(send, 200, b"application/json", b"")
            case "text":
                await _whole(send, 200, b"text/plain", b"it works")
            case "internal_error":
                await _whole(send, 200, b"application/json", _INTERNAL)
            case _:
                await _whole(send, int(fault), b"text/plain", b"out of order")


@dataclass(slots=True)
class _Kept:
    """An answer that is held back."""

    start: Message | None = None
    body: bytearray = field(default_factory=bytearray)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body.extend(message.get("body", b""))

    async def send(self, send: Send) -> None:
        if self.start is not None:
            await send(self.start)
            await send({"type": "http.response.body", "body": bytes(self.body)})


async def _body(receive: Receive) -> bytes | None:
    """The whole request; None where the line broke before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _start(status: int, kind: bytes, length: int) -> Message:
    headers = [(b"content-type", kind), (b"content-length", str(length).encode())]
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _whole(send: Send, status: int, kind: bytes, body: bytes) -> None:
    await send(_start(status, kind, len(body)))
    await send({"type": "http.response.body", "body": body})


async def _until_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


class Line:
    """A relay on loopback before a server. Counts are those of one connection's bytes; None lets all through."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self.cut_request_after: int | None = None
        """So many bytes of the request reach the server, then the connection breaks on both sides."""
        self.cut_reply_after: int | None = None
        self.bytes_per_s: int | None = None
        """Speed of the answers."""
        self.is_down = False
        self.last_request = 0
        self.last_reply = 0
        """Bytes of the last connection in each direction."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0)

    def break_all(self) -> None:
        """Every connection ends now, as when the line goes."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self.is_down:
                return
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.to_port)
            self._writers.add(far)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, far, writer))
                both.create_task(self._replies(far_reader, writer, far))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    end.close()
                    self._writers.discard(end)

    async def _requests(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        passed = 0
        while data := await reader.read(65_536):
            if self.cut_request_after is not None and passed + len(data) > self.cut_request_after:
                far.write(data[: self.cut_request_after - passed])
                with contextlib.suppress(OSError):
                    await far.drain()
                far.close()
                near.transport.abort()
                return
            passed += len(data)
            self.last_request = passed
            far.write(data)
            await far.drain()
        far.close()

    async def _replies(
        self, reader: asyncio.StreamReader, near: asyncio.StreamWriter, far: asyncio.StreamWriter
    ) -> None:
        passed = 0
        while data := await reader.read(65_536):
            if self.cut_reply_after is not None and passed + len(data) > self.cut_reply_after:
                near.write(data[: self.cut_reply_after - passed])
                with contextlib.suppress(OSError):
                    await near.drain()
                near.close()
                far.transport.abort()
                return
            passed += len(data)
            self.last_reply = passed
            near.write(data)
            await near.drain()
            if self.bytes_per_s:
                await asyncio.sleep(len(data) / self.bytes_per_s)
        near.close()
