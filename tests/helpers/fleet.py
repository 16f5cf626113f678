"""Makers of telemetry for tests: believable frames and records, and a sink that writes through a real store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select

from adapters.records import Batch, Position, RawFrame, Record
from app.clock import from_ms
from app.fleet.telemetry import Ingested, TelemetrySink
from app.store.store import Store
from app.store.tables import Integration

T0_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
IMEI = "358899058314017"
OTHER_IMEI = "353419031234561"


def add_integration(store: Store, integration_id: str = "gt02-1", kind: str = "gt02_tracker") -> str:
    """A configured, enabled integration; returns its id."""
    row = {
        "id": integration_id,
        "type": kind,
        "name": integration_id,
        "status": "active",
        "config": {},
        "created_at": from_ms(T0_MS),
        "updated_at": from_ms(T0_MS),
        "enabled": True,
    }
    store.write(lambda connection: connection.execute(insert(Integration).values(**row))).result()
    return integration_id


def a_frame(device: str | None = IMEI, at_ms: int = T0_MS, data: bytes = b"", **other: Any) -> RawFrame:
    frame = RawFrame("gt02", data or f"{device}@{at_ms}".encode(), at_ms, "127.0.0.1:40000", device)
    return replace(frame, **other)


def a_position(device: str = IMEI, fixed_at_ms: int | None = T0_MS, **other: Any) -> Position:
    """A fix near Abuja, received a second after it was made, with the frame behind it."""
    received_at_ms = other.pop("received_at_ms", (T0_MS if fixed_at_ms is None else fixed_at_ms) + 1_000)
    position = Position(device, fixed_at_ms, received_at_ms, 9.0765, 7.3986, 40.0, 90.0, True, "gt02")
    data = f"{device} {fixed_at_ms} {other}".encode()
    return replace(position, **{"raw": a_frame(device, received_at_ms, data), **other})


def a_drive(device: str = IMEI, count: int = 10, *, start_ms: int = T0_MS, step_ms: int = 10_000) -> list[Position]:
    """``count`` fixes of a truck going east at about 40 km/h."""
    return [
        a_position(device, start_ms + number * step_ms, lon=7.3986 + number * step_ms * 1e-7, serial=number)
        for number in range(count)
    ]


@dataclass
class Feed:
    """One integration's way into a store."""

    store: Store
    integration_id: str
    sink: TelemetrySink

    def __call__(self, *records: Record, now_ms: int | None = None, cursors: dict[str, str] | None = None) -> Ingested:
        """Store the records in one job and wait for the commit."""
        batches = [Batch(tuple(records), cursors or {})]
        return self.batches(batches, now_ms)

    def batches(self, batches: Sequence[Batch], now_ms: int | None = None) -> Ingested:
        return self.store.write(lambda c: self.ingest(c, batches, now_ms), on_rollback=self.sink.forget).result()

    def ingest(self, connection: Connection, batches: Sequence[Batch], now_ms: int | None) -> Ingested:
        if now_ms is None:
            arrivals = [getattr(record, "received_at_ms", T0_MS) for batch in batches for record in batch.records]
            now_ms = max(arrivals, default=T0_MS)
        return self.sink.ingest(connection, self.integration_id, batches, now_ms)


def make_feed(store: Store, integration_id: str = "gt02-1", sink: TelemetrySink | None = None) -> Feed:
    return Feed(store, add_integration(store, integration_id), sink or TelemetrySink(store))


def rows_of(store: Store, mapped: Any, *conditions: Any) -> list[Any]:
    """All rows of a table as named tuples, by primary key."""
    table = mapped.__table__
    with store.read() as connection:
        return list(connection.execute(select(table).where(*conditions).order_by(*table.primary_key.columns)))


def count_of(store: Store, mapped: Any) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(mapped)).scalar_one()
