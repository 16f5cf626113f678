"""What the OpenLMIS tests stand on: a lent clock, a store in memory, a small world, an adapter with its own kit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from adapters.base import CheckStep, Kit, Outgoing
from adapters.openlmis import OpenLmisAdapter, OpenLmisSettings
from adapters.openlmis.simulator import OpenLmisServer
from adapters.openlmis.simulator_world import Json, World
from adapters.records import Batch, Rejected
from adapters.supply import (
    Facility,
    FullRead,
    Gone,
    Item,
    Period,
    Program,
    Requisition,
    Shipment,
    StockLine,
    StreamRead,
)
from adapters.vocabulary import JsonScalar

START_MS = 1_795_600_000_000  # 2026-11-25
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

KINDS: dict[type[Any], str] = {
    Facility: "facility",
    Program: "program",
    Period: "period",
    Item: "item",
    StockLine: "stock_line",
    Requisition: "requisition",
    Shipment: "shipment",
}


class LentClock:
    """The world's time, which a test moves; waiting is real."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now_ms(self) -> int:
        return self.world.now_ms

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Memory:
    """Stores as the host does: by kind and peer id, cursors with their records, gone what a whole reading left out."""

    def __init__(self) -> None:
        self.cursors: dict[str, str] = {}
        self.kept: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS.values()}
        self.gone: set[tuple[str, str]] = set()
        self.rejected: list[Rejected] = []
        self.read: dict[str, str] = {}
        """Trouble by stream, "" for none, of the last run."""
        self.taken = 0
        self._open: dict[tuple[str, str], set[str]] = {}

    def take(self, batch: Batch) -> None:
        for record in batch.records:
            match record:
                case Rejected():
                    self.rejected.append(record)
                case StreamRead():
                    self.read[record.stream] = record.trouble
                case Gone():
                    self.gone.add((record.kind, record.peer_id))
                case FullRead(mark="begins"):
                    self._open[record.kind, record.scope] = set()
                case FullRead():
                    self._end(record)
                case _:
                    self._keep(record)
        self.cursors.update(batch.cursors)

    def _keep(self, record: Any) -> None:
        kind = KINDS[type(record)]
        self.kept[kind][record.peer_id] = record
        self.gone.discard((kind, record.peer_id))
        self.taken += 1
        for (open_kind, _), ids in self._open.items():
            if open_kind == kind:
                ids.add(record.peer_id)

    def _end(self, mark: FullRead) -> None:
        came = self._open.pop((mark.kind, mark.scope))
        for key, record in self.kept[mark.kind].items():
            if key not in came and mark.scope in ("", getattr(record, "facility", "")):
                self.gone.add((mark.kind, key))

    def count(self, kind: str) -> int:
        return len([key for key in self.kept[kind] if (kind, key) not in self.gone])


def small_world(**options: Any) -> World:
    return World(**{"start_ms": START_MS, "facilities": 4, "items": 24, **options})


def settings_for(server: OpenLmisServer, **changes: Any) -> OpenLmisSettings:
    values: dict[str, Any] = {
        "url": server.url,
        "client_id": server.accounts.client_id,
        "client_secret": server.accounts.client_secret,
        "username": server.accounts.username,
        "password": server.accounts.password,
        "api_key": server.accounts.api_key,
        "facilities": server.world.store["code"],
        "answer_within_s": 5,
    }
    return OpenLmisSettings(**{**values, **changes})


@contextlib.asynccontextmanager
async def adapter_for(server: OpenLmisServer, **changes: Any) -> AsyncIterator[OpenLmisAdapter]:
    """An adapter with a kit as the host makes it, without its request budget."""
    tls = ssl.create_default_context()
    async with httpx.AsyncClient(verify=tls, trust_env=False) as http:
        log = logging.getLogger("test.openlmis")
        kit = Kit("01890000-0000-7000-8000-000000000002", http, tls, log, LentClock(server.world))
        yield OpenLmisAdapter(settings_for(server, **changes), kit)


