"""One batch with everything that hangs on it: stops in order, papers, departures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.deliveries.batches import BatchListing, find_batch
from app.deliveries.errors import NotFound
from app.deliveries.rows import by_place, shown_in
from app.store.tables import BatchPaperRow, BatchStopRow, DispatchRunRow, DriverRow, FacilityRow, FleetVehicleRow
from app.supply.filters import Place


@dataclass(frozen=True, slots=True)
class StopListing:
    """One stop; ``facility_id`` is the id of its place's row, "" where the platform told none. Places in degrees."""

    id: str
    peer_id: str
    sequence: int
    facility: str
    facility_id: str
    name: str
    lat: float | None
    lon: float | None
    status: str
    stage: str
    planned_arrival_ms: int | None
    arrived_ms: int | None
    left_ms: int | None
    recipient: str
    proof_url: str
    delay_reason: str
    notes: str

    @property
    def is_done(self) -> bool:
        return self.stage in ("delivered", "failed", "skipped")

    @property
    def label(self) -> str:
        return self.name or self.facility or f"stop {self.sequence}"


@dataclass(frozen=True, slots=True)
class PaperListing:
    """A paper that the platform says travels in the batch."""

    id: str
    peer_id: str
    kind: str
    number: str
    facility: str
    facility_name: str
    status: str


@dataclass(frozen=True, slots=True)
class RunListing:
    """One departure. ``stage`` is shown as it will be once ``pending`` was accepted."""

    id: str
    peer_id: str
    status: str
    stage: str
    driver_name: str
    plate: str
    planned_departure_ms: int | None
    dispatched_ms: int | None
    departed_ms: int | None
    completed_ms: int | None
    cancelled_ms: int | None
    stops_total: int
    stops_completed: int
    notes: str
    cancel_reason: str
    pending: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchDetails:
    """A batch as its page shows it."""

    batch: BatchListing
    stops: Sequence[StopListing]
    papers: Sequence[PaperListing]
    runs: Sequence[RunListing]


def need_batch(connection: Connection, batch_id: str) -> BatchListing:
    """Raises NotFound."""
    found = find_batch(connection, batch_id)
    if found is None:
        raise NotFound(f"There is no batch with the id {batch_id}. Read the list again.")
    return found


def batch_details(connection: Connection, batch_id: str) -> BatchDetails:
    """Raises NotFound."""
    batch = need_batch(connection, batch_id)
    return BatchDetails(
        batch,
        stops_of(connection, [batch.place]).get(batch.place, ()),
        papers_of(connection, batch.place),
        runs_of(connection, batch.place),
    )


def stops_of(connection: Connection, batches: Sequence[Place]) -> dict[Place, list[StopListing]]:
    """The stops of each batch, in the order in which they are driven."""
    stop = BatchStopRow
    rows: list[Any] = []
    by_integration: dict[str, list[str]] = {}
    for place in batches:
        by_integration.setdefault(place.integration_id, []).append(place.peer_id)
    for integration_id, ids in by_integration.items():
        for start in range(0, len(ids), 500):
            query = select(stop.__table__).where(
                stop.integration_id == integration_id, stop.batch.in_(ids[start : start + 500]), stop.gone_at.is_(None)
            )
            rows += connection.execute(query.order_by(stop.batch, stop.sequence, stop.key))
    columns = (FacilityRow.id, FacilityRow.name, FacilityRow.lat, FacilityRow.lon)
    places = by_place(connection, FacilityRow, (Place(row.integration_id, row.facility) for row in rows), columns)
    found: dict[Place, list[StopListing]] = {}
    for row in rows:
        facility = places.get(Place(row.integration_id, row.facility))
        found.setdefault(Place(row.integration_id, row.batch), []).append(_stop(row, facility))
    return found


def _stop(row: Any, facility: Any | None) -> StopListing:
    return StopListing(
        id=row.id,
        peer_id=row.peer_id,
        sequence=row.sequence,
        facility=row.facility,
        facility_id="" if facility is None else facility.id,
        name="" if facility is None else facility.name,
        lat=None if facility is None else facility.lat,
        lon=None if facility is None else facility.lon,
        status=row.status,
        stage=row.stage,
        planned_arrival_ms=row.planned_arrival_ms,
        arrived_ms=row.arrived_ms,
        left_ms=row.left_ms,
        recipient=row.recipient,
        proof_url=row.proof_url,
        delay_reason=row.delay_reason,
        notes=row.notes,
    )


def papers_of(connection: Connection, batch: Place) -> list[PaperListing]:
    """By kind and number."""
    paper = BatchPaperRow
    rows = list(
        connection.execute(
            select(paper.__table__)
            .where(paper.integration_id == batch.integration_id, paper.batch == batch.peer_id, paper.gone_at.is_(None))
            .order_by(paper.kind, paper.number, paper.key)
        )
    )
    places = [Place(row.integration_id, row.facility) for row in rows]
    names = by_place(connection, FacilityRow, places, (FacilityRow.name,))
    return [
        PaperListing(
            row.id, row.peer_id, row.kind, row.number, row.facility,
            names[place].name if place in names else "", row.status,
        )
        for row, place in zip(rows, places, strict=True)
    ]  # fmt: skip


def runs_of(connection: Connection, batch: Place) -> list[RunListing]:
    """The newest on top."""
    run = DispatchRunRow
    rows = list(
        connection.execute(
            select(run.__table__)
            .where(run.integration_id == batch.integration_id, run.batch == batch.peer_id, run.gone_at.is_(None))
            .order_by(run.key.desc())
        )
    )
    drivers = by_place(
        connection, DriverRow, (Place(row.integration_id, row.driver) for row in rows), (DriverRow.name,)
    )
    vehicles = by_place(
        connection, FleetVehicleRow, (Place(row.integration_id, row.vehicle) for row in rows), (FleetVehicleRow.plate,)
    )

    def name(found: Mapping[Place, Any], row: Any, peer_id: str) -> str:
        one = found.get(Place(row.integration_id, peer_id))
        return "" if one is None else str(one[1])

    return [
        RunListing(
            row.id, row.peer_id, row.status, str(shown_in(row, "stage")), name(drivers, row, row.driver),
            name(vehicles, row, row.vehicle), row.planned_departure_ms, row.dispatched_ms, row.departed_ms,
            row.completed_ms, row.cancelled_ms, row.stops_total, row.stops_completed, row.notes, row.cancel_reason,
            row.pending or {},
        )
        for row in rows
    ]  # fmt: skip
