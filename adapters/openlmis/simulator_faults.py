"""Faults of the simulated server, switched on by tests and the demo: each as it looks on the wire.

``cut`` ends the connection after so many bytes of a body; for cuts at any byte of a reply or a request, headers too,
:mod:`simulator_line` stands before the server.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FaultKind = Literal[
    "html", "html_502", "cut", "cut_request", "stall", "stall_body", "slow", "empty", "text", "array_of_garbage",
    "301", "400", "401", "403", "404", "429", "500", "502", "503", "504",
]  # fmt: skip
RANDOM_KINDS: tuple[FaultKind, ...] = ("html_502", "cut", "cut_request", "slow", "429", "500", "503")

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in to the hotspot</title></head><body>Welcome</body></html>"


@dataclass(slots=True)
class Faults:
    """What goes wrong. ``path`` limits a fault to paths that contain it; ``left`` to so many requests (None: all)."""

    kind: FaultKind | None = None
    path: str = ""
    method: str = ""
    left: int | None = None
    retry_after: str = "7"
    refusal: str = '{"messageKey": "simulated.error.bad", "message": "It is not valid."}'
    """The body of a 400."""
    cut_after: int = 20
    """Bytes of the body that arrive with ``cut``."""
    slow_s: float = 0.2
    chance: float = 0.0
    """Share of requests that fail at random in one of :data:`RANDOM_KINDS`."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Fields that a newer server calls otherwise, in every answer; renamed to "" they are gone."""
    doubled: bool = False
    """Every list brings each entry twice."""
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    seen: int = 0
    """Requests that met a fault."""

    def clear(self) -> None:
        self.kind, self.path, self.method, self.left, self.chance, self.doubled = None, "", "", None, 0.0, False
        self.renamed = {}

    def take(self, method: str, path: str) -> FaultKind | None:
        """The fault for one request."""
        if self.chance and "/oauth/" not in path and self.rng.random() < self.chance:
            self.seen += 1
            return self.rng.choice(RANDOM_KINDS)
        if self.kind is None or self.path not in path or self.method not in ("", method) or self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        self.seen += 1
        return self.kind

    def bent(self, value: Any) -> Any:
        """An answer with renamed fields and doubled entries."""
        if isinstance(value, list):
            items = [self.bent(item) for item in value]
            return [copy for item in items for copy in (item, item)] if self.doubled else items
        if isinstance(value, dict):
            names = {name: self.renamed.get(name, name) for name in value}
            return {names[name]: self.bent(item) for name, item in value.items() if names[name]}
        return value


class BrokenOffError(Exception):
    """Ends a response in the middle, as a server does that fails while it streams."""


class FaultyApp:
    """The server with its faults: an ASGI application around another one."""

    def __init__(self, app: ASGIApp, faults: Faults, date: Callable[[], str]) -> None:
        self._app = app
        self._faults = faults
        self._date = date

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"date", self._date().encode())]
                message = {**message, "headers": headers}
            await send(message)

        fault = self._faults.take(scope["method"], scope["path"])
        if fault == "slow":
            await asyncio.sleep(self._faults.slow_s)
            fault = None
        if fault is None and not self._faults.renamed and not self._faults.doubled:
            await self._app(scope, receive, send_dated)
        elif fault is None or fault == "cut":
            await self._changed(scope, receive, send_dated, cut=fault == "cut")
        elif fault == "cut_request":
            await _start(send_dated, 200, "application/json", [(b"content-length", b"10")])
            raise BrokenOffError("the line broke before the request was whole: nothing was done")
        elif fault in ("stall", "stall_body"):
            if fault == "stall_body":
                await _start(send_dated, 200, "application/json")
                await send_dated({"type": "http.response.body", "body": b'{"content":[', "more_body": True})
            await _until_gone(receive)
        else:
            await self._plain(fault, send_dated)

    async def _changed(self, scope: Scope, receive: Receive, send: Send, *, cut: bool) -> None:
        """The true answer, cut off or bent; what was asked for was done."""
        body = bytearray()
        start: Message = {}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        start["headers"] = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        if cut:
            start["headers"].append((b"content-length", str(len(body) + 1).encode()))
            await send(start)
            await send({"type": "http.response.body", "body": bytes(body[: self._faults.cut_after]), "more_body": True})
            raise BrokenOffError("simulated fault in the middle of an answer")
        if body and "/oauth/" not in scope["path"]:
            body = bytearray(json.dumps(self._faults.bent(json.loads(body))).encode())
        await send(start)
        await send({"type": "http.response.body", "body": bytes(body)})

    async def _plain(self, fault: FaultKind, send: Send) -> None:
        bodies: dict[FaultKind, tuple[int, str, bytes]] = {
            "html": (200, "text/html", _PAGE),
            "html_502": (502, "text/html", _PAGE),
            "empty": (200, "application/json", b""),
            "text": (200, "text/plain", b"it works"),
            "array_of_garbage": (200, "application/json", b'[null, 7, "x", [], {"id": 12}, {"id": ""}]'),
            "400": (400, "application/json", self._faults.refusal.encode()),
            "403": (403, "application/json", b'{"messageKey": "simulated.error.right", "message": "Right missing."}'),
        }
        status, kind, body = bodies.get(fault) or (int(fault), "text/plain", b"")
        headers = [(b"retry-after", self._faults.retry_after.encode())] if status in (429, 503) else []
        if status == 301:
            headers = [(b"location", b"https://elsewhere.example.org/")]
        await _start(send, status, kind, headers)
        await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, kind: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    content_type = (b"content-type", kind.encode())
    await send({"type": "http.response.start", "status": status, "headers": [content_type, *(headers or ())]})


async def _until_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
