"""Batches of deliveries as lists and boards show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from app.deliveries.rows import by_place, integration_names, names_by_place, of_integrations, shown_in
from app.deliveries.vehicles import OwnVehicles
from app.fleet.times import iso_ms
from app.identity.kinds import in_chunks
from app.store.tables import BatchStopRow, DeliveryBatchRow, DriverRow, FacilityRow, FleetVehicleRow, ProofVerdict
from app.supply.filters import Place
from app.supply.paging import After, Sort, count_up_to, holds_words, rows_after
from app.supply.queries import is_waiting

STAGES = ("planned", "assigned", "in_progress", "completed", "cancelled", "unknown")
SORTS = ("board", "scheduled_on", "name", "stage", "started_ms", "ended_ms", "changed_ms")
BOARD_ORDER = ("cancelled", "completed", "unknown", "planned", "assigned", "in_progress")
"""From what needs nobody any more to what is on the road."""
OPEN = ("planned", "assigned", "in_progress")
DONE = ("delivered", "failed", "skipped")
"""Stages of a stop after which nothing more happens there."""

ROW_COLUMNS = (
    "id", "integration_id", "peer_id", "name", "status", "stage", "priority", "warehouse", "driver", "driver_id",
    "plate", "vehicle_id", "scheduled_on", "scheduled_at", "started_at", "ended_at", "driver_status", "stops",
    "stops_done", "stops_failed", "is_locked", "total_units", "distance_km", "duration_min", "medication", "notes",
    "pending",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Every part that is set must hold. ``stages`` are compared with what is shown; days are inclusive ISO dates.

    ``driver`` is the id of a driver's row, ``vehicle`` that of one of the platform's vehicles. ``is_waiting``: only
    batches on which changes of ours wait. ``keeps_open``: earlier ones too that are neither completed nor cancelled.
    ``verdicts``: only batches with a proof that was judged so.
    """

    words: tuple[str, ...] = ()
    integration_id: str | None = None
    stages: tuple[str, ...] = ()
    from_day: str | None = None
    until_day: str | None = None
    driver: str = ""
    is_waiting: bool = False
    includes_gone: bool = False
    vehicle: str = ""
    keeps_open: bool = False
    verdicts: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        return self == BatchFilter()


@dataclass(frozen=True, slots=True)
class BatchListing:
    """One batch. ``stage``, ``driver`` and ``vehicle`` are shown as they will be once ``pending`` was accepted.

    ``vehicle_id`` is the console's own vehicle, "" where none is known; ``stops_done`` counts those that were
    delivered, failed or skipped, ``stops_failed`` the last two.
    """

    key: int
    id: str
    integration_id: str
    source: str
    peer_id: str
    name: str
    status: str
    stage: str
    priority: str
    warehouse: str
    warehouse_name: str
    driver: str
    driver_id: str
    driver_name: str
    vehicle: str
    plate: str
    vehicle_id: str
    scheduled_on: str | None
    scheduled_at: str
    started_ms: int | None
    ended_ms: int | None
    driver_status: str
    stop_index: int | None
    is_locked: bool
    total_units: float | None
    distance_km: float | None
    duration_min: float | None
    medication: str
    notes: str
    changed_ms: int | None
    stops: int
    stops_done: int
    stops_failed: int
    pending: Mapping[str, Any]
    is_gone: bool

    @property
    def place(self) -> Place:
        return Place(self.integration_id, self.peer_id)

    @property
    def waits(self) -> bool:
        return bool(self.pending)

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        return {
            "id": self.id, "integration_id": self.integration_id, "peer_id": self.peer_id, "name": self.name,
            "status": self.status, "stage": self.stage, "priority": self.priority, "warehouse": self.warehouse_name,
            "driver": self.driver_name, "driver_id": self.driver_id, "plate": self.plate,
            "vehicle_id": self.vehicle_id, "scheduled_on": self.scheduled_on, "scheduled_at": self.scheduled_at,
            "started_at": iso_ms(self.started_ms), "ended_at": iso_ms(self.ended_ms),
            "driver_status": self.driver_status, "stops": self.stops, "stops_done": self.stops_done,
            "stops_failed": self.stops_failed, "is_locked": self.is_locked, "total_units": self.total_units,
            "distance_km": self.distance_km, "duration_min": self.duration_min, "medication": self.medication,
            "notes": self.notes, "pending": dict(self.pending),
        }  # fmt: skip


