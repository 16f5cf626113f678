"""An honest receiver of webhooks on loopback, for tests: it proves signatures and keeps what came, by id."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.serving import LoopServer, bound_socket
from adapters.signing import SignatureRefused, key_bytes, verify

MOST_BYTES = 1_000_000


class WebhookReceiver:
    """One receiver. ``came`` has every message that was taken, as (id, message), also those that came again.

    ``status`` answers the next requests so (a list is used up); ``lose`` breaks the line after a message was taken.
    """

    def __init__(self, secret: str, *, port: int = 0) -> None:
        self.secret = secret
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.status: list[int] = []
        self.refused: list[str] = []
        self.lose = 0
        self._port = port
        self._server: LoopServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [message_id for message_id, _message in self.came]

    async def start(self) -> None:
        """Listen on loopback, at the port of before. OSError where it is taken."""
        listener = bound_socket(socket.AF_INET, "127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        app = Starlette(routes=[Route("/hooks", self._take, methods=["POST"])])
        self._server = LoopServer(app, timeout_graceful_shutdown=1, ws="none")
        await self._server.start(listener)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > MOST_BYTES:
            return Response(status_code=413)
        if self.status:
            return Response("Not now.", status_code=self.status.pop(0))
        try:
            signed = verify([key_bytes(self.secret)], dict(request.headers), body, time.time())
        except SignatureRefused as err:
            self.refused.append(err.reason)
            return Response(f"Signature refused: {err.reason}", status_code=401)
        self.came.append((signed.message_id, json.loads(body)))
        if self.lose:
            self.lose -= 1
            return Response("The answer is lost.", status_code=502)
        return Response(status_code=204)


@contextlib.asynccontextmanager
async def running(secret: str = "", *, port: int = 0) -> AsyncIterator[WebhookReceiver]:
    """A receiver for the length of a block."""
    made = WebhookReceiver(secret or new_secret(), port=port)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def new_secret() -> str:
    return secrets.token_urlsafe(32)


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Take messages until cancelled (:class:`adapters.base.Simulator`). Option: ``port`` (0: a free one)."""
    async with running(port=int(options.get("port", 0))) as receiver:
        ready({"url": receiver.url, "secret": receiver.secret})
        await asyncio.Event().wait()
