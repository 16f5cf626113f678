"""What the mSupply tests stand on: a lent clock, a store in memory, an adapter with a kit of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from adapters.base import Kit, Outgoing
from adapters.msupply import MSupplyAdapter, MSupplySettings
from adapters.msupply.simulator import MSupplyServer
from adapters.msupply.simulator_catalogue import Node
from adapters.msupply.simulator_world import World
from adapters.records import Batch, Rejected
from adapters.supply import FullRead, Gone, StreamRead
from adapters.vocabulary import JsonScalar

START_MS = 1_795_600_000_000  # 2026-11-25
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class LentClock:
    """Time that a test moves, with the world's; waiting is real."""

    def __init__(self, world: World, skew_ms: int = 0) -> None:
        self.world = world
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return self.world.now_ms + self.skew_ms

    def monotonic(self) -> float:
        return self.world.now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Memory:
    """Stores as the real store does: by kind and peer id, with marks of full readings."""

    def __init__(self) -> None:
        self.cursors: dict[str, str] = {}
        self.records: dict[tuple[str, str], Any] = {}
        self.gone: set[tuple[str, str]] = set()
        self.rejected: list[Rejected] = []
        self.streams: dict[str, str] = {}
        self.taken = 0
        self._full: dict[tuple[str, str], set[str]] = {}

    def of(self, kind: str) -> list[Any]:
        return [record for (name, _), record in self.records.items() if name == kind]

    def take(self, batch: Batch) -> None:
        for record in batch.records:
            match record:
                case FullRead(mark="begins"):
                    self._full[record.kind, record.scope] = set()
                case FullRead():
                    self._end(record)
                case StreamRead():
                    self.streams[record.stream] = record.trouble
                case Gone():
                    self.gone.add((record.kind, record.peer_id))
                case Rejected():
                    self.rejected.append(record)
                case _:
                    self._keep(record)
        self.cursors.update(batch.cursors)

    def _keep(self, record: Any) -> None:
        kind = KINDS[type(record).__name__]
        self.records[kind, record.peer_id] = record
        self.gone.discard((kind, record.peer_id))
        self.taken += 1
        for (name, scope), seen in self._full.items():
            if name == kind and scope in ("", getattr(record, "facility", "")):
                seen.add(record.peer_id)

    def _end(self, mark: FullRead) -> None:
        seen = self._full.pop((mark.kind, mark.scope))
        for (kind, peer_id), record in self.records.items():
            in_scope = mark.scope in ("", getattr(record, "facility", ""))
            if kind == mark.kind and in_scope and peer_id not in seen:
                self.gone.add((kind, peer_id))


KINDS = {
    "Facility": "facility",
    "Program": "program",
    "Period": "period",
    "Item": "item",
    "StockLine": "stock_line",
    "Requisition": "requisition",
    "Shipment": "shipment",
}


@contextlib.asynccontextmanager
async def adapter_for(
    server: MSupplyServer, *, skew_ms: int = 0, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[MSupplyAdapter]:
    """An adapter with a kit of its own. ``settings`` over those of the server."""
    clock = LentClock(server.world, skew_ms)
    context = tls or ssl.create_default_context()
    http = httpx.AsyncClient(
        verify=context,
        trust_env=False,
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        follow_redirects=False,
    )
    kit = Kit("msupply-1", http, context, logging.getLogger("tests.msupply"), clock)
    try:
        yield MSupplyAdapter(MSupplySettings(**server.settings(**settings)), kit)
    finally:
        await http.aclose()


async def pull(adapter: MSupplyAdapter, memory: Memory) -> None:
    """One run, stored batch by batch."""
    async for batch in adapter.fetch(dict(memory.cursors)):
        memory.take(batch)


def small_world(**options: Any) -> World:
    return World(**{"now_ms": START_MS, "facilities": 12, "papers": 24, "history_days": 60, **options})


def outbound(world: World, status: str, *, to_store: bool = False) -> Node:
    """A new outbound shipment of the central store that has come so far."""
    code = "NGS001" if to_store else "NGS012"
    customer = next(name for name in world.names.values() if name["code"] == code)
    invoice = world.shipment_for(world.arrive(customer, 4))
    if status != "NEW":
        world.move_outbound(invoice, status)
    return invoice


def change(
    write: str,
    peer_id: str,
    values: Mapping[str, JsonScalar],
    seen: Mapping[str, JsonScalar] | None = None,
    *,
    record: str = "shipment",
    parent: str = "",
    **more: Any,
) -> Outgoing:
    return Outgoing(write, record, peer_id, parent, dict(values), dict(seen or {}), f"key-of-{peer_id}", **more)