def page_of_batches(
    connection: Connection,
    wanted: BatchFilter,
    *,
    sort: str = "scheduled_on",
    descending: bool = True,
    after: After | None = None,
    limit: int = 200,
) -> tuple[list[BatchListing], After | None]:
    """One page, and where the next begins; the newest day first unless asked otherwise."""
    batch = DeliveryBatchRow
    column = {
        "board": Sort(_board_rank(), False, descending),
        "scheduled_on": Sort(batch.scheduled_on, True, descending),
        "name": Sort(batch.name, False, descending),
        "stage": Sort(batch.stage, False, descending),
        "started_ms": Sort(batch.started_ms, True, descending),
        "ended_ms": Sort(batch.ended_ms, True, descending),
        "changed_ms": Sort(batch.changed_ms, True, descending),
    }[sort]
    rows, further = rows_after(connection, _query(wanted), batch.key, column, after, limit)
    return listings(connection, rows), further


def count_batches(connection: Connection, wanted: BatchFilter) -> int:
    """How many the filter finds, at most 100,000."""
    return count_up_to(connection, _query(wanted))


def stage_counts(connection: Connection, wanted: BatchFilter) -> dict[str, int]:
    """How many batches stand in each shown stage: the board's columns; every stage has a number."""
    stage = shown_stage()
    named = _query(wanted).with_only_columns(stage.label("shown"), maintain_column_froms=True).subquery()
    query = select(named.c.shown, func.count().label("batches")).group_by(named.c.shown)
    found = dict.fromkeys(STAGES, 0)
    for shown, batches in connection.execute(query).all():
        found[shown if shown in found else "unknown"] += int(batches)
    return found


def shown_stage() -> ColumnElement[str]:
    """A batch's stage once what waits on it has been accepted."""
    batch = DeliveryBatchRow
    return func.coalesce(batch.pending["stage"].as_string(), batch.stage)


def _board_rank() -> ColumnElement[int]:
    return case({stage: rank for rank, stage in enumerate(BOARD_ORDER)}, value=shown_stage(), else_=2)


def find_batch(connection: Connection, batch_id: str) -> BatchListing | None:
    """One batch by the id of its row, also one that is gone."""
    rows = list(connection.execute(select(DeliveryBatchRow.__table__).where(DeliveryBatchRow.id == batch_id)))
    return listings(connection, rows)[0] if rows else None


def find_batches(connection: Connection, batch_ids: Sequence[str]) -> dict[str, BatchListing]:
    """By the ids of their rows."""
    found: list[BatchListing] = []
    for some in in_chunks(dict.fromkeys(batch_ids)):
        rows = connection.execute(select(DeliveryBatchRow.__table__).where(DeliveryBatchRow.id.in_(some)))
        found += listings(connection, list(rows))
    return {one.id: one for one in found}


def _query(wanted: BatchFilter) -> Select[Any]:
    batch = DeliveryBatchRow
    query = select(batch.__table__)
    if not wanted.includes_gone:
        query = query.where(of_integrations(batch, wanted.integration_id))
    elif wanted.integration_id is not None:
        query = query.where(batch.integration_id == wanted.integration_id)
    if wanted.stages:
        query = query.where(shown_stage().in_(wanted.stages))
    if wanted.from_day is not None:
        since = batch.scheduled_on >= wanted.from_day
        query = query.where(or_(since, shown_stage().in_(OPEN)) if wanted.keeps_open else since)
    if wanted.until_day is not None:
        query = query.where(batch.scheduled_on <= wanted.until_day)
    if wanted.is_waiting:
        query = query.where(is_waiting(batch.pending))
    if wanted.driver:
        query = query.where(_is_of("driver", DriverRow, wanted.driver))
    if wanted.vehicle:
        query = query.where(_is_of("vehicle", FleetVehicleRow, wanted.vehicle))
    if wanted.verdicts:
        judged = ProofVerdict.batch_id == batch.id, ProofVerdict.verdict.in_(wanted.verdicts)
        query = query.where(select(ProofVerdict.batch_id).where(*judged).exists())
    if wanted.words:
        query = query.outerjoin(DriverRow, _same(DriverRow, batch.driver)).outerjoin(
            FleetVehicleRow, _same(FleetVehicleRow, batch.vehicle)
        )
        columns = (batch.name, batch.medication, batch.notes, DriverRow.name, FleetVehicleRow.plate)
        query = query.where(*holds_words(wanted.words, columns))
    return query


def _same(table: Any, peer_id: Any) -> ColumnElement[bool]:
    return and_(table.integration_id == DeliveryBatchRow.integration_id, table.peer_id == peer_id)


