"""Vehicles, places, batches with their stops, papers in them and dispatch runs (biko.md 4.3 to 4.5 and 4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.dispatch import (
    BatchPaper,
    BatchStage,
    BatchStop,
    DeliveryBatch,
    DispatchRun,
    FleetVehicle,
    RunStage,
    StopStage,
)
from adapters.mod4.people import in_workspace, stage_of
from adapters.mod4.readings import Among, AnyOf, Empty, Equals, OfWorkspace, Reading, Row, Tables
from adapters.mod4.site import Site
from adapters.mod4.tables import amount, day, place, word
from adapters.supply import Facility

BATCH_STAGES: Mapping[str, BatchStage] = {
    "planned": "planned",
    "assigned": "assigned",
    "in-progress": "in_progress",
    "completed": "completed",
    "cancelled": "cancelled",
}
STOP_STAGES: Mapping[str, StopStage] = {
    "pending": "pending",
    "in-transit": "in_transit",
    "arrived": "arrived",
    "completed": "delivered",
    "skipped": "skipped",
    "failed": "failed",
}
ENDED = ("completed", "cancelled")


def vehicles(tables: Tables, site: Site) -> list[FleetVehicle]:
    return [
        FleetVehicle(
            peer_id=row["id"],
            plate=word(row, "plate_number", 60) or word(row, "license_plate", 60),
            model=f"{word(row, 'make', 100)} {word(row, 'model', 100)}".strip(),
            kind=word(row, "type", 60),
            status=word(row, "status", 40),
            fuel_type=word(row, "fuel_type", 40),
            capacity=amount(row["capacity"]),
            driver=word(row, "current_driver_id", 200),
            telematics_provider=word(row, "telematics_provider", 60),
            telematics_id=word(row, "telematics_id", 100),
        )
        for row in tables.rows(Reading("vehicles", (in_workspace(site),), is_whole=True))
    ]


def places(tables: Tables, site: Site, name: str) -> list[Facility]:
    """Rows of ``facilities`` or ``warehouses``; where the platform keeps no workspace with them, all of them."""
    is_kept = tables.inventory.has(name, "workspace_id")
    where = (AnyOf((in_workspace(site), Empty("workspace_id"))),) if is_kept else ()
    return [_place(row, is_store=name == "warehouses") for row in tables.rows(Reading(name, where, is_whole=True))]


def _place(row: Row, *, is_store: bool) -> Facility:
    lat, lon = place(row["lat"], row["lng"])
    told = {name: word(row, name) for name in ("address", "phone", "contact_person") if row[name]}
    return Facility(
        peer_id=row["id"],
        code=word(row, "code", 100) or word(row, "warehouse_code", 100),
        name=word(row, "name"),
        kind="store" if is_store else "facility",
        is_ours=is_store,
        lat=lat,
        lon=lon,
        attributes=told or None,
    )


# -- batches


def batches(tables: Tables, site: Site, reading: Reading) -> list[DeliveryBatch]:
    """The batches that a reading of ``delivery_batches`` finds, each with its stops in order."""
    return batches_and_routes(tables, site, reading)[0]


def batches_and_routes(
    tables: Tables, site: Site, reading: Reading
) -> tuple[list[DeliveryBatch], dict[str, list[Row]]]:
    """As :func:`batches`, with the platform's own record of their stops by batch."""
    rows = tables.rows(reading)
    told = _routes(tables, site, [row["id"] for row in rows])
    return [_batch(row, told.get(row["id"], ())) for row in rows], told


def batch(tables: Tables, site: Site, batch_id: str) -> DeliveryBatch | None:
    found = batches(tables, site, Reading("delivery_batches", (in_workspace(site), Equals("id", batch_id))))
    return found[0] if found else None


def _batch(row: Row, route: Sequence[Row]) -> DeliveryBatch:
    index = amount(row["current_stop_index"])
    more = [one for one in row["vehicle_ids"] or () if one and one != row["vehicle_id"]]
    told: dict[str, str | float | None] = {
        "weight_kg": amount(row["total_weight"]),
        "volume_m3": amount(row["total_volume"]),
        "further_vehicles": ", ".join(more)[:1000] or None,
    }
    attributes = {name: value for name, value in told.items() if value is not None}
    return DeliveryBatch(
        peer_id=row["id"],
        name=word(row, "name"),
        status=word(row, "status", 40),
        stage=BATCH_STAGES.get(word(row, "status"), "unknown"),
        priority=word(row, "priority", 40),
        warehouse=word(row, "warehouse_id", 200),
        driver=word(row, "driver_id", 200),
        vehicle=word(row, "vehicle_id", 200),
        scheduled_on=day(row, "scheduled_date"),
        scheduled_at=word(row, "scheduled_time", 5),
        started_ms=row["actual_start_time"],
        ended_ms=row["actual_end_time"],
        driver_status=word(row, "driver_status", 40),
        stop_index=None if index is None else int(index),
        is_locked=bool(row["is_snapshot_locked"]),
        total_units=amount(row["total_quantity"]),
        distance_km=amount(row["total_distance"]),
        duration_min=amount(row["estimated_duration"]),
        medication=word(row, "medication_type"),
        notes=word(row, "notes", 2000),
        created_ms=row["created_at"],
        changed_ms=row["updated_at"],
        lines=_stops([one for one in row["facility_ids"] or () if one], route),
        attributes=attributes or None,
    )


