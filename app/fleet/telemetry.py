"""From batches of records to rows: what arrives from trackers and their servers is stored here, once.

One :class:`TelemetrySink` per engine; its methods run inside jobs of the store's writer thread. The engine is the
only writer of telemetry in a store (its lock sees to that), so ids of positions and raw frames are given out in
memory. Whatever the sink keeps in memory is dropped when a job's work was not committed, and read again from the
store; the same batch can then be handed in again and is stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from adapters.records import (
    Batch,
    DeviceEvent,
    DeviceInfo,
    DeviceStatus,
    FuelReading,
    Geofence,
    Position,
    RawFrame,
    Rejected,
)
from app.clock import from_ms
from app.fleet.bulk import BulkInsert
from app.fleet.fences import changed_fences, write_fences
from app.fleet.intake import Intake
from app.fleet.plausibility import NOT_A_REFERENCE
from app.fleet.registry import Registry
from app.fleet.rows import (
    EVENT_COLUMNS,
    EVENT_KEY,
    POSITION_COLUMNS,
    POSITION_KEY,
    RAW_COLUMNS,
    PositionTuple,
)
from app.fleet.states import UPTO, StateBook
from app.fleet.strays import StrayFrames
from app.fleet.text import storable
from app.fuel.intake import FUEL_KINDS, take_fuel
from app.fuel.telematics import readings_of_statuses
from app.store.changes import raise_topic
from app.store.facts import get_fact
from app.store.store import Store
from app.store.tables import Cursor, DeviceEventRow, PositionRow, RawFrameRow, RejectedRecord
from app.store.upsert import insert_or

_OF_DEVICES = (Position, DeviceStatus, DeviceEvent)
_REJECTED_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the batches of one call, by kind of record.

    ``positions`` and ``events`` count new rows, ``supply`` new and changed ones, ``duplicates`` records that were
    stored before. ``unattributed``
    records belong to devices for which the inbox had no room, ``unkept`` frames to no device that we know, beyond the
    number of them that is kept in an hour. ``newest_data_ms`` is the newest time for which the
    data speaks, never later than its arrival, None when the batches held no data; ``delay_ms_sum`` adds up arrival
    minus fix over the ``timed`` new positions whose time can be believed.
    """

    raw_frames: int = 0
    positions: int = 0
    statuses: int = 0
    events: int = 0
    infos: int = 0
    geofences: int = 0
    rejected: int = 0
    fuel: int = 0
    supply: int = 0
    pushed: int = 0
    duplicates: int = 0
    blocked: int = 0
    unattributed: int = 0
    unkept: int = 0
    newest_data_ms: int | None = None
    delay_ms_sum: int = 0
    timed: int = 0

    @property
    def records(self) -> int:
        """New records of every kind, and those that changed."""
        telemetry = self.positions + self.statuses + self.events + self.infos + self.geofences + self.fuel
        return telemetry + self.supply + self.pushed


