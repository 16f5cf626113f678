"""One engine, three supply systems, a line and servers that fail all the time: nothing is lost, doubled or left apart.

Time is lent (:mod:`tests.soak.peers`), so that growing delays and lives of tokens cost little. The servers are
the adapters' own simulators behind relays that break at any byte; they keep a log of what they applied, which is what
is judged by. Every value is unique, so that a log tells which change it was.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from adapters.base import Kit, Manifest, Settings
from adapters.nhlmis.simulator_world import PRODUCTS
from adapters.records import Batch, Record
from adapters.supply import Facility, Item, Shipment, ShipmentLine
from app.catalogue import Catalogue
from app.clock import from_ms
from app.engine.engine import Engine
from app.engine.sink import StoreSink
from app.errors import OperatorError
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import (
    ConflictRow,
    OutboxItem,
)
from app.sync.acts import cancel, restore, resume, retry, set_aside
from app.sync.conflicts import resolve
from app.sync.downloads import judged_by
from app.sync.outbox import queue_change
from app.sync.shipped import queue_shipped
from app.tasks import Tasks
from tests.helpers.supply import make_supply_feed
from tests.soak import peer_queries
from tests.soak.peers import (
    KEYS,
    MOST_OPEN,
    OPEN,
    OWN,
    SHARES,
    FastClock,
    Peers,
    Report,
    number_in,
    values_told,
)


class Kits:
    """Kits with short silences; the budget of requests is for real peers."""

    def __init__(self) -> None:
        self.clients: list[httpx.AsyncClient] = []

    def __call__(self, integration_id: str, manifest: Manifest, settings: Settings, clock: Any) -> Kit:
        client = httpx.AsyncClient(timeout=5, trust_env=False)
        self.clients.append(client)
        return Kit(integration_id, client, ssl.create_default_context(), logging.getLogger("tests.soak"), clock)


class Site:
    """The console's side: store, engine that comes and goes, an operator."""

    def __init__(self, store: Store, folder: Path, peers: Peers, seed: int) -> None:
        self.store, self.peers, self.clock = store, peers, peers.clock
        self.rng = random.Random(seed)
        self.catalogue = Catalogue.load()
        self.vault = MemoryVault()
        self.folder = folder
        self.failures: list[tuple[str, BaseException]] = []
        self.report = Report()
        self.ids: dict[str, str] = {}
        self.number = 100_000
        self._engine: Engine | None = None
        self._running: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        desk = Desk(self.store, self.catalogue, self.vault)
        for key, (values, secrets) in self.peers.settings().items():
            self.ids[key] = await asyncio.to_thread(add, desk, key, key, {**values, "poll_interval_s": 60}, secrets)
        await asyncio.to_thread(make_supply_feed, self.store, OWN)
        await self.start()
        # Shipments of a depot of our own go out for orders of NHLMIS; its items have that system's codes.
        await self.take(
            Facility("own", "FC-CMS-01", "Own depot", "store", is_ours=True),
            Facility("cus", "CUS", "A customer", "facility"),
            *(
                Item(product.code, product.code, product.code, pack_size=float(product.pack_size))
                for product in PRODUCTS
            ),
        )

    async def take(self, *records: Record) -> None:
        """Through the engine's own sink: one process has one, which knows the keys that it gave."""
        sink, now_ms = self.sink, self.clock.now_ms()
        batch = [Batch(records)]
        await asyncio.wrap_future(
            self.store.write(lambda c: sink.ingest(c, OWN, batch, now_ms), on_rollback=sink.forget)
        )

    async def start(self) -> None:
        sink = self.sink = StoreSink(self.store, judged_by(self.catalogue))
        self._engine = Engine(
            self.store,
            self.catalogue,
            self.vault,
            clock=self.clock,
            sink=sink,
            tasks=Tasks(lambda name, failure: self.failures.append((name, failure))),
            make_kit=Kits(),
            data_dir=self.folder,
            followers=(),
            rng=random.Random(3),
        )
        self._running = asyncio.create_task(self._engine.run())

    async def stop(self) -> None:
        if self._running is None:
            return
        self._running.cancel()  # also in the middle of a request: what is under way then is in doubt
        with suppress(asyncio.CancelledError):
            await self._running
        self._running = None

    def read(self, query: Callable[..., Any], *arguments: Any) -> Any:
        with self.store.read() as connection:
            return query(connection, *arguments)

    async def write(self, job: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        now = from_ms(self.clock.now_ms())
        done = self.store.write(lambda connection: job(connection, *arguments, now=now, **named))
        return await asyncio.wrap_future(done)

    async def until_read(self, seconds: float = 60.0) -> None:
        """Every system was read to the end of its first run."""
        ends = time.monotonic() + seconds
        while not set(self.ids.values()) <= set(self.read(peer_queries.read_once)):
            assert time.monotonic() < ends, (self.read(peer_queries.troubles), self.failures)
            await asyncio.sleep(0.1)

    async def operate(self) -> None:
        """One change of an operator; refusals of the console itself count as done."""
        self.number += 1
        self.report.operations += 1
        key = self.rng.choices(KEYS, SHARES)[0]
        try:
            if key == "nhlmis":
                await self._tell()
            else:
                await self._change(key)
        except OperatorError as err:
            self.report.refused_here += 1
            self.report.refusals[err.why] += 1

    async def _change(self, key: str) -> None:
        found = self.read(peer_queries.changeable, self.ids[key], key == "openlmis")
        if not found:
            return
        record, record_id, fields = self.rng.choice(found)
        name = self.rng.choice(fields)
        value: Any = f"trip-{self.number}" if name == "transport_reference" else float(self.number)
        await self.write(queue_change, self.catalogue, record, record_id, {name: value}, who="ada")

    async def _tell(self) -> None:
        orders = self.read(peer_queries.orders, self.ids["nhlmis"])
        if not orders:
            return
        order = self.rng.choice(orders)
        number = f"S{self.number}"
        await self.ship(number, self.rng.choice(self.read(peer_queries.asked, order)), float(self.number))
        await self.write(queue_shipped, self.catalogue, order, self.read(peer_queries.row_of, number), who="ada")

    async def ship(self, number: str, item: str, units: float = 240.0) -> None:
        """A shipment of our own depot went out, with one item by NHLMIS's code."""
        line = ShipmentLine(f"{number}-1", item, units, "B1", "2028-01-31")
        now_ms = self.clock.now_ms()
        paper = Shipment(
            number, number, "outbound", "SHIPPED", "shipped", "own", "cus", shipped_ms=now_ms, lines=(line,)
        )
        await self.take(paper)

    async def decide(self) -> None:
        """An operator looks at what stands in the way."""
        for conflict in self.read(peer_queries.open_conflicts):
            self.report.conflicts += 1
            keep = self.rng.choice(["ours", "theirs"])
            with suppress(OperatorError):
                await self.write(resolve, self.catalogue, conflict, keep)
        for item in self.read(peer_queries.in_state, ("refused", "set_aside")):
            with suppress(OperatorError):
                await self.write(self.rng.choice([retry, restore, set_aside]), [item])

    async def heal(self, seconds: float) -> None:
        """The line is good: everything must come to an end by itself, but for what only an operator can decide."""
        self.peers.heal()
        ends = time.monotonic() + seconds
        refusals: Counter[str] = Counter()
        while left := self.read(peer_queries.in_state, OPEN):
            if time.monotonic() > ends:
                self.report.open = [str(self.read(peer_queries.told, item)) for item in left[:5]]
                self.report.open += [str(row) for row in self.read(peer_queries.phases)]
                return
            for conflict in self.read(peer_queries.open_conflicts):
                with suppress(OperatorError):
                    await self.write(resolve, self.catalogue, conflict, "ours")
            refusals.update(self.read(peer_queries.in_state, ("refused",)))
            for item in self.read(peer_queries.in_state, ("refused", "set_aside")):
                if refusals[item] > 2:  # the peer will not have it whatever the line does: an operator gives it up
                    self.report.given_up += 1
                    with suppress(OperatorError):
                        await self.write(cancel, [item])
                    continue
                for act in (restore, resume, retry):
                    with suppress(OperatorError):
                        await self.write(act, [item])
            await asyncio.sleep(0.3)
        await self._until_read_again(ends)

    async def _until_read_again(self, ends: float) -> None:
        """Each system's papers were read once more, to their end."""
        since = self.clock.now_ms()
        while time.monotonic() < ends:
            if not self.read(peer_queries.older, tuple(self.ids.values()), since):
                return
            await asyncio.sleep(0.1)
        self.report.open.append("not read again")

    def judge(self) -> None:
        """Compare what was accepted with what the peers applied, and the store with the peers."""
        report, applied = self.report, Counter(self.peers.applied)
        for order in self.peers.nhlmis.world.orders.values():
            for body in order.shipments:
                applied["nhlmis", order.id, number_in(body)] += 1
        decided = Counter(self.read(lambda c: list(c.execute(select(ConflictRow.outbox_id)).scalars())))
        names = {integration: key for key, integration in self.ids.items()}
        for item in self.read(lambda c: list(c.execute(select(OutboxItem.__table__)))):
            key = names[item.integration_id]
            for value in values_told(item._mapping["values"]):
                times = applied[key, item.peer_id, value]
                if item.state == "accepted":
                    report.accepted += 1
                    report.by_peer[key] += 1
                    if not times:
                        report.lost.append(f"{key} {item.peer_id} {value} {item.last_answer}")
                if times > 1 + decided[item.id]:
                    report.doubled.append(f"{key} {item.peer_id} {value} x{times}")
        report.apart = [*self._apart_msupply(), *self._apart_openlmis()]

    def _apart_msupply(self) -> list[str]:
        theirs = {
            line["id"]: float(line["supplyQuantity"])
            for paper in self.peers.msupply.world.requisitions.values()
            if paper["type"] == "RESPONSE"
            for line in paper["_lines"].values()
        }
        ours = self.read(peer_queries.lines, self.ids["msupply"], "supply_units")
        return [f"msupply {key} {ours[key]} {theirs[key]}" for key in ours.keys() & theirs if ours[key] != theirs[key]]

    def _apart_openlmis(self) -> list[str]:
        theirs = {
            line["id"]: None if line.get("requestedQuantity") is None else float(line["requestedQuantity"])
            for paper in self.peers.openlmis.world.requisitions.values()
            for line in paper["requisitionLineItems"]
        }
        ours = self.read(peer_queries.lines, self.ids["openlmis"], "requested_units")
        return [f"openlmis {key} {ours[key]} {theirs[key]}" for key in ours.keys() & theirs if ours[key] != theirs[key]]


async def run(store: Store, folder: Path, operations: int, *, seed: int, heal_s: float = 120.0) -> Report:
    """``operations`` changes against three failing systems, then healing and judgement."""
    rng = random.Random(seed)
    peers = Peers(FastClock(), rng, folder)
    async with peers.running():
        site = Site(store, folder, peers, seed)
        await site.begin()
        try:
            await site.until_read()
            await _disturbed(site, peers, operations, rng)
            site.report.accepted_during_faults = site.read(peer_queries.count, ("accepted",))
            if site._running is None:
                await site.start()
            await site.heal(heal_s)
        finally:
            await site.stop()
        site.judge()
        assert not site.failures, site.failures
        return site.report


async def _disturbed(site: Site, peers: Peers, operations: int, rng: random.Random) -> None:
    for number in range(operations):
        await site.operate()
        if number % 7 == 0:
            if rng.random() < 0.45:
                peers.heal()
            else:
                site.report.faults[peers.disturb()] += 1
        if number % 25 == 0:
            peers.edit()
        if number % 20 == 0:
            await site.decide()
        if number % 150 == 100:
            await site.stop()
            site.report.restarts += 1
            await site.start()
        await asyncio.sleep(0.005)
        spells = 0
        while site.read(peer_queries.count, ("waiting", "sending", "doubtful")) > MOST_OPEN and spells < 40:
            spells += 1  # what waits is not let grow without end, but faults go on
            if spells % 4 == 0:
                peers.heal()
                await site.decide()
            await asyncio.sleep(0.05)
