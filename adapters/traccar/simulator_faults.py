"""Faults of the simulated server, switched on by tests and the demo: each as it looks on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "html", "html_502", "half_json", "cut", "stall", "stall_body", "empty", "text", "array_of_garbage",
    "301", "400", "401", "403", "404", "429", "500", "502", "503",
]  # fmt: skip

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in to the hotspot</title></head><body>Welcome</body></html>"


@dataclass(slots=True)
class Faults:
    """What goes wrong. ``path`` limits a fault to paths that contain it; ``left`` to so many requests (None: all)."""

    kind: FaultKind | None = None
    path: str = ""
    left: int | None = None
    retry_after: str = "7"
    socket_refused: int | None = None
    """Status with which the upgrade to a WebSocket is refused."""

    def clear(self) -> None:
        self.kind, self.path, self.left, self.socket_refused = None, "", None, None

    def take(self, path: str) -> FaultKind | None:
        """The fault for one request."""
        if self.kind is None or self.path not in path or self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        return self.kind


class BrokenOffError(Exception):
    """Ends a response in the middle, as a server does that fails while it streams."""


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

        fault = self._faults.take(scope["path"])
        if fault is None:
            await self._app(scope, receive, send_dated)
        elif fault in ("half_json", "cut"):
            await self._broken(scope, receive, send_dated, cut=fault == "cut")
        elif fault in ("stall", "stall_body"):
            if fault == "stall_body":
                await _start(send_dated, 200, "application/json")
                await send_dated({"type": "http.response.body", "body": b'[{"id":1,', "more_body": True})
            await _until_gone(receive)
        else:
            await self._plain(fault, send_dated)

    async def _broken(self, scope: Scope, receive: Receive, send: Send, *, cut: bool) -> None:
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
        await send({"type": "http.response.body", "body": bytes(body[: len(body) // 2]), "more_body": cut})
        if cut:
            raise BrokenOffError("simulated fault in the middle of a list")

    async def _plain(self, fault: FaultKind, send: Send) -> None:
        bodies: dict[FaultKind, tuple[int, str, bytes]] = {
            "html": (200, "text/html", _PAGE),
            "html_502": (502, "text/html", _PAGE),
            "empty": (200, "application/json", b""),
            "text": (200, "text/plain", b"it works"),
            "array_of_garbage": (200, "application/json", b'[null, 7, "x", [], {"id": "y"}, {"id": -1}]'),
            "400": (400, "text/plain", STACK_TRACE.encode()),
        }
        status, kind, body = bodies.get(fault) or (int(fault), "text/plain", b"")
        headers = [(b"retry-after", self._faults.retry_after.encode())] if status in (429, 503) else []
        if status == 301:
            headers = [(b"location", b"https://elsewhere.example.org/")]
        await _start(send, status, kind, headers)
        await send({"type": "http.response.body", "body": body})


STACK_TRACE = (
    "Account or device access denied - SecurityException (PermissionsService:155 < *:162 < BaseObjectResource:90)\n"
    "\tat org.traccar.api.security.PermissionsService.checkPermission(PermissionsService.java:155)\n"
)


async def _start(send: Send, status: int, kind: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    content_type = (b"content-type", kind.encode())
    await send({"type": "http.response.start", "status": status, "headers": [content_type, *(headers or ())]})


async def _until_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
