"""A store with supply records, a peer for them, and an engine's parts: what the tests of the outbox stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select, update

from app.catalogue import Catalogue
from app.clock import from_ms, utc_now
from app.engine.coordinator import Coordinator
from app.engine.journal import State as IntegrationState
from app.engine.journal import load_integrations
from app.engine.ports import Ports
from app.engine.scribe import Scribe
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.ids import new_id
from app.store.store import Store
from app.store.tables import (
    ConflictRow,
    FacilityRow,
    IntegrationLog,
    ItemRow,
    OutboxItem,
    Problem,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
)
from app.sync.listing import OutboxRow, outbox_row
from app.sync.outbox import queue_change
from app.sync.seal import OutboxSeal
from app.tasks import Tasks
from tests.helpers.fake_adapter import LentClock, until
from tests.helpers.supply_peer import PeerKits, SupplyPeer, peer_catalogue

T = TypeVar("T")
MARK = {"content_hash": b"0" * 16, "changed_version": 0}


def supply_rows(connection: Connection, integration_id: str, *, papers: int = 3, lines: int = 2) -> None:
    """Facilities, items, requisitions (submitted) with lines and shipments (new), with plain peer ids."""
    common = {"integration_id": integration_id, **MARK}
    for peer_id, name, kind in (("f0", "Central store Abuja", "store"), ("f1", "Gwagwalada PHC", "facility")):
        values = {"id": new_id(), "peer_id": peer_id, "code": peer_id, "name": name, "kind": kind}
        connection.execute(
            insert(FacilityRow).values(**values, is_ours=peer_id == "f0", is_active=True, zone="", **common)
        )
    for number in range(lines):
        name = ("Amoxicillin 250 mg", "Artemether/Lumefantrine 20/120", "ORS sachet", "Zinc 20 mg")[number % 4]
        values = {"id": new_id(), "peer_id": f"i{number}", "code": f"I{number}", "name": name}
        connection.execute(insert(ItemRow).values(**values, pack_size=1.0, is_active=True, programs=[], **common))
    for number in range(papers):
        paper = {"id": f"req-{number}", "peer_id": f"r{number}", "number": str(1000 + number), "is_emergency": False}
        connection.execute(
            insert(RequisitionRow).values(
                **paper, side="response", status="NEW", stage="submitted", facility="f1", supplier="f0", **common
            )
        )
        for line in range(lines):
            values = {"id": f"line-{number}-{line}", "peer_id": f"r{number}l{line}", "requisition": f"r{number}"}
            connection.execute(
                insert(RequisitionLineRow).values(
                    **values, item=f"i{line}", requested_units=100.0, supply_units=10.0, **common
                )
            )
        paper = {"id": f"ship-{number}", "peer_id": f"s{number}", "number": str(2000 + number), "is_on_hold": False}
        connection.execute(
            insert(ShipmentRow).values(
                **paper, side="outbound", status="NEW", stage="new", sender="f0", receiver="f1", **common
            )
        )
        values = {"id": f"sline-{number}", "peer_id": f"s{number}l0", "shipment": f"s{number}", "item": "i0"}
        connection.execute(
            insert(ShipmentLineRow).values(
                **values, units=50.0, batch="B1", pack_size=1.0, is_placeholder=False, **common
            )
        )


def peer_records(*, papers: int = 3, lines: int = 2) -> dict[str, dict[str, Any]]:
    """What the peer holds where the store has :func:`supply_rows`."""
    records: dict[str, dict[str, Any]] = {}
    for number in range(papers):
        records[f"r{number}"] = {"stage": "submitted", "comment": ""}
        records[f"s{number}"] = {
            "stage": "new",
            "comment": "",
            "transport_reference": "",
            "expected_on": None,
            "is_on_hold": False,
        }
        records[f"s{number}l0"] = {"accepted_units": None, "rejected_units": None}
        for line in range(lines):
            records[f"r{number}l{line}"] = {"supply_units": 10.0, "approved_units": None, "comment": ""}
    return records


@dataclass
class SupplyDesk:
    """One integration of the small peer, its rows, and the parts of an engine that a test runs or not."""

    store: Store
    peer: SupplyPeer
    catalogue: Catalogue
    clock: LentClock
    kits: PeerKits
    tasks: Tasks
    ports: Ports
    integration_id: str
    failures: list[tuple[str, BaseException]] = field(default_factory=list)
    coordinator: Coordinator | None = None

    def write(self, job: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return self.store.write(lambda connection: job(connection, *arguments, **named)).result()

    def read(self, query: Callable[..., T], *arguments: Any, **named: Any) -> T:
        with self.store.read() as connection:
            return query(connection, *arguments, **named)

    @property
    def now(self) -> datetime:
        return from_ms(self.clock.now_ms())

    def change(self, record: str, record_id: str, *, who: str = "ada", **values: Any) -> str:
        """Make a change as a window does; the id of its item."""
        return self.write(queue_change, self.catalogue, record, record_id, values, now=self.now, who=who)

    def item(self, item_id: str) -> OutboxRow:
        return self.read(outbox_row, item_id)

    def states(self) -> list[str]:
        with self.store.read() as connection:
            return list(connection.execute(select(OutboxItem.state).order_by(OutboxItem.seq)).scalars())

    def row(self, table: Any, record_id: str) -> Mapping[str, Any]:
        with self.store.read() as connection:
            found = connection.execute(select(table.__table__).where(table.id == record_id)).mappings().one()
            return {str(name): value for name, value in found.items()}

    def line(self, record_id: str = "line-0-0") -> Mapping[str, Any]:
        return self.row(RequisitionLineRow, record_id)

    def conflicts(self) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(select(ConflictRow.__table__).order_by(ConflictRow.detected_at)))

    def logs(self, event_type: str | None = None) -> list[str]:
        query = select(IntegrationLog.event_type, IntegrationLog.text).order_by(IntegrationLog.id)
        with self.store.read() as connection:
            rows = connection.execute(query).all()
        return [row.text for row in rows if event_type in (None, row.event_type)]

    def problems(self) -> list[Any]:
        query = select(Problem.problem_key, Problem.title, Problem.detail, Problem.fix)
        with self.store.read() as connection:
            return list(connection.execute(query.where(Problem.cleared_at.is_(None))))

    def set_state(self, item_id: str, **values: Any) -> None:
        """What a test needs to have happened."""
        self.write(
            lambda connection: connection.execute(update(OutboxItem).where(OutboxItem.id == item_id).values(**values))
        )

    def start(self, last: IntegrationState | None = None) -> Coordinator:
        """Run the integration's coordinator, as an engine does."""
        with self.store.read() as connection:
            configured = load_integrations(connection)[self.integration_id]
        self.coordinator = Coordinator(configured, last, self.ports)
        self.coordinator.start()
        return self.coordinator

    async def stop(self) -> None:
        if self.coordinator is not None:
            await self.coordinator.stop()
            self.coordinator = None

    async def become(self, item_id: str, state: str, seconds: float = 10) -> OutboxRow:
        """Wait until an item is in a state, letting the lent time go on."""
        await self.settle_until(lambda: self.item(item_id).state == state, seconds)
        return self.item(item_id)

    async def settle_until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Until ``condition`` holds, a second of the lent time after every few real ones of the peer's."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while not condition():
            assert loop.time() < ends, f"not so in {seconds} s: {self.states()}"
            if self.coordinator is not None:
                self.coordinator.queues_moved(frozenset({"outbox"}))
            with suppress(AssertionError):
                await until(condition, 0.03)
            await self.clock.advance(1)

    async def close(self) -> None:
        await self.stop()
        await self.tasks.close()
        self.ports.scribe.close()
        for client in self.kits.clients:
            assert client.is_closed
        self.peer.close()
        assert not self.failures


def make_desk(
    store: Store, folder: Path, *, max_in_flight: int = 4, papers: int = 3, lines: int = 2, **values: Any
) -> SupplyDesk:
    """A desk on the running loop; the caller closes it, and the store."""
    peer = SupplyPeer(peer_records(papers=papers, lines=lines))
    catalogue = peer_catalogue(max_in_flight=max_in_flight)
    failures: list[tuple[str, BaseException]] = []
    tasks = Tasks(lambda name, failure: failures.append((name, failure)))
    clock, kits, vault = LentClock(), PeerKits(), MemoryVault()
    clock.set_wall(int(utc_now().astimezone(UTC).timestamp() * 1000))
    ports = Ports(
        store,
        catalogue,
        vault,
        clock,
        TelemetrySink(store),
        tasks,
        Scribe(store),
        kits,
        Random(1),
        OutboxSeal(store, folder),
    )
    integration_id = add(Desk(store, catalogue, vault), "small_peer", "District server", {"url": peer.url, **values})
    store.write(partial(supply_rows, integration_id=integration_id, papers=papers, lines=lines)).result()
    return SupplyDesk(store, peer, catalogue, clock, kits, tasks, ports, integration_id, failures)