def _routes(tables: Tables, site: Site, batch_ids: Sequence[str]) -> dict[str, list[Row]]:
    """The platform's own record of the stops of some batches, by batch, in order; empty where it is not read."""
    if not batch_ids or not site.feature("route_history").is_on:
        return {}
    found: dict[str, list[Row]] = {}
    for row in tables.rows(Reading("route_history", (Among("batch_id", tuple(batch_ids)),))):
        found.setdefault(row["batch_id"], []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: (row["sequence_number"] or 0, row["id"]))
    return found


def _stops(facilities: Sequence[str], route: Sequence[Row]) -> list[BatchStop]:
    """The stops by ``facility_ids``; what the record of the route tells is joined by facility, in order.

    A facility that is visited twice has two stops; a row of the route without a place in the list comes behind.
    """
    left = list(route)
    stops: list[BatchStop] = []
    seen: dict[str, int] = {}
    for facility in facilities:
        told = next((row for row in left if row["facility_id"] == facility), None)
        if told is not None:
            left.remove(told)
        seen[facility] = seen.get(facility, 0) + 1
        number = seen[facility]
        stops.append(_stop(facility if number == 1 else f"{facility}#{number}", len(stops) + 1, facility, told))
    for row in left:
        facility = word(row, "facility_id", 200)
        stops.append(_stop(f"route:{row['id']}", len(stops) + 1, facility, row))
    return stops


def _stop(peer_id: str, sequence: int, facility: str, told: Row | None) -> BatchStop:
    if told is None:
        return BatchStop(peer_id, sequence, facility)
    status = word(told, "status", 40)
    return BatchStop(
        peer_id=peer_id,
        sequence=sequence,
        facility=facility,
        status=status,
        stage=STOP_STAGES.get(status, "unknown") if status else "pending",
        planned_arrival_ms=told["planned_arrival"],
        arrived_ms=told["actual_arrival"] if told["actual_arrival"] is not None else told["check_in_time"],
        left_ms=told["check_out_time"],
        recipient=word(told, "recipient_name"),
        proof_url=word(told, "proof_of_delivery_url", 2000),
        delay_reason=word(told, "delay_reason"),
        notes=word(told, "notes", 2000),
    )


# -- papers and runs


def papers(tables: Tables, site: Site) -> list[BatchPaper]:
    """Requisitions and invoices that the platform says travel in a batch of this workspace."""
    known, mine = tables.inventory, (OfWorkspace("batch_id", "delivery_batches", site.workspace.id),)
    found: list[BatchPaper] = []
    if known.has("requisitions", "batch_id") and known.has("requisitions", "id") and known.is_open("requisitions"):
        found += [_requisition(row) for row in tables.rows(Reading("requisitions", mine, is_whole=True))]
    if known.has("batch_invoice_links", "batch_id") and known.is_open("batch_invoice_links"):
        found += [_invoice(row) for row in tables.rows(Reading("batch_invoice_links", mine, is_whole=True))]
    return found


def _requisition(row: Row) -> BatchPaper:
    return BatchPaper(
        peer_id=f"requisition:{row['id']}",
        batch=row["batch_id"],
        kind="requisition",
        number=word(row, "requisition_number", 60) or row["id"],
        facility=word(row, "facility_id", 200),
        status=word(row, "status", 40),
    )


def _invoice(row: Row) -> BatchPaper:
    number = word(row, "invoice_number", 60) or word(row, "invoice_id", 60)
    return BatchPaper(
        peer_id=f"invoice:{row['id'] or number}",
        batch=row["batch_id"],
        kind="invoice",
        number=number,
        facility=word(row, "facility_id", 200),
    )


def runs(tables: Tables, site: Site, *, only: str = "", batch_id: str = "") -> list[DispatchRun]:
    chosen = [Equals(name, value) for name, value in (("id", only), ("batch_id", batch_id)) if value]
    wanted = Reading("dispatch_runs", (in_workspace(site), *chosen), is_whole=not chosen)
    return [_run(row) for row in tables.rows(wanted)]


def _run(row: Row) -> DispatchRun:
    status = word(row, "status", 40)
    return DispatchRun(
        peer_id=row["id"],
        batch=row["batch_id"],
        status=status,
        stage=stage_of(status, RunStage),
        driver=word(row, "driver_id", 200),
        vehicle=word(row, "vehicle_id", 200),
        planned_departure_ms=row["planned_departure"],
        dispatched_ms=row["dispatched_at"],
        departed_ms=row["departed_at"],
        completed_ms=row["completed_at"],
        cancelled_ms=row["cancelled_at"],
        stops_total=int(row["stops_total"] or 0),
        stops_completed=int(row["stops_completed"] or 0),
        notes=word(row, "notes", 2000),
        cancel_reason=word(row, "cancel_reason"),
    )
