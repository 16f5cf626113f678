"""What the NHLMIS tests stand on: a lent clock, an adapter with a kit of its own, rows that the server knows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from adapters.base import SHIPMENT_FIELD, Kit, Outgoing
from adapters.nhlmis import NhlmisAdapter, NhlmisSettings
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.profile_files import read_profile
from adapters.nhlmis.simulator import KEY, NhlmisServer
from adapters.nhlmis.simulator_world import PRODUCTS, STORES, Order, World
from adapters.records import Batch, Record, Rejected
from adapters.reporting import Shipped, ShippedLine, StockRow
from adapters.supply import Requisition

START_MS = 1_790_000_000_000  # 2026-09-21
TLS = ssl.create_default_context()


class LentClock:
    """Wall time that a test moves; waiting is real."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic(self) -> float:
        return self.at_ms / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Memory:
    """Stores as the real store does: by peer id, cursors with their records."""

    def __init__(self) -> None:
        self.cursors: dict[str, str] = {}
        self.records: dict[tuple[type, str], Record] = {}
        self.rejected: list[Rejected] = []
        self.batches = 0

    def take(self, batch: Batch) -> None:
        self.batches += 1
        for record in batch.records:
            if isinstance(record, Rejected):
                self.rejected.append(record)
            else:
                self.records[type(record), str(getattr(record, "peer_id", getattr(record, "stream", "")))] = record
        self.cursors.update(batch.cursors)

    @property
    def orders(self) -> dict[str, Requisition]:
        return {record.peer_id: record for record in self.records.values() if isinstance(record, Requisition)}


def profile(**keys: Any) -> Profile:
    return read_profile(json.dumps(keys))


def world(orders: int = 12) -> World:
    return World(orders=orders, start_ms=START_MS)


@contextlib.contextmanager
def profile_file(server: NhlmisServer, folder: Any) -> Iterator[str]:
    file = folder / "profile.json"
    file.write_text(server.profile.model_dump_json(), encoding="utf-8")
    yield str(file)


def settings_for(server: NhlmisServer, *, port: int | None = None, **changes: Any) -> NhlmisSettings:
    """Settings under which everything is sent; ``port`` leads over another line to the server."""
    from adapters.nhlmis.profile import approval_code

    url = server.url if port is None else f"http://127.0.0.1:{port}/v1"
    values: dict[str, Any] = {
        "url": url,
        "api_key": KEY,
        "profile_approved": True,
        "approved_code": approval_code(server.profile, url),
        "answer_within_s": 5,
    }
    return NhlmisSettings(**{**values, **changes})


@contextlib.asynccontextmanager
async def kit_for(clock: LentClock | None = None) -> AsyncIterator[Kit]:
    """A kit as the host makes it, without its request budget."""
    async with httpx.AsyncClient(verify=TLS, trust_env=False) as http:
        log = logging.getLogger("test.nhlmis")
        yield Kit("01890000-0000-7000-8000-000000000001", http, TLS, log, clock or LentClock())


@contextlib.asynccontextmanager
async def adapter_for(
    server: NhlmisServer, clock: LentClock | None = None, **changes: Any
) -> AsyncIterator[NhlmisAdapter]:
    async with kit_for(clock) as kit:
        yield NhlmisAdapter(settings_for(server, **changes), kit)


async def pull(adapter: NhlmisAdapter, memory: Memory) -> None:
    async for batch in adapter.fetch(dict(memory.cursors)):
        memory.take(batch)


def rows(store: str = STORES[0][0], count: int = len(PRODUCTS)) -> list[StockRow]:
    """Stock that the server knows, one line for each product."""
    return [
        StockRow(
            key=f"{store}/{product.code}",
            store_code=store,
            item_code=product.code,
            packs=10 + number,
            pack_size=product.pack_size,
            counted_ms=START_MS,
            batch=f"NG26{number:02d}A",
            expires_on="2028-03-31",
            program=product.program,
            funder=product.funder,
        )
        for number, product in enumerate(PRODUCTS[:count])
    ]


def shipped_for(order: Order, number: str = "SH-1042") -> Shipped:
    lines = tuple(
        ShippedLine(line.product.code, line.packs, line.product.pack_size, f"NG26{at:02d}A", "2028-03-31")
        for at, line in enumerate(order.lines)
    )
    return Shipped(order.id, number, START_MS, None, lines)


def outgoing_for(shipped: Shipped, **changes: Any) -> Outgoing:
    values: dict[str, Any] = {
        "write": "shipment",
        "record": "requisition",
        "peer_id": shipped.order_id,
        "parent_peer_id": "",
        "values": {SHIPMENT_FIELD: shipped.as_text()},
        "seen": {},
        "key": "01890000-0000-7000-8000-00000000abcd",
    }
    return Outgoing(**{**values, **changes})
