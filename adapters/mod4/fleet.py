"""Vehicles, places, batches with their stops, papers in them and dispatch runs (biko.md 4.3 to 4.5 and 4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Text, cast, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

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
from adapters.mod4.site import Site
from adapters.mod4.tables import Query, Rows, amount, choose, day, place, word
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


def vehicles(connection: Connection, site: Site) -> list[FleetVehicle]:
    of = site.rows("vehicles")
    query = select(
        of.text("id"), of.text("plate_number"), of.text("license_plate"), of.text("make"), of.text("model"),
        of.text("type"), of.text("status"), of.text("fuel_type"), of.number("capacity"), of.text("current_driver_id"),
        of.text("telematics_provider"), of.text("telematics_id"),
    ).where(in_workspace(of, site))  # fmt: skip
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
        for row in (dict(found) for found in connection.execute(query).mappings())
    ]


def places(connection: Connection, site: Site, name: str) -> list[Facility]:
    """Rows of ``facilities`` or ``warehouses``; where the platform keeps no workspace with them, all of them."""
    of = site.rows(name)
    query = select(
        of.text("id"), of.text("name"), of.text("code"), of.text("warehouse_code"), of.text("address"),
        of.number("lat"), of.number("lng"), of.text("phone"), of.text("contact_person"),
    )  # fmt: skip
    if of.has("workspace_id"):
        query = query.where(or_(in_workspace(of, site), of.raw("workspace_id").is_(None)))
    return [_place(dict(row), is_store=name == "warehouses") for row in connection.execute(query).mappings()]


def _place(row: dict[str, Any], *, is_store: bool) -> Facility:
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


def batch_query(site: Site) -> tuple[Rows, Query]:
    """Batches of the workspace, with all that a record of ours holds."""
    of = site.rows("delivery_batches")
    query = choose(
        of.text("id"), of.text("name"), of.text("status"), of.text("priority"), of.text("warehouse_id"),
        of.text("driver_id"), of.text("vehicle_id"), of.day("scheduled_date"), of.text("scheduled_time"),
        of.ms("actual_start_time"), of.ms("actual_end_time"), of.text("driver_status"),
        of.number("current_stop_index"), of.flag("is_snapshot_locked"), of.number("total_quantity"),
        of.number("total_distance"), of.number("estimated_duration"), of.text("medication_type"), of.text("notes"),
        of.ms("created_at"), of.ms("updated_at"),
        cast(of.raw("facility_ids"), ARRAY(Text)).label("facility_ids"),
        cast(of.raw("vehicle_ids"), ARRAY(Text)).label("vehicle_ids"),
        of.number("total_weight"), of.number("total_volume"),
    ).where(in_workspace(of, site))  # fmt: skip
    return of, query


def batches(connection: Connection, site: Site, query: Query) -> list[DeliveryBatch]:
    """The batches that a query of :func:`batch_query` finds, each with its stops in order."""
    rows = [dict(row) for row in connection.execute(query).mappings()]
    told = route_rows(connection, site, [row["id"] for row in rows])
    return [_batch(row, told.get(row["id"], ())) for row in rows]


def batch(connection: Connection, site: Site, batch_id: str) -> DeliveryBatch | None:
    of, query = batch_query(site)
    found = batches(connection, site, query.where(of.equals("id", batch_id)))
    return found[0] if found else None


def _batch(row: dict[str, Any], route: Sequence[Mapping[str, Any]]) -> DeliveryBatch:
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


def route_rows(connection: Connection, site: Site, batch_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The platform's own record of the stops of some batches, by batch, in order; empty where it is not read."""
    if not batch_ids or not site.feature("route_history").is_on:
        return {}
    of = site.rows("route_history")
    batch_id = of.text("batch_id")
    query = select(
        of.text("id"), batch_id, of.text("facility_id"), of.number("sequence_number"), of.text("status"),
        of.ms("planned_arrival"), of.ms("actual_arrival"), of.ms("check_in_time"), of.ms("check_out_time"),
        of.text("recipient_name"), of.text("proof_of_delivery_url"), of.text("delay_reason"), of.text("notes"),
        of.text("vehicle_id"), of.text("driver_id"), of.ms("updated_at"), of.ms("created_at"),
    ).where(of.among("batch_id", batch_ids))  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["batch_id"], []).append(dict(row))
    for rows in found.values():
        rows.sort(key=lambda row: (row["sequence_number"] or 0, row["id"]))
    return found


def _stops(facilities: Sequence[str], route: Sequence[Mapping[str, Any]]) -> list[BatchStop]:
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


def _stop(peer_id: str, sequence: int, facility: str, told: Mapping[str, Any] | None) -> BatchStop:
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


def papers(connection: Connection, site: Site) -> list[BatchPaper]:
    """Requisitions and invoices that the platform says travel in a batch of this workspace."""
    mine = _own_batches(site)
    found: list[BatchPaper] = []
    of = site.rows("requisitions")
    if of.has("batch_id") and of.has("id") and _is_open(site, "requisitions"):
        wanted = choose(
            of.text("id"), of.text("batch_id"), of.text("requisition_number"), of.text("facility_id"), of.text("status")
        ).where(of.raw("batch_id").in_(mine))
        found += [_requisition(dict(row)) for row in connection.execute(wanted).mappings()]
    links = site.rows("batch_invoice_links")
    if links.has("batch_id") and _is_open(site, "batch_invoice_links"):
        number = links.text("invoice_number") if links.has("invoice_number") else links.text("invoice_id")
        key = links.text("id") if links.has("id") else number
        linked = choose(
            key.label("key"), links.text("batch_id"), number.label("number"), links.text("facility_id")
        ).where(links.raw("batch_id").in_(mine))
        found += [_invoice(dict(row)) for row in connection.execute(linked).mappings()]
    return found


def _requisition(row: dict[str, Any]) -> BatchPaper:
    return BatchPaper(
        peer_id=f"requisition:{row['id']}",
        batch=row["batch_id"],
        kind="requisition",
        number=word(row, "requisition_number", 60) or row["id"],
        facility=word(row, "facility_id", 200),
        status=word(row, "status", 40),
    )


def _invoice(row: dict[str, Any]) -> BatchPaper:
    return BatchPaper(
        peer_id=f"invoice:{row['key']}",
        batch=row["batch_id"],
        kind="invoice",
        number=word(row, "number", 60),
        facility=word(row, "facility_id", 200),
    )


def _is_open(site: Site, name: str) -> bool:
    facts = site.inventory.tables.get(name)
    return facts is not None and facts.scope("select") == "all"


def _own_batches(site: Site) -> Query:
    of = site.rows("delivery_batches")
    return choose(of.raw("id")).where(in_workspace(of, site))


def runs(connection: Connection, site: Site, *, only: str = "", batch_id: str = "") -> list[DispatchRun]:
    of = site.rows("dispatch_runs")
    query = select(
        of.text("id"), of.text("batch_id"), of.text("status"), of.text("driver_id"), of.text("vehicle_id"),
        of.ms("planned_departure"), of.ms("dispatched_at"), of.ms("departed_at"), of.ms("completed_at"),
        of.ms("cancelled_at"), of.number("stops_total"), of.number("stops_completed"), of.text("notes"),
        of.text("cancel_reason"),
    ).where(in_workspace(of, site))  # fmt: skip
    if only:
        query = query.where(of.equals("id", only))
    if batch_id:
        query = query.where(of.equals("batch_id", batch_id))
    return [_run(dict(row)) for row in connection.execute(query).mappings()]


def _run(row: dict[str, Any]) -> DispatchRun:
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
