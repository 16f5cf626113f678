"""What follows from deliveries in the engine: joins with shipments, verdicts on proofs, drivers of fuel events.

Each step does a bounded piece. Queues are in memory; the cursors in the store move on only when what they led to is
done, so that an engine that was killed looks again rather than never.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from app.alarms.fence_shapes import read_shapes
from app.clock import from_ms
from app.deliveries.batches import listings
from app.deliveries.joins import MOST_AT_ONCE, look, shipments_near
from app.deliveries.late import LatePositions
from app.deliveries.losses import drivers_of_batches, find_drivers, write_drivers
from app.deliveries.proof import PROOF_KINDS
from app.deliveries.rows import by_place
from app.deliveries.verdicts import compute_verdicts, store_verdicts
from app.store.changes import raise_topic, topic_versions
from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import BatchPaperRow, BatchStopRow, DeliveryBatchRow, DeliveryEventRow, ShipmentRow
from app.supply.filters import Place

FACT = "deliveries_follower"
BATCHES_AT_ONCE = 40
ROWS_AT_ONCE = 5_000
REST_MS = 3_000
"""Between two steps: positions come all the time, and a verdict need not follow each."""
PLACES = ("geofences", "facilities", "vehicles", "devices", "identities")
"""Topics whose movement may change any verdict that is not confirmed."""


class DeliveriesFollower:
    """A ``Follower`` of app/engine/followers.py."""

    name = "deliveries"
    topics = frozenset({"deliveries", "batches", "shipments", "positions", "fuel_events", *PLACES})

    def __init__(self) -> None:
        self._cursors: dict[str, int] | None = None
        self._batches: dict[Place, None] = {}
        self._shipments: dict[str, None] = {}
        self._late = LatePositions()
        self._places: dict[str, int] = {}
        self._next_ms = 0

    def step(self, store: Store, now_ms: int) -> float | None:
        """Seconds after which it wants to be called again. Blocks."""
        if 0 < self._next_ms - now_ms <= REST_MS:
            return (self._next_ms - now_ms) / 1000
        self._next_ms = now_ms + REST_MS
        with store.read() as connection:
            if self._cursors is None:
                self._cursors = self._first_cursors(connection)
            reached = self._take_up(connection, self._cursors, now_ms)
        self._join(store, now_ms)
        self._judge(store, now_ms)
        self._name_drivers(store, reached)
        if not self._batches and not self._shipments and reached != self._cursors:
            self._cursors = reached
            store.write(partial(_save, cursors=dict(reached))).result()
        return REST_MS / 1000 if self._batches or self._shipments else self._late.wait_s(now_ms)

    @staticmethod
    def _first_cursors(connection: Connection) -> dict[str, int]:
        """A store that never had this looks at everything that there is, except at old positions."""
        fact = get_fact(connection, FACT) or {}
        return {str(name): int(value) for name, value in fact.items()}

    def _take_up(self, connection: Connection, cursors: dict[str, int], now_ms: int) -> dict[str, int]:
        """Queue what moved; returns the cursors to save once the queues are empty."""
        reached = dict(cursors)
        if self._batches or self._shipments:
            return reached
        for name, table in (("events", DeliveryEventRow), ("stops", BatchStopRow)):
            places, reached[name] = _moved_batches(connection, table, cursors.get(name, 0))
            self._queue(places)
        batches, reached["batches"] = _moved(connection, DeliveryBatchRow, cursors.get("batches", 0))
        papers, reached["papers"] = _moved_batches(connection, BatchPaperRow, cursors.get("papers", 0))
        self._queue(Place(row.integration_id, row.peer_id) for row in batches)
        moved = [*(Place(row.integration_id, row.peer_id) for row in batches), *papers]
        if moved:
            self._shipments.update(dict.fromkeys(shipments_near(connection, list(dict.fromkeys(moved)))))
        shipments, reached["shipments"] = _moved(connection, ShipmentRow, cursors.get("shipments", 0))
        self._shipments.update(dict.fromkeys(row.id for row in shipments))
        self._queue(self._late.take_up(connection, now_ms))
        if self._have_places_moved(connection):
            self._queue(self._late.open_batches(connection, now_ms))
        return reached

    def _queue(self, places: Iterable[Place]) -> None:
        self._batches.update(dict.fromkeys(places))

    def _have_places_moved(self, connection: Connection) -> bool:
        """Not at the first look: what moved before was looked at then."""
        versions = topic_versions(connection)
        now = {topic: versions.get(topic, 0) for topic in PLACES}
        before, self._places = self._places, now
        return bool(before) and before != now

    def _join(self, store: Store, now_ms: int) -> None:
        some = list(self._shipments)[:MOST_AT_ONCE]
        if some:
            store.write(partial(look, shipment_ids=some, now=from_ms(now_ms)), rows=len(some)).result()
            for one in some:
                del self._shipments[one]

    def _judge(self, store: Store, now_ms: int) -> None:
        some = list(self._batches)[:BATCHES_AT_ONCE]
        if not some:
            return
        with store.read() as connection:
            found = compute_verdicts(connection, some, read_shapes(connection), now_ms)
        job = partial(store_verdicts, found=found, now=from_ms(now_ms))
        if store.write(job, rows=max(len(found), 1)).result():
            self._late.forget()
        with store.read() as connection:
            rows = by_place(connection, DeliveryBatchRow, some, list(DeliveryBatchRow.__table__.columns))
            names = drivers_of_batches(connection, listings(connection, list(rows.values())), now_ms)
        if names:
            store.write(partial(write_drivers, found=names)).result()
        for one in some:
            self._batches.pop(one, None)

    @staticmethod
    def _name_drivers(store: Store, reached: dict[str, int]) -> None:
        with store.read() as connection:
            names, reached["fuel_events"] = find_drivers(connection, reached.get("fuel_events", 0))
        if names:
            store.write(partial(write_drivers, found=names)).result()


def _save(connection: Connection, cursors: dict[str, int]) -> None:
    raise_topic(connection, "facts")
    set_fact(connection, FACT, cursors)


def _moved(connection: Connection, table: Any, after: int) -> tuple[list[Any], int]:
    """(id, integration, peer id) of rows changed after a version, and the version up to which these are all."""
    columns = (table.id, table.integration_id, table.peer_id, table.changed_version)
    return _whole_versions(connection, select(*columns), table, after)


def _moved_batches(connection: Connection, table: Any, after: int) -> tuple[list[Place], int]:
    """The batches of which stops, papers or events changed after a version."""
    columns = (table.integration_id, table.batch, table.changed_version)
    query = select(*columns).where(table.batch != "")
    if table is DeliveryEventRow:
        query = query.where(table.kind.in_(PROOF_KINDS))
    rows, reached = _whole_versions(connection, query, table, after)
    return list(dict.fromkeys(Place(row.integration_id, row.batch) for row in rows)), reached


def _whole_versions(connection: Connection, query: Any, table: Any, after: int) -> tuple[list[Any], int]:
    """Up to so many rows, and never a part of what one transaction wrote."""
    version = table.changed_version
    newest = connection.execute(select(func.max(version))).scalar_one() or 0
    if newest <= after:
        return [], after
    rows = list(connection.execute(query.where(version > after).order_by(version).limit(ROWS_AT_ONCE)))
    if len(rows) < ROWS_AT_ONCE:
        return rows, newest
    last = rows[-1].changed_version
    if rows[0].changed_version == last:
        return list(connection.execute(query.where(version == last))), last
    return [row for row in rows if row.changed_version < last], last - 1
