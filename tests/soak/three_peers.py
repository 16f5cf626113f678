"""One engine, three supply systems, a line and servers that fail all the time: nothing is lost, doubled or left apart.

Time is lent at :data:`SPEED` times its pace, so that growing delays and lives of tokens cost little. The servers are
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
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, func, select

from adapters.base import Kit, Manifest, Settings
from adapters.msupply import simulator as msupply
from adapters.msupply.simulator_faults import Line
from adapters.msupply.simulator_world import World as MSupplyWorld
from adapters.nhlmis import simulator as nhlmis
from adapters.nhlmis.profile import approval_code
from adapters.nhlmis.profile_files import load_profile
from adapters.nhlmis.simulator_world import PRODUCTS
from adapters.nhlmis.simulator_world import World as NhlmisWorld
from adapters.openlmis import simulator as openlmis
from adapters.openlmis.simulator_world import World as OpenLmisWorld
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
    Integration,
    IntegrationState,
    OutboxItem,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentRow,
    StreamState,
)
from app.sync.acts import cancel, restore, resume, retry, set_aside
from app.sync.conflicts import resolve
from app.sync.downloads import judged_by
from app.sync.outbox import queue_change
from app.sync.shipped import queue_shipped
from app.tasks import Tasks
from tests.helpers.supply import make_supply_feed

SPEED = 120.0
MOST_OPEN = 120
OWN = "own-depot"
KEYS = ("msupply", "openlmis", "nhlmis")
SHARES = (45, 45, 10)
"""NHLMIS has a budget of requests that no clock but the real one refills."""
OPEN = ("waiting", "sending", "doubtful", "conflict", "refused", "set_aside")


class FastClock:
    """Real time, :data:`SPEED` times as fast."""

    def __init__(self) -> None:
        self._start_s, self._start_ms = time.monotonic(), time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        return self._start_ms + round((time.monotonic() - self._start_s) * 1000 * SPEED)

    def monotonic(self) -> float:
        return self._start_s + (time.monotonic() - self._start_s) * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


@dataclass
class Report:
    operations: int = 0
    accepted: int = 0
    accepted_during_faults: int = 0
    refused_here: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    restarts: int = 0
    given_up: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    by_peer: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        during = all(self.by_peer[key] > 0 for key in KEYS) and self.accepted_during_faults > 0
        return during and not (self.lost or self.doubled or self.apart or self.open)

    def __str__(self) -> str:
        return (
            f"{self.operations} operations, {self.accepted} accepted ({self.accepted_during_faults} while faults were "
            f"on; {dict(self.by_peer)}), {self.conflicts} conflicts, {self.given_up} refused for good, {self.restarts} "
            f"restarts of the engine, {sum(self.faults.values())} spells of faults {dict(self.faults)}; lost "
            f"{self.lost[:5]}, doubled {self.doubled[:5]}, apart {self.apart[:5]}, open {self.open[:5]}"
        )


class Peers:
    """The three servers with a relay before each, and what each applied, as (record, field, value)."""

    def __init__(self, clock: FastClock, rng: random.Random, folder: Path) -> None:
        now_ms = clock.now_ms()
        self.profile = folder / "profile.json"
        self.profile.write_text('{"limits": {"per_minute": 600}}', "utf-8")  # the budget is real time
        self.clock, self.rng = clock, rng
        self.msupply = msupply.MSupplyServer(
            MSupplyWorld(now_ms=now_ms, items=60, facilities=10, papers=40, history_days=60, seed=5),
            refusal_delay_s=0.02,
        )
        self.openlmis = openlmis.OpenLmisServer(OpenLmisWorld(start_ms=now_ms, seed=6, facilities=10, items=40))
        profile = load_profile(str(self.profile))
        self.nhlmis = nhlmis.NhlmisServer(NhlmisWorld(orders=40, start_ms=now_ms, seed=7), profile)
        self.servers: dict[str, Any] = {"msupply": self.msupply, "openlmis": self.openlmis, "nhlmis": self.nhlmis}
        self.lines: dict[str, Line] = {}
        self.applied: list[tuple[str, str, str]] = []
        self._watch()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for key, server in self.servers.items():
                await server.start()
                stack.push_async_callback(server.stop)
                line = self.lines[key] = Line(server.port)
                await line.start()
                stack.push_async_callback(line.stop)
            await asyncio.to_thread(self.openlmis.life.history, 160)
            living = asyncio.create_task(self._live())
            stack.callback(living.cancel)
            yield

    def settings(self) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
        """Values and secrets of each integration, at the relays' ports."""
        urls = {key: f"http://127.0.0.1:{line.port}" for key, line in self.lines.items()}
        own = self.msupply.settings()
        accounts = self.openlmis.accounts
        url = f"{urls['nhlmis']}/v1"
        code = approval_code(self.nhlmis.profile, url)
        return {
            "msupply": (
                {**{name: value for name, value in own.items() if name != "password"}, "url": urls["msupply"]},
                {"password": own["password"]},
            ),
            "openlmis": (
                {
                    "url": urls["openlmis"],
                    "auth": "user",
                    "client_id": accounts.client_id,
                    "username": accounts.username,
                    "facilities": self.openlmis.world.store["code"],
                },
                {"client_secret": accounts.client_secret, "password": accounts.password},
            ),
            "nhlmis": (
                {"url": url, "profile": str(self.profile), "profile_approved": True, "approved_code": code},
                {"api_key": nhlmis.KEY},
            ),
        }

    def edit(self) -> None:
        """Somebody changes a line at a peer."""
        if self.rng.random() < 0.5:
            lines = [
                line
                for paper in self.msupply.world.requisitions.values()
                if paper["type"] == "RESPONSE" and paper["status"] == "NEW"
                for line in paper["_lines"].values()
            ]
            if lines:
                self.rng.choice(lines)["supplyQuantity"] = self.rng.randint(700_000, 799_999)
                self.msupply.world.touch()
            return
        world = self.openlmis.world
        papers = [one for one in world.requisitions.values() if one["status"] in ("INITIATED", "SUBMITTED")]
        if papers:
            paper = self.rng.choice(papers)
            if paper["requisitionLineItems"]:
                self.rng.choice(paper["requisitionLineItems"])["requestedQuantity"] = self.rng.randint(700_000, 799_999)
                paper["modifiedDate"] = openlmis_moment(world)
                world.versions[paper["id"]] += 1

    def disturb(self) -> str:
        """Switch one fault on at one peer; returns its name. Some end by themselves, all with :meth:`heal`."""
        key = self.rng.choice(KEYS)
        line, server = self.lines[key], self.servers[key]
        kind = self.rng.choice(["request", "reply", "down", "server", "server", "server", "session", "refuse"])
        if kind == "request":
            line.cut_request_after = self.rng.randint(1, 2_500)
        elif kind == "reply":
            line.cut_reply_after = self.rng.randint(1, 4_000)
        elif kind == "down":
            line.is_down = True
            line.break_all()
        elif kind == "server":
            faults = server.faults
            kinds = {
                "msupply": ("html_502", "html", "cut_reply", "empty", "text", "half_json", "503", "internal_error"),
                "openlmis": ("html", "html_502", "cut", "cut_request", "empty", "text", "429", "500", "502", "503"),
                "nhlmis": ("html", "html_502", "half_json", "empty", "text", "lost_answer", "429", "500", "502"),
            }[key]  # fmt: skip
            faults.kind, faults.left = self.rng.choice(kinds), self.rng.randint(1, 6)
            if key == "msupply":
                faults.applies, faults.after = self.rng.random() < 0.5, self.rng.randint(0, 200)
            kind = str(faults.kind)
        elif kind == "session":
            self._end_sessions(key)
        else:
            self._refuse(key)
        return f"{key} {kind}"

    def heal(self) -> None:
        for key, server in self.servers.items():
            line = self.lines[key]
            line.cut_request_after = line.cut_reply_after = None
            line.is_down = False
            server.faults.clear()
        self.msupply.api.rules.refused_for_ever.clear()
        self.openlmis.world.refuses.clear()

    def _end_sessions(self, key: str) -> None:
        if key == "msupply":
            self.msupply.account.revoke()
        elif key == "openlmis":
            self.openlmis.accounts.tokens.clear()

    def _refuse(self, key: str) -> None:
        if key == "msupply":
            papers = [one for one in self.msupply.world.requisitions.values() if one["status"] == "NEW"]
            lines = [line for paper in papers for line in paper["_lines"]]
            if lines:
                self.msupply.api.rules.refused_for_ever.add(self.rng.choice(lines))
        elif key == "openlmis" and self.openlmis.world.requisitions:
            self.openlmis.world.refuses.add(self.rng.choice(list(self.openlmis.world.requisitions)))

    async def _live(self) -> None:
        """The worlds' clocks go on with ours."""
        while True:
            for server in self.servers.values():
                server.world.now_ms = max(server.world.now_ms, self.clock.now_ms())
            await asyncio.sleep(0.02)

    def _watch(self) -> None:
        """Log what is applied, where the simulators do not do it themselves."""
        rules, requisitions = self.msupply.api.rules, self.openlmis.requisitions
        note, update = rules._note, requisitions.update

        def noted(mutation: str, found: str, value: str) -> None:
            node = self.msupply.world.invoices.get(found)
            told = node["transportReference"] if node is not None and mutation == "updateOutboundShipment" else value
            self.applied.append(("msupply", found, str(told).removesuffix(".0")))
            note(mutation, found, value)

        def updated(key: str, body: Any, if_match: str | None) -> Any:
            before = {line["id"]: dict(line) for line in requisitions.get(key)["requisitionLineItems"]}
            after = update(key, body, if_match)
            for line in after["requisitionLineItems"]:
                for name in ("requestedQuantity", "approvedQuantity"):
                    if line.get(name) != before[line["id"]].get(name):
                        self.applied.append(("openlmis", line["id"], str(line.get(name))))
            return after

        rules._note = noted  # type: ignore[method-assign]
        requisitions.update = updated  # type: ignore[method-assign]


