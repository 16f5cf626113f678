"""Faults of the simulated server and of the line to it, each as it looks on the wire; switched on by tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "html", "html_502", "half_json", "stall", "slow", "empty", "text", "garbage", "lost_answer",
    "301", "401", "403", "404", "408", "429", "500", "502", "503",
]  # fmt: skip

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in to the hotspot</title></head><body>Welcome</body></html>"


@dataclass(slots=True)
class Faults:
    """What goes wrong. ``path`` limits a fault to paths that contain it, ``left`` to so many requests (None: all)
    after ``skip`` good ones.

    ``lost_answer``: the call is carried out, then a proxy answers 502. ``slow``: it takes ``slow_s``.
    """

    kind: FaultKind | None = None
    path: str = ""
    method: str = ""
    left: int | None = None
    skip: int = 0
    retry_after: str = "7"
    slow_s: float = 0.2

    def clear(self) -> None:
        self.kind, self.path, self.method, self.left, self.skip = None, "", "", None, 0

    def take(self, path: str, method: str) -> FaultKind | None:
        """The fault for one request."""
        if self.kind is None or self.path not in path or self.method not in ("", method) or self.left == 0:
            return None
        if self.skip:
            self.skip -= 1
            return None
        if self.left is not None:
            self.left -= 1
        return self.kind


class FaultyApp:
    """The server with its faults and its own clock: an ASGI application around another one."""

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

        fault = self._faults.take(scope["path"], scope["method"])
        match fault:
            case None:
                await self._app(scope, receive, send_dated)
            case "slow":
                await asyncio.sleep(self._faults.slow_s)
                await self._app(scope, receive, send_dated)
            case "stall":
                await _until_gone(receive)
            case "half_json":
                await self._half(scope, receive, send_dated)
            case "lost_answer":
                await self._app(scope, receive, _nowhere)
                await self._plain("html_502", send_dated)
            case _:
                await self._plain(fault, send_dated)

    async def _half(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        start: Message = {}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        start["headers"] = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send(start)
        await send({"type": "http.response.body", "body": bytes(body[: len(body) // 2])})

    async def _plain(self, fault: FaultKind, send: Send) -> None:
        bodies: dict[FaultKind, tuple[int, str, bytes]] = {
            "html": (200, "text/html", _PAGE),
            "html_502": (502, "text/html", _PAGE),
            "empty": (200, "application/json", b""),
            "text": (200, "text/plain", b"it works"),
            "garbage": (200, "application/json", b'[null, 7, "x", [], {"id": "y"}, {"id": -1}]'),
        }
        status, kind, body = bodies.get(fault) or (int(fault), "application/json", b'{"message": "simulated"}')
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        if status in (429, 503):
            headers.append((b"retry-after", self._faults.retry_after.encode()))
        if status == 301:
            headers.append((b"location", b"https://elsewhere.example.org/"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _nowhere(_message: Message) -> None:
    """An answer that nobody receives."""


async def _until_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


@dataclass(slots=True)
class Cut:
    """Where the line breaks: after so many bytes of a request or of an answer, counted from the connection's start.

    ``left`` connections are cut, then the line holds.
    """

    request_at: int | None = None
    answer_at: int | None = None
    left: int = 0


@contextlib.asynccontextmanager
async def breaking_line(port: int, cut: Cut) -> AsyncIterator[int]:
    """A line to a server's port on loopback that breaks as ``cut`` says; gives the port of its near end."""
    lines: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int | None) -> bool:
        """Carry bytes until their source ends or the line breaks; True where it broke."""
        left = at
        while True:
            data = await reader.read(65_536)
            if not data:
                return False
            part = data if left is None else data[:left]
            if part:
                writer.write(part)
                await writer.drain()
            if left is not None:
                left -= len(part)
                if left == 0:
                    return True

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            lines.add(task)
        breaks = cut.left > 0
        cut.left -= breaks
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as group:

                async def one_way(
                    source: asyncio.StreamReader, sink: asyncio.StreamWriter, at: int | None, *, is_request: bool
                ) -> None:
                    try:
                        await carry(source, sink, at)
                        if is_request and at is not None:
                            await asyncio.sleep(0.002)  # what was sent arrives before the line is gone
                    except OSError:
                        pass
                    finally:
                        writer.close()
                        far_writer.close()

                group.create_task(one_way(reader, far_writer, cut.request_at if breaks else None, is_request=True))
                group.create_task(one_way(far_reader, writer, cut.answer_at if breaks else None, is_request=False))
        except asyncio.CancelledError:
            return  # the line is taken down; the server of streams takes a cancelled handler for a failed one
        finally:
            writer.close()
            far_writer.close()
            if task is not None:
                lines.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for line in list(lines):
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
