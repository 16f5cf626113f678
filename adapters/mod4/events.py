"""What was told of deliveries, from the four tables of the platform that may hold it (biko.md 4.7, 4.8, 7.9).

A photo that the driver app reports is never uploaded by it, so that an address which others can open is the exception.
Metadata is bounded; what is read from it is read leniently, because its writers differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from adapters.dispatch import DeliveryEvent, EventKind
from adapters.mod4.people import in_workspace, is_member
from adapters.mod4.readings import Condition, Growing, OfWorkspace
from adapters.mod4.site import Site
from adapters.mod4.tables import amount, place, word

LONGEST_TOLD = 4_000
"""Characters of metadata that are kept for those who look closer."""
OVERLAP_MS = 10 * 60_000
"""Rows become visible when their transaction ends, later than the time that they carry."""

Source = Literal["mod4_events", "delivery_logs", "driver_events"]

MOD4_KINDS: Mapping[str, EventKind] = {
    "session_started": "session_started",
    "session_ended": "session_ended",
    "delivery_started": "delivery_started",
    "delivery_completed": "delivered",
    "delivery_discrepancy": "discrepancy",
    "location_captured": "position",
    "proxy_delivery_reason_recorded": "proxy_reason",
    "recipient_signature_captured": "signature",
    "new_device_login": "new_device",
    "photo_captured": "photo",
    "item_reconciled": "item_reconciled",
    "batch_assigned": "batch_assigned",
    "batch_started": "batch_started",
    "batch_completed": "batch_completed",
}
LOG_KINDS: Mapping[str, EventKind] = {
    "dispatched": "dispatched",
    "arrived": "arrived",
    "delivered": "delivered",
    "returned": "returned",
    "discrepancy": "discrepancy",
}
DRIVER_KINDS: Mapping[str, EventKind] = {
    "ROUTE_STARTED": "batch_started",
    "ARRIVED_AT_STOP": "arrived",
    "DEPARTED_STOP": "departed",
    "DELAY_REPORTED": "delayed",
    "PROOF_CAPTURED": "proof",
    "ROUTE_COMPLETED": "batch_completed",
    "ROUTE_CANCELLED": "failed",
    "SUPERVISOR_OVERRIDE": "override",
}

_SIGNATURES = ("signatureUrl", "signature_url", "recipient_signature_url")
_STOP_ENDS: Mapping[str, EventKind] = {"completed": "delivered", "skipped": "skipped"}

_KEYS: Mapping[Source, str] = {"mod4_events": "event_id", "delivery_logs": "id", "driver_events": "id"}
_TIMES: Mapping[Source, tuple[str, ...]] = {
    "mod4_events": ("received_at", "captured_at"),
    "delivery_logs": ("created_at",),
    "driver_events": ("synced_at", "recorded_at"),
}


def of_workspace(name: str, site: Site) -> tuple[Condition, ...]:
    """Rows of the workspace's drivers or batches; 7.13: the platform's own rules let every member read all."""
    known, workspace = site.inventory, site.workspace.id
    if known.has(name, "workspace_id"):
        return (in_workspace(site),)
    if name != "driver_events" and known.has(name, "driver_id") and known.has("drivers", "id"):
        return (OfWorkspace("driver_id", "drivers", workspace),)
    if known.has(name, "batch_id"):
        return (OfWorkspace("batch_id", "delivery_batches", workspace),)
    return (is_member("driver_id", site),)  # of driver_events the login, despite its name (biko.md 4.1)


def growing(source: Source, site: Site) -> Growing:
    """Rows of one table, in the order in which they came."""
    return Growing(source, _KEYS[source], _TIMES[source], of_workspace(source, site))


def event(source: Source, row: Mapping[str, Any], drivers: Mapping[str, str]) -> DeliveryEvent:
    """One row as a record. Raises ValueError with a sentence for one without a time."""
    match source:
        case "mod4_events":
            return _of_app(row)
        case "delivery_logs":
            return _of_log(row)
        case _:
            return _of_driver(row, drivers)


def _of_app(row: Mapping[str, Any]) -> DeliveryEvent:
    told = _told(row["metadata"])
    lat, lon = place(row["lat"], row["lng"])
    kind = MOD4_KINDS.get(word(row, "event_type"), "other")
    photo = _text(told, *(_SIGNATURES if kind == "signature" else ()), "photoUrl", "photo_url", "url")[:1000]
    return DeliveryEvent(
        peer_id=f"mod4_events:{row['key']}",
        source="mod4_events",
        kind=kind,
        word=word(row, "event_type", 60),
        captured_ms=_time(row, "captured_at", "received_at"),
        received_ms=row["received_at"],
        driver=word(row, "driver_id", 200),
        session=word(row, "session_id", 200),
        device=word(row, "device_id", 200),
        vehicle=word(row, "vehicle_id", 200),
        batch=word(row, "batch_id", 200),
        facility=_text(told, "facilityId", "facility_id")[:200],
        lat=lat,
        lon=lon,
        recipient=_text(told, "recipientName", "recipient_name", "recipient")[:300],
        item=_text(told, "itemName", "item_name", "itemId", "item_id", "item")[:300],
        expected_units=_number(told, "expectedQuantity", "expected_quantity", "expected"),
        delivered_units=_number(told, "deliveredQuantity", "delivered_quantity", "actual", "delivered"),
        reason=_text(told, "discrepancyReason", "discrepancy_reason", "proxyReason", "proxy_reason", "reason")[:300],
        notes=_text(told, "notes", "discrepancyNotes", "proxyNotes", "note"),
        photo_url=photo,
        photo_kind=_photo_kind(told, kind) if kind == "photo" or photo else "",
        is_uploaded=is_open_address(photo),
        told=told or None,
    )


def _photo_kind(told: Mapping[str, Any], kind: EventKind) -> str:
    return _text(told, "photoType", "photo_type")[:40] or ("signature" if kind == "signature" else "")


def _of_log(row: Mapping[str, Any]) -> DeliveryEvent:
    told = _told(row["metadata"])
    photo = _text(told, "photoUrl", "photo_url", "proof_of_delivery_url")[:1000]
    return DeliveryEvent(
        peer_id=f"delivery_logs:{row['key']}",
        source="delivery_logs",
        kind=LOG_KINDS.get(word(row, "event_type"), "other"),
        word=word(row, "event_type", 60),
        captured_ms=_time(row, "created_at"),
        received_ms=row["created_at"],
        batch=word(row, "batch_id", 200),
        facility=word(row, "facility_id", 200) or _text(told, "facilityId", "facility_id")[:200],
        recipient=_text(told, "recipientName", "recipient_name")[:300],
        item=word(row, "item_id"),
        expected_units=amount(row["expected_qty"]),
        delivered_units=amount(row["actual_qty"]),
        reason=word(row, "discrepancy_reason"),
        notes=_text(told, "notes", "note"),
        photo_url=photo,
        is_uploaded=is_open_address(photo),
        told=told or None,
    )


def _of_driver(row: Mapping[str, Any], drivers: Mapping[str, str]) -> DeliveryEvent:
    told, where = _told(row["metadata"]), _told(row["location"])
    lat, lon = place(_first(where, "lat", "latitude"), _first(where, "lng", "lon", "longitude"))
    photo = _text(told, "photoUrl", "photo_url")[:1000]
    user = word(row, "driver_id", 200)
    return DeliveryEvent(
        peer_id=f"driver_events:{row['key']}",
        source="driver_events",
        kind=DRIVER_KINDS.get(word(row, "event_type"), "other"),
        word=word(row, "event_type", 60),
        captured_ms=_time(row, "recorded_at", "synced_at"),
        received_ms=row["synced_at"],
        driver=drivers.get(user, ""),
        session=word(row, "session_id", 200),
        batch=word(row, "batch_id", 200),
        facility=_text(told, "facilityId", "facility_id")[:200],
        lat=lat,
        lon=lon,
        recipient=_text(told, "recipientName", "recipient_name")[:300],
        reason=_text(told, "reason", "delay_reason")[:300],
        notes=_text(told, "notes", "note"),
        photo_url=photo,
        photo_kind=_text(told, "photoType", "photo_type")[:40],
        is_uploaded=is_open_address(photo),
        told={**told, "driver_status": word(row, "driver_status", 40)},
    )


def route_events(batch_id: str, rows: Sequence[Mapping[str, Any]]) -> list[DeliveryEvent]:
    """What the platform's own record of a route tells: an arrival, and how each stop ended.

    Its rows change; each change that it tells is an event with a name of its own, so that none is told twice.
    """
    found: list[DeliveryEvent] = []
    for row in rows:
        arrived = row["actual_arrival"] if row["actual_arrival"] is not None else row["check_in_time"]
        if arrived is not None:
            found.append(_of_stop(batch_id, row, "arrived", arrived))
        ended = _STOP_ENDS.get(word(row, "status"))
        if ended is not None:
            times = (row["check_out_time"], arrived, row["updated_at"], row["created_at"])
            at = next((one for one in times if one is not None), None)
            if at is not None:
                found.append(_of_stop(batch_id, row, ended, at))
    return found


def _of_stop(batch_id: str, row: Mapping[str, Any], kind: EventKind, at_ms: int) -> DeliveryEvent:
    is_end = kind != "arrived"
    proof = word(row, "proof_of_delivery_url", 1000) if is_end else ""
    return DeliveryEvent(
        peer_id=f"route_history:{row['id']}:{kind}",
        source="route_history",
        kind=kind,
        word=word(row, "status", 60),
        captured_ms=at_ms,
        received_ms=row["updated_at"] if is_end else None,
        driver=word(row, "driver_id", 200),
        vehicle=word(row, "vehicle_id", 200),
        batch=batch_id,
        facility=word(row, "facility_id", 200),
        recipient=word(row, "recipient_name") if is_end else "",
        reason=word(row, "delay_reason"),
        notes=word(row, "notes", 2000) if is_end else "",
        photo_url=proof,
        photo_kind="proof_of_delivery" if proof else "",
        is_uploaded=is_open_address(proof),
    )


def is_open_address(url: str) -> bool:
    """Whether others can open it: addresses of the phone's own storage (``blob:``, ``file:``, ``data:``) are none."""
    return url.startswith(("https://", "http://")) and "://localhost" not in url and "://127." not in url


def _time(row: Mapping[str, Any], *names: str) -> int:
    for name in names:
        if row[name] is not None:
            return int(row[name])
    raise ValueError("It carries no time that a calendar knows.")


def _told(value: Any) -> dict[str, Any]:
    """Metadata as an object, cut where it is too large."""
    if not isinstance(value, dict):
        return {"value": value} if value not in (None, "", []) and len(str(value)) < LONGEST_TOLD else {}
    if len(json.dumps(value, default=str)) <= LONGEST_TOLD:
        return value
    kept: dict[str, Any] = {}
    room = LONGEST_TOLD
    for name, one in value.items():
        size = len(str(name)) + len(json.dumps(one, default=str)) + 4
        if size <= room and size < LONGEST_TOLD // 4:
            kept[name] = one
            room -= size
    return {**kept, "shortened": True}


def _first(told: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        found = told.get(name)
        if found is not None and found != "":
            return found
    return None


def _text(told: Mapping[str, Any], *names: str) -> str:
    for name in names:
        found = told.get(name)
        if type(found) is str and found:
            return found[:2000]
        if type(found) in (int, float):
            return str(found)
    return ""


def _number(told: Mapping[str, Any], *names: str) -> float | None:
    return amount(_first(told, *names))