def openlmis_moment(world: OpenLmisWorld) -> str:
    from adapters.openlmis.simulator_world import moment

    return moment(world.tick())


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
        while not set(self.ids.values()) <= set(self.read(_read_once)):
            assert time.monotonic() < ends, (self.read(_troubles), self.failures)
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
        found = self.read(_changeable, self.ids[key], key == "openlmis")
        if not found:
            return
        record, record_id, fields = self.rng.choice(found)
        name = self.rng.choice(fields)
        value: Any = f"trip-{self.number}" if name == "transport_reference" else float(self.number)
        await self.write(queue_change, self.catalogue, record, record_id, {name: value}, who="ada")

    async def _tell(self) -> None:
        orders = self.read(_orders, self.ids["nhlmis"])
        if not orders:
            return
        order = self.rng.choice(orders)
        number = f"S{self.number}"
        await self.ship(number, self.rng.choice(self.read(_asked, order)), float(self.number))
        await self.write(queue_shipped, self.catalogue, order, self.read(_row_of, number), who="ada")

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
        for conflict in self.read(_open_conflicts):
            self.report.conflicts += 1
            keep = self.rng.choice(["ours", "theirs"])
            with suppress(OperatorError):
                await self.write(resolve, self.catalogue, conflict, keep)
        for item in self.read(_in_state, ("refused", "set_aside")):
            with suppress(OperatorError):
                await self.write(self.rng.choice([retry, restore, set_aside]), [item])

    async def heal(self, seconds: float) -> None:
        """The line is good: everything must come to an end by itself, but for what only an operator can decide."""
        self.peers.heal()
        ends = time.monotonic() + seconds
        refusals: Counter[str] = Counter()
        while left := self.read(_in_state, OPEN):
            if time.monotonic() > ends:
                self.report.open = [str(self.read(_told, item)) for item in left[:5]]
                self.report.open += [str(row) for row in self.read(_phases)]
                return
            for conflict in self.read(_open_conflicts):
                with suppress(OperatorError):
                    await self.write(resolve, self.catalogue, conflict, "ours")
            refusals.update(self.read(_in_state, ("refused",)))
            for item in self.read(_in_state, ("refused", "set_aside")):
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
            if not self.read(_older, tuple(self.ids.values()), since):
                return
            await asyncio.sleep(0.1)
        self.report.open.append("not read again")

    def judge(self) -> None:
        """Compare what was accepted with what the peers applied, and the store with the peers."""
        report, applied = self.report, Counter(self.peers.applied)
        for order in self.peers.nhlmis.world.orders.values():
            for body in order.shipments:
                applied["nhlmis", order.id, _number_in(body)] += 1
        decided = Counter(self.read(lambda c: list(c.execute(select(ConflictRow.outbox_id)).scalars())))
        names = {integration: key for key, integration in self.ids.items()}
        for item in self.read(lambda c: list(c.execute(select(OutboxItem.__table__)))):
            key = names[item.integration_id]
            for value in _values(item._mapping["values"]):
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
        ours = self.read(_lines, self.ids["msupply"], "supply_units")
        return [f"msupply {key} {ours[key]} {theirs[key]}" for key in ours.keys() & theirs if ours[key] != theirs[key]]

    def _apart_openlmis(self) -> list[str]:
        theirs = {
            line["id"]: None if line.get("requestedQuantity") is None else float(line["requestedQuantity"])
            for paper in self.peers.openlmis.world.requisitions.values()
            for line in paper["requisitionLineItems"]
        }
        ours = self.read(_lines, self.ids["openlmis"], "requested_units")
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
            site.report.accepted_during_faults = site.read(_count, ("accepted",))
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
        while site.read(_count, ("waiting", "sending", "doubtful")) > MOST_OPEN and spells < 40:
            spells += 1  # what waits is not let grow without end, but faults go on
            if spells % 4 == 0:
                peers.heal()
                await site.decide()
            await asyncio.sleep(0.05)