class TelemetrySink:
    """Stores batches. Use it from jobs of ``store.write`` only, with :meth:`forget` as their ``on_rollback``."""

    def __init__(self, store: Store) -> None:
        dialect = store.engine.dialect
        self._insert_raw = BulkInsert(dialect, _table(RawFrameRow), RAW_COLUMNS)
        self._insert_positions = BulkInsert(dialect, _table(PositionRow), POSITION_COLUMNS, POSITION_KEY)
        self._insert_events = BulkInsert(dialect, _table(DeviceEventRow), EVENT_COLUMNS, EVENT_KEY)
        self._dialect = dialect
        self._strays = StrayFrames()
        self.forget()

    def forget(self) -> None:
        """Drop everything kept in memory: the work of a job was not committed."""
        self._registry = Registry()
        self._states = StateBook(self._dialect)
        self._rejected_before: dict[tuple[str, str, str], None] = {}
        self._next_ids: tuple[int, int] | None = None

    def ingest(self, connection: Connection, integration_id: str, batches: Sequence[Batch], now_ms: int) -> Ingested:
        """Store ``batches`` and their cursors. Raises LookupError for an integration that the store does not know."""
        try:
            return self._ingest(connection, integration_id, batches, now_ms)
        except BaseException:
            self.forget()
            raise

    def flush(self, connection: Connection, now_ms: int) -> int:
        """Write the device states that still wait; for idle moments and the end. Returns how many were written."""
        try:
            next_ids = self._ready(connection)
            if not self._states.is_dirty:
                return 0
            version = raise_topic(connection, "device_states")
            return self._states.flush(connection, now_ms, version, next_ids, everything=True)
        except BaseException:
            self.forget()
            raise

    @property
    def has_unwritten_states(self) -> bool:
        """Whether :meth:`flush` has something to do."""
        return self._next_ids is None or self._states.is_dirty

    def _ingest(self, connection: Connection, integration_id: str, batches: Sequence[Batch], now_ms: int) -> Ingested:
        records = list(chain.from_iterable([batch.records for batch in batches]))
        kinds = set(map(type, records))
        if DeviceStatus in kinds and (mapped := readings_of_statuses(connection, integration_id, records)):
            records, kinds = [*records, *mapped], kinds | {FuelReading}
        infos = (
            {record.device: record for record in records if type(record) is DeviceInfo} if DeviceInfo in kinds else {}
        )
        seen = dict.fromkeys([record.device for record in records if isinstance(record, _OF_DEVICES)])
        next_ids = self._ready(connection)
        registry, states = self._registry, self._states
        integration_key = registry.integration_key(connection, integration_id)
        devices = registry.devices_of(connection, integration_id)
        plan = registry.plan(integration_id, infos, seen, now_ms)
        fences = [record for record in records if type(record) is Geofence] if Geofence in kinds else []
        changed = changed_fences(connection, integration_id, fences)
        lone = {record.device for record in records if type(record) is RawFrame} if RawFrame in kinds else set()
        touched = [devices[unique_id].key for unique_id in lone.union(seen, infos) if unique_id in devices]
        states.load(connection, touched)

        versions = _raise_topics(
            connection,
            device_states=bool(plan.create) or states.is_due(touched, now_ms),
            devices=bool(plan),
            events=DeviceEvent in kinds,
            geofences=bool(changed),
            fuel_readings=bool(kinds & FUEL_KINDS),
            fuel_sensors=bool(kinds & FUEL_KINDS),
            positions=Position in kinds,
        )
        if plan:
            registry.apply(connection, integration_id, plan, versions["devices"])
            states.load(connection, [devices[unique_id].key for unique_id in plan.create])

        intake = Intake(connection, integration_key, devices, registry, states, self._strays, next_ids, now_ms)
        intake.take(records)
        fuel = None
        if kinds & FUEL_KINDS:
            fuel = take_fuel(connection, integration_id, records, versions["fuel_sensors"], intake.keep_frame, now_ms)
            intake.newest_data_ms = max(intake.newest_data_ms, min(fuel.newest_ms, now_ms))
        done = self._write(connection, integration_id, intake, now_ms)
        write_fences(connection, changed, versions.get("geofences", 0))
        self._save_cursors(connection, integration_id, batches, now_ms)
        self._next_ids = (intake.next_position, intake.next_raw)
        if "device_states" in versions:
            states.flush(connection, now_ms, versions["device_states"], self._next_ids)
        if fuel is not None:
            done = {**done, "fuel": fuel.readings, "duplicates": done["duplicates"] + fuel.duplicates}
        return Ingested(**{**done, "geofences": len(fences)})

    def _ready(self, connection: Connection) -> tuple[int, int]:
        """The next ids of positions and raw frames; the first call after a start also recovers the states."""
        if self._next_ids is None:
            upto = get_fact(connection, UPTO) or {}
            newest = [
                connection.execute(select(func.coalesce(func.max(table.id), 0))).scalar_one()
                for table in (PositionRow, RawFrameRow)
            ]
            # Retention may have deleted the newest rows: their ids are not given out again.
            self._next_ids = (
                max(newest[0], upto.get("position_id", 0)) + 1,
                max(newest[1], upto.get("frame_id", 0)) + 1,
            )
            self._states.recover(connection)
        return self._next_ids

    def _write(self, connection: Connection, integration_id: str, intake: Intake, now_ms: int) -> Mapping[str, Any]:
        self._insert_raw(connection, intake.raw_rows)
        stored = self._write_positions(connection, intake.position_rows)
        events = self._insert_events(connection, intake.event_rows)
        timed = [row for row in stored if not row[11] & NOT_A_REFERENCE]
        return {
            "raw_frames": len(intake.raw_rows),
            "positions": len(stored),
            "statuses": intake.statuses,
            "events": events,
            "infos": intake.infos,
            "rejected": self._write_rejected(connection, integration_id, intake.rejected, now_ms),
            "duplicates": len(intake.position_rows) - len(stored) + len(intake.event_rows) - events,
            "blocked": intake.blocked,
            "unattributed": intake.unattributed,
            "unkept": intake.unkept,
            "newest_data_ms": intake.newest_data_ms or None,
            "delay_ms_sum": sum(row[3] - row[2] for row in timed),
            "timed": len(timed),
        }

    def _write_positions(self, connection: Connection, rows: list[PositionTuple]) -> list[PositionTuple]:
        """Insert positions and move the devices' live states; returns the rows that were new."""
        new = self._insert_positions(connection, rows)
        if new < len(rows):
            ids = connection.execute(select(PositionRow.id).where(PositionRow.id >= rows[0][0])).scalars()
            stored_ids = set(ids)
            rows = [row for row in rows if row[0] in stored_ids]
        self._states.moved(rows)
        return rows

    def _write_rejected(
        self, connection: Connection, integration_id: str, rejected: Iterable[Rejected], now_ms: int
    ) -> int:
        """Set records aside. A peer that offers the same bad record at every poll gets one row, not thousands."""
        rows: list[dict[str, Any]] = []
        for record in rejected:
            key, why = storable(record.key, 300), storable(record.why)
            if (integration_id, key, why) in self._rejected_before:
                continue
            if len(self._rejected_before) >= _REJECTED_REMEMBERED:
                self._rejected_before.clear()
            self._rejected_before[integration_id, key, why] = None
            sample = storable(record.sample)
            rows.append(
                {
                    "integration_id": integration_id,
                    "record_key": key,
                    "why": why,
                    "sample": sample,
                    "at": from_ms(now_ms),
                }
            )
        if rows:
            connection.execute(insert(RejectedRecord), rows)
        return len(rows)

    def _save_cursors(self, connection: Connection, integration_id: str, batches: Iterable[Batch], now_ms: int) -> None:
        cursors = {stream: value for batch in batches for stream, value in batch.cursors.items()}
        for stream, value in cursors.items():
            row = {"integration_id": integration_id, "stream": stream, "value": value, "saved_at": from_ms(now_ms)}
            statement = insert_or(connection, Cursor).values(**row)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["integration_id", "stream"],
                    set_={"value": statement.excluded.value, "saved_at": statement.excluded.saved_at},
                )
            )


def _raise_topics(connection: Connection, **wanted: bool) -> dict[str, int]:
    """Raise the topics wanted, always in the order of their names; returns their versions."""
    return {topic: raise_topic(connection, topic) for topic in sorted(wanted) if wanted[topic]}


def _table(mapped: Any) -> Table:
    table: Table = mapped.__table__
    return table
