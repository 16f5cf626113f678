"""The receiving end: one path, signed messages, an answer only after the message is stored.

What a sender is told is little on purpose; what was wrong is counted and shown to the operator.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from adapters.base import Clock, Inlet
from adapters.records import Batch, PushedMessage
from adapters.signing import SignatureRefused, verify
from adapters.webhook.guards import Unreadable, read_json

BODY_S = 15.0
_ADDRESSES = 1_000  # senders whose rate is kept; more are an attack, and the oldest gives way
_MINUTE_S = 60.0


class Receiver:
    """An ASGI application. ``keys`` are those that are valid now, the newest first."""

    def __init__(
        self,
        inlet: Inlet,
        clock: Clock,
        log: logging.Logger,
        keys: Sequence[bytes],
        *,
        path: str,
        most_bytes: int,
        per_minute: int,
    ) -> None:
        self._inlet = inlet
        self._clock = clock
        self._log = log
        self._keys = keys
        self._path = path
        self._most_bytes = most_bytes
        self._per_minute = per_minute
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        peer = request.client.host if request.client is not None else ""
        if request.url.path != self._path:
            return self._refuse(404, "no_such_path", "There is nothing here.")
        if request.method != "POST":
            return self._refuse(405, "not_a_post", "Messages are posted.", {"allow": "POST"})
        wait_s = self._over_rate(peer)
        if wait_s is not None:
            return self._refuse(429, "over_rate", "Too many messages.", {"retry-after": str(int(wait_s) + 1)})
        try:
            async with asyncio.timeout(BODY_S):
                body = await self._body(request)
        except (TimeoutError, ClientDisconnect):
            return self._refuse(408, "body_too_slow", "The message did not come whole.")
        if body is None:
            return self._refuse(413, "too_large", f"A message has {self._most_bytes} bytes at most.")
        try:
            signed = verify(self._keys, request.headers, body, self._clock.now_ms() / 1000)
        except SignatureRefused as err:
            return self._refuse(401, err.reason, "The signature does not fit this message at this time.")
        try:
            read_json(body)
        except Unreadable as err:
            return self._refuse(400, "unreadable", f"The body is {err}.")
        if self._inlet.is_full:
            return self._refuse(503, "store_busy", "Try again soon.", {"retry-after": "5"})
        message = PushedMessage(
            message_id=signed.message_id,
            sent_at_ms=signed.sent_at_s * 1000,
            received_at_ms=self._clock.now_ms(),
            peer=peer,
            body=body,
        )
        try:
            await asyncio.shield(self._inlet.deliver(Batch((message,))))
        except asyncio.CancelledError:
            raise
        except Exception as err:  # noqa: BLE001 - whatever the store says, the sender keeps the message and tries again
            self._log.warning("a pushed message could not be stored: %s", err)
            return self._refuse(503, "not_stored", "Try again soon.", {"retry-after": "5"})
        return JSONResponse({"stored": signed.message_id})

    async def _body(self, request: Request) -> bytes | None:
        """The whole body, None as soon as it is longer than allowed."""
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told[:18]) > self._most_bytes:
            return None
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._most_bytes:
                return None
        return bytes(body)

    def _over_rate(self, peer: str) -> float | None:
        """Seconds to wait where this address has sent its share of the last minute; None where it may go on."""
        now_s = self._clock.monotonic()
        calls = self._calls.setdefault(peer, deque())
        self._calls.move_to_end(peer)
        if len(self._calls) > _ADDRESSES:
            self._calls.popitem(last=False)
        while calls and now_s - calls[0] >= _MINUTE_S:
            calls.popleft()
        if len(calls) >= self._per_minute:
            return _MINUTE_S - (now_s - calls[0])
        calls.append(now_s)
        return None

    def _refuse(self, status: int, counter: str, text: str, headers: dict[str, str] | None = None) -> Response:
        """Refuse and hang up: whoever is refused may still be sending, without an end."""
        self._inlet.count(f"refused_{counter}")
        return JSONResponse({"error": text}, status, {**(headers or {}), "connection": "close"})