def _phases(connection: Connection) -> list[Any]:
    state = IntegrationState
    return list(
        connection.execute(select(state.integration_id, state.phase, state.reason, state.since, state.next_try))
    )


def _read_once(connection: Connection) -> list[str]:
    """Systems whose papers have all come: shipments are read last where there are any."""
    have = [
        set(connection.execute(select(t.integration_id).distinct()).scalars()) for t in (RequisitionRow, ShipmentRow)
    ]
    orders = select(Integration.id).where(Integration.type == "nhlmis")
    return [one for one in have[0] if one in have[1] or one in set(connection.execute(orders).scalars())]


def _troubles(connection: Connection) -> list[Any]:
    streams = select(StreamState.stream, StreamState.trouble).where(StreamState.trouble != "")
    return [*connection.execute(streams), *connection.execute(select(Integration.name, Integration.status))]


def _changeable(connection: Connection, integration_id: str, at_facilities: bool) -> list[tuple[str, str, list[str]]]:
    """Records that this system lets us change now, with their fields; OpenLMIS lets us write for its facilities."""
    line, paper = RequisitionLineRow, RequisitionRow
    lines = (
        select(line.id, paper.side, paper.stage)
        .join(paper, (paper.integration_id == line.integration_id) & (paper.peer_id == line.requisition))
        .where(line.integration_id == integration_id, paper.gone_at.is_(None), line.gone_at.is_(None))
        .where(
            paper.stage.in_(("draft", "submitted", "rejected") if at_facilities else ("draft", "submitted", "ordered"))
        )
    )
    found: list[tuple[str, str, list[str]]] = []
    for row in connection.execute(lines):
        fields = ["supply_units"] if row.side == "response" and not at_facilities else ["requested_units"]
        found.append(("requisition_line", row.id, fields))
    shipments = select(ShipmentRow.id).where(
        ShipmentRow.integration_id == integration_id,
        ShipmentRow.side == "outbound",
        ShipmentRow.stage.in_(("new", "allocated", "picked")),
        ShipmentRow.gone_at.is_(None),
    )
    return [*found, *(("shipment", key, ["transport_reference"]) for key in connection.execute(shipments).scalars())]


