"""Fuel events in the context of deliveries: whose drive it was, which batch, before which stop.

A fuel event knows its vehicle. Where a batch of that vehicle was under way, its driver is written into the event, so
that every list of fuel events shows it; what somebody wrote there stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from app.deliveries.batch import StopListing
from app.deliveries.batches import BatchListing, listings
from app.deliveries.rows import of_integrations
from app.deliveries.times import DAY_MS, HOUR_MS
from app.deliveries.vehicles import list_fleet
from app.fuel.events import StoredEvent, list_events
from app.store.changes import raise_topic
from app.store.tables import DeliveryBatchRow, FuelEventRow

LONGEST_BATCH_MS = 7 * DAY_MS
"""A batch that nobody ended is taken for under way no longer than this."""
BEFORE_MS = HOUR_MS
"""Filling up before the start belongs to the batch."""
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FuelInBatch:
    """A fuel event on the way of a batch. ``is_loss``: a drain that counts. ``before_stop`` is the stop's sequence and
    name that was next, "" after the last one."""

    event: StoredEvent
    is_loss: bool
    before_stop: str


def batch_span(batch: BatchListing, now_ms: int) -> tuple[int, int] | None:
    """From when to when (ms) a batch was under way, None for one that was not started."""
    if batch.started_ms is None:
        return None
    end_ms = batch.ended_ms if batch.ended_ms is not None else min(now_ms, batch.started_ms + LONGEST_BATCH_MS)
    return batch.started_ms, max(end_ms, batch.started_ms)


def fuel_of_batch(
    connection: Connection, batch: BatchListing, stops: Sequence[StopListing], now_ms: int
) -> list[FuelInBatch]:
    """The fuel events of a batch's vehicle while it was under way, oldest first."""
    span = batch_span(batch, now_ms)
    if span is None or not batch.vehicle_id:
        return []
    events = list_events(
        connection, vehicle_id=batch.vehicle_id, since_ms=span[0] - BEFORE_MS, until_ms=span[1] + 1, limit=500
    )
    return [
        FuelInBatch(event, event.kind == "drain" and event.counts, _next_stop(stops, event.start_ms))
        for event in sorted(events, key=lambda one: (one.start_ms, one.id))
    ]


def _next_stop(stops: Sequence[StopListing], at_ms: int) -> str:
    for stop in stops:
        done_ms = stop.left_ms or stop.arrived_ms
        if done_ms is None or done_ms > at_ms:
            return f"{stop.sequence} {stop.label}"
    return ""


def find_drivers(connection: Connection, after_version: int) -> tuple[dict[str, str], int]:
    """Who drove at fuel events changed after a version of their topic: (names by event, version reached)."""
    event = FuelEventRow
    query = (
        select(event.id, event.vehicle_id, event.start_ms, event.driver, event.changed_version)
        .where(event.changed_version > after_version, event.withdrawn_at.is_(None))
        .order_by(event.changed_version)
        .limit(MOST_AT_ONCE)
    )
    rows = list(connection.execute(query))
    reached = rows[-1].changed_version if rows else after_version
    if len(rows) == MOST_AT_ONCE and rows[0].changed_version != reached:  # the last version may not be complete
        rows = [row for row in rows if row.changed_version < reached]
        reached = rows[-1].changed_version
    batches = _batches_of(connection, [row for row in rows if not row.driver])
    found = {}
    for row in rows:
        for one in () if row.driver else batches.get(row.vehicle_id, ()):
            span = batch_span(one, row.start_ms)
            if span is not None and span[0] <= row.start_ms <= span[1]:
                found[row.id] = one.driver_name
                break
    return found, reached


def _batches_of(connection: Connection, events: Sequence[Any]) -> dict[str, list[BatchListing]]:
    """Batches with a known driver about the time of fuel events, by our own vehicle, the latest first."""
    if not events:
        return {}
    own = {event.vehicle_id for event in events}
    places: dict[str, list[str]] = {}
    for fleet in list_fleet(connection):
        if fleet.vehicle_id in own:
            places.setdefault(fleet.integration_id, []).append(fleet.peer_id)
    batch, rows = DeliveryBatchRow, []
    times = [event.start_ms for event in events]
    for integration_id, ids in places.items():
        query = select(batch.__table__).where(
            of_integrations(batch, integration_id),
            batch.vehicle.in_(ids),
            batch.started_ms >= min(times) - LONGEST_BATCH_MS,
            batch.started_ms <= max(times),
        )
        rows += list(connection.execute(query.order_by(batch.started_ms.desc())))
    found: dict[str, list[BatchListing]] = {}
    for one in listings(connection, rows):
        if one.driver_name and one.vehicle_id:
            found.setdefault(one.vehicle_id, []).append(one)
    return found


def drivers_of_batches(connection: Connection, batches: Sequence[BatchListing], now_ms: int) -> dict[str, str]:
    """The same for batches that came or changed after the events of their time."""
    found: dict[str, str] = {}
    event = FuelEventRow
    for batch in batches:
        span = batch_span(batch, now_ms)
        if span is None or not batch.vehicle_id or not batch.driver_name:
            continue
        query = select(event.id).where(
            event.vehicle_id == batch.vehicle_id,
            event.start_ms >= span[0],
            event.start_ms <= span[1],
            event.driver == "",
            event.withdrawn_at.is_(None),
        )
        found.update(dict.fromkeys(connection.execute(query).scalars(), batch.driver_name))
    return found


def write_drivers(connection: Connection, found: Mapping[str, str]) -> int:
    """Names into events that have none; returns how many."""
    version = raise_topic(connection, "fuel_events")
    for event_id, name in found.items():
        connection.execute(
            update(FuelEventRow)
            .where(FuelEventRow.id == event_id, FuelEventRow.driver == "")
            .values(driver=name[:200], changed_version=version)
        )
    return len(found)