async def pull(adapter: OpenLmisAdapter, memory: Memory) -> int:
    """One run of polling into ``memory``; returns how many records came."""
    memory.read.clear()
    before = memory.taken
    async for batch in adapter.fetch(dict(memory.cursors)):
        memory.take(batch)
    return memory.taken - before


def outgoing(
    write: str,
    peer_id: str,
    values: Mapping[str, JsonScalar],
    seen: Mapping[str, JsonScalar] | None = None,
    *,
    parent: str = "",
    doubtful: bool = False,
    key: str = "",
    tries: int = 0,
) -> Outgoing:
    record = "requisition_line" if write in ("requested", "approved") else "requisition"
    record = {"proof": "shipment", "confirm": "shipment", "ship": "shipment", "proof_line": "shipment_line"}.get(
        write, record
    )
    return Outgoing(
        write=write,
        record=record,
        peer_id=peer_id,
        parent_peer_id=parent,
        values=values,
        seen=seen or {},
        key=key or str(uuid.uuid4()),
        tries=tries,
        is_doubtful=doubtful,
    )


def ignore(step: CheckStep) -> None:
    """For checks whose steps do not matter."""
    assert step.ok


def program_id(world: World, code: str) -> str:
    return next(key for key, facts in world.rules.items() if facts.code == code)


def a_requisition(server: OpenLmisServer, status: str = "INITIATED", code: str = "MAL") -> Json:
    """A requisition of the first clinic, brought to a status by others."""
    world, steps = server.world, server.requisitions
    period = list(world.periods)[-2]
    made = steps.initiate(world.clinics[0]["id"], program_id(world, code), period)
    key, officer = made["id"], world.users["officer"]
    server.life.spares.add(key)
    if status in ("SUBMITTED", "AUTHORIZED", "APPROVED"):
        steps.submit(key, officer)
    if status in ("AUTHORIZED", "APPROVED") and made["status"] == "SUBMITTED":
        steps.authorize(key, officer)
    if status == "APPROVED":
        while made["status"] != "APPROVED":
            steps.approve(key, officer)
    assert made["status"] == status
    return made


def an_order(server: OpenLmisServer, code: str = "MAL", lines: int = 1, units: int = 60) -> Json:
    """An order of the first clinic that waits to be shipped."""
    world = server.world
    program = program_id(world, code)
    items = world.items_of(program)[:lines]
    order = server.goods.add_order(
        str(uuid.uuid4()), world.clinics[0]["id"], program, list(world.periods)[-2], [(item, units) for item in items]
    )
    server.life.spares.add(order["id"])
    return order


def a_shipped_order(server: OpenLmisServer, code: str = "MAL", lines: int = 1) -> tuple[Json, Json]:
    """An order under way, and its proof of delivery."""
    order = an_order(server, code, lines)
    server.goods.ship(
        {"order": {"id": order["id"]}, "lineItems": server.life.pick(order)}, server.world.users["storeman"]
    )
    return order, server.goods.proofs_of(order["id"], None)[0]


def asked(server: OpenLmisServer, part: str) -> list[str]:
    return [path for _, path, _ in server.api.seen if part in path]


def mirrors(memory: Memory, server: OpenLmisServer) -> None:
    """What was taken is what the server holds."""
    world = server.world
    assert memory.rejected == []
    assert set(memory.kept["facility"]) == set(world.facilities)
    assert set(memory.kept["program"]) == set(world.programs)
    assert set(memory.kept["period"]) == set(world.periods)
    assert set(memory.kept["item"]) == set(world.orderables)
    stock = {
        card["id"]: card["units"]
        for (facility, _), cards in world.cards.items()
        if facility == world.store["id"]
        for card in cards.values()
    }
    assert {key: line.units for key, line in memory.kept["stock_line"].items()} == stock
    papers: dict[str, Requisition] = memory.kept["requisition"]
    assert {key: one.status for key, one in papers.items()} == {k: r["status"] for k, r in world.requisitions.items()}
    goods: dict[str, Shipment] = memory.kept["shipment"]
    assert {key: one.status for key, one in goods.items()} == {k: o["status"] for k, o in world.orders.items()}