def _orders(connection: Connection, integration_id: str) -> list[str]:
    query = select(RequisitionRow.id).where(RequisitionRow.integration_id == integration_id)
    return list(connection.execute(query.where(RequisitionRow.gone_at.is_(None))).scalars())


def _asked(connection: Connection, order: str) -> list[str]:
    """The items of an order, by their codes."""
    paper, line = RequisitionRow, RequisitionLineRow
    query = (
        select(line.item)
        .join(paper, (paper.integration_id == line.integration_id) & (paper.peer_id == line.requisition))
        .where(paper.id == order, line.gone_at.is_(None))
    )
    return list(connection.execute(query).scalars())


def _row_of(connection: Connection, peer_id: str) -> str:
    return str(connection.execute(select(ShipmentRow.id).where(ShipmentRow.peer_id == peer_id)).scalar_one())


def _open_conflicts(connection: Connection) -> list[str]:
    return list(connection.execute(select(ConflictRow.id).where(ConflictRow.state == "open")).scalars())


def _in_state(connection: Connection, states: tuple[str, ...]) -> list[str]:
    return list(connection.execute(select(OutboxItem.id).where(OutboxItem.state.in_(states))).scalars())


def _count(connection: Connection, states: tuple[str, ...]) -> int:
    query = select(func.count()).select_from(OutboxItem).where(OutboxItem.state.in_(states))
    return int(connection.execute(query).scalar_one())


