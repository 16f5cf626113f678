"""A running receiver, what it counts and keeps, and a sender that speaks to it over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.base import Kit
from adapters.records import Batch, PushedMessage
from adapters.signing import key_bytes, signed_headers
from adapters.webhook import WebhookAdapter, WebhookSettings
from tests.helpers.fake_adapter import LentClock

SECRET = "whsec_" + "c2VjcmV0IG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZyE="


@dataclass
class Store:
    """An inlet that commits when it is told to, or refuses."""

    messages: list[PushedMessage] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)
    connected_with: asyncio.Event = field(default_factory=asyncio.Event)
    is_full: bool = False
    refuses: bool = False
    commits: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.commits.set()

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        async def commit() -> None:
            await self.commits.wait()
            if self.refuses:
                raise OSError("the disk is full")
            self.messages += [record for record in batch.records if isinstance(record, PushedMessage)]

        return asyncio.get_running_loop().create_task(commit())

    async def wait_for_room(self) -> None:
        return

    def connected(self, detail: str) -> None:
        assert detail.startswith("Messages are taken at http")
        self.connected_with.set()

    def request_fetch(self, why: str) -> None:
        raise AssertionError(why)

    def count(self, counter: str, amount: int = 1) -> None:
        self.counters[counter] += amount


@dataclass
class Site:
    """A receiver that listens, and a way to send to it."""

    store: Store
    clock: LentClock
    url: str
    http: httpx.AsyncClient

    async def post(
        self, body: bytes | Any, *, secret: str = SECRET, late_s: int = 0, changes: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a signed message; ``changes`` replace headers."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent_at_s = self.clock.now_ms() // 1000 - late_s
        headers = signed_headers([key_bytes(secret)], str(uuid.uuid4()), sent_at_s, content)
        headers |= changes or {}
        return await self.http.post(self.url, content=content, headers=headers)


@asynccontextmanager
async def site(**settings: Any) -> AsyncIterator[Site]:
    chosen = WebhookSettings.model_validate({"port": 0, "secret": SECRET, **settings})
    clock, store = LentClock(), Store()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with httpx.AsyncClient(verify=context, timeout=20) as http:
        adapter = WebhookAdapter(chosen, Kit("webhook-1", http, context, logging.getLogger("webhook"), clock))
        listening = asyncio.create_task(adapter.listen(store))
        try:
            ready = asyncio.create_task(store.connected_with.wait())
            await asyncio.wait({ready, listening}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if listening.done():
                listening.result()
            scheme = "https" if chosen.certificate_file else "http"
            yield Site(store, clock, f"{scheme}://127.0.0.1:{adapter.port}{chosen.path}", http)
        finally:
            listening.cancel()
            await asyncio.wait({listening})