def _is_of(field: str, table: Any, row_id: str) -> ColumnElement[bool]:
    """Batches whose shown ``driver`` or ``vehicle`` is the one in this row."""
    batch = DeliveryBatchRow
    mine = select(table.integration_id, table.peer_id).where(table.id == row_id).subquery()
    shown = func.coalesce(batch.pending[field].as_string(), getattr(batch, field))
    return and_(batch.integration_id == select(mine.c.integration_id).scalar_subquery(),
                shown == select(mine.c.peer_id).scalar_subquery())  # fmt: skip


def listings(connection: Connection, rows: Sequence[Any]) -> list[BatchListing]:
    """Rows of ``delivery_batches`` with the names behind their ids, in the same order."""
    drivers = _places(rows, "driver")
    vehicles = _places(rows, "vehicle")
    driver_rows = by_place(connection, DriverRow, drivers, (DriverRow.id, DriverRow.name))
    columns = (FleetVehicleRow.plate, FleetVehicleRow.telematics_id)
    vehicle_rows = by_place(connection, FleetVehicleRow, vehicles, columns)
    own = OwnVehicles.load(connection) if vehicle_rows else OwnVehicles({}, {})
    warehouses = names_by_place(connection, FacilityRow, _places(rows, "warehouse"))
    counts = stop_counts(connection, [Place(row.integration_id, row.peer_id) for row in rows])
    sources = integration_names(connection)
    found = []
    for row in rows:
        driver = Place(row.integration_id, str(shown_in(row, "driver") or ""))
        vehicle = Place(row.integration_id, str(shown_in(row, "vehicle") or ""))
        driver_row, vehicle_row = driver_rows.get(driver), vehicle_rows.get(vehicle)
        stops, done, failed = counts.get(Place(row.integration_id, row.peer_id), (0, 0, 0))
        found.append(
            BatchListing(
                key=row.key,
                id=row.id,
                integration_id=row.integration_id,
                source=sources.get(row.integration_id, ""),
                peer_id=row.peer_id,
                name=row.name or row.peer_id,
                status=row.status,
                stage=str(shown_in(row, "stage")),
                priority=row.priority,
                warehouse=row.warehouse,
                warehouse_name=warehouses.get(Place(row.integration_id, row.warehouse), ""),
                driver=driver.peer_id,
                driver_id="" if driver_row is None else driver_row.id,
                driver_name="" if driver_row is None else driver_row.name,
                vehicle=vehicle.peer_id,
                plate="" if vehicle_row is None else vehicle_row.plate,
                vehicle_id="" if vehicle_row is None else own.match(vehicle_row.plate, vehicle_row.telematics_id)[0],
                scheduled_on=row.scheduled_on,
                scheduled_at=row.scheduled_at,
                started_ms=row.started_ms,
                ended_ms=row.ended_ms,
                driver_status=row.driver_status,
                stop_index=row.stop_index,
                is_locked=row.is_locked,
                total_units=row.total_units,
                distance_km=row.distance_km,
                duration_min=row.duration_min,
                medication=row.medication,
                notes=row.notes,
                changed_ms=row.changed_ms,
                stops=stops,
                stops_done=done,
                stops_failed=failed,
                pending=row.pending or {},
                is_gone=row.gone_at is not None,
            )
        )
    return found


def _places(rows: Sequence[Any], field: str) -> list[Place]:
    def value(row: Any) -> str:
        return str((shown_in(row, field) if field != "warehouse" else row.warehouse) or "")

    return [Place(row.integration_id, value(row)) for row in rows]


def stop_counts(connection: Connection, batches: Sequence[Place]) -> dict[Place, tuple[int, int, int]]:
    """(stops, done, failed or skipped) by batch."""
    stop = BatchStopRow
    by_integration: dict[str, list[str]] = {}
    for place in batches:
        by_integration.setdefault(place.integration_id, []).append(place.peer_id)
    found: dict[Place, tuple[int, int, int]] = {}
    for integration_id, ids in by_integration.items():
        for some in in_chunks(ids):
            query = (
                select(
                    stop.batch,
                    func.count().label("stops"),
                    func.sum(case((stop.stage.in_(DONE), 1), else_=0)).label("done"),
                    func.sum(case((or_(stop.stage == "failed", stop.stage == "skipped"), 1), else_=0)).label("failed"),
                )
                .where(stop.integration_id == integration_id, stop.batch.in_(some), stop.gone_at.is_(None))
                .group_by(stop.batch)
            )
            for row in connection.execute(query).all():
                found[Place(integration_id, row.batch)] = (row.stops, int(row.done or 0), int(row.failed or 0))
    return found