def _told(connection: Connection, item: str) -> tuple[Any, ...]:
    one = OutboxItem
    query = select(one.subject, one.values, one.state, one.tries, one.last_answer, one.next_try).where(one.id == item)
    return tuple(connection.execute(query).one())


def _older(connection: Connection, integrations: tuple[str, ...], since_ms: int) -> list[str]:
    """Systems whose papers were not read since."""
    stream = StreamState
    query = select(stream.integration_id, stream.stream, stream.last_read).where(
        stream.integration_id.in_(integrations)
    )
    since = from_ms(since_ms)
    papers = [row for row in connection.execute(query) if "requisition" in row.stream or "order" in row.stream]
    read = {row.integration_id for row in papers if row.last_read is not None and row.last_read >= since}
    return sorted(set(integrations) - read)


def _lines(connection: Connection, integration_id: str, column: str) -> dict[str, Any]:
    table = RequisitionLineRow.__table__
    query = select(table.c.peer_id, table.c[column]).where(
        table.c.integration_id == integration_id, table.c.gone_at.is_(None)
    )
    return {row[0]: row[1] for row in connection.execute(query) if row[1] is not None}


def _values(values: Mapping[str, Any]) -> list[str]:
    """As the peers' logs tell them."""
    told = []
    for value in values.values():
        if isinstance(value, str) and value.startswith("{"):
            told.append(value.partition('"number":"')[2].partition('"')[0])
        else:
            told.append(str(value).removesuffix(".0"))
    return told


def _number_in(body: Any) -> str:
    """Our shipment's number, wherever the profile puts it."""
    if isinstance(body, dict):
        return next(filter(None, map(_number_in, body.values())), "")
    if isinstance(body, list):
        return next(filter(None, map(_number_in, body)), "")
    return body if isinstance(body, str) and body[:1] == "S" and body[1:].isdigit() else ""
