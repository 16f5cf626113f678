"""Disagreements between two sources of a vehicle, as pages list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.fleet.times import iso_ms
from app.store.tables import Device, Integration, TwinGap, Vehicle


@dataclass(frozen=True, slots=True)
class TwinListing:
    """One disagreement. ``until_ms`` None while it lasts; ``explanation`` are sentences with the likely cause."""

    key: int
    vehicle_id: str
    plate: str
    source: str
    other_source: str
    since_ms: int
    until_ms: int | None
    worst_m: float
    cause: str
    explanation: str

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.key, "vehicle": self.plate, "source": self.source, "other_source": self.other_source,
            "since": iso_ms(self.since_ms), "until": iso_ms(self.until_ms), "worst_m": round(self.worst_m),
            "cause": self.cause, "explanation": self.explanation,
        }  # fmt: skip


def list_twins(
    connection: Connection,
    *,
    vehicle_id: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    only_lasting: bool = False,
    limit: int = 500,
) -> list[TwinListing]:
    """The newest first; spans touch ``since_ms`` to ``until_ms``."""
    gap = TwinGap
    query = (
        select(gap.__table__, Vehicle.plate)
        .outerjoin(Vehicle, Vehicle.id == gap.vehicle_id)
        .order_by(gap.since_ms.desc(), gap.key.desc())
        .limit(limit)
    )
    if vehicle_id is not None:
        query = query.where(gap.vehicle_id == vehicle_id)
    if only_lasting:
        query = query.where(gap.until_ms.is_(None))
    if since_ms is not None:
        query = query.where((gap.until_ms.is_(None)) | (gap.until_ms >= since_ms))
    if until_ms is not None:
        query = query.where(gap.since_ms <= until_ms)
    rows = list(connection.execute(query))
    keys = {key for row in rows for key in (row.device_key, row.other_device_key)}
    named = select(Device.key, Integration.name, Device.unique_id).join(
        Integration, Integration.id == Device.integration_id
    )
    names = {row.key: f"{row.name} ({row.unique_id})" for row in connection.execute(named.where(Device.key.in_(keys)))}
    return [
        TwinListing(
            row.key, row.vehicle_id, row.plate or "", names.get(row.device_key, ""),
            names.get(row.other_device_key, ""), row.since_ms, row.until_ms, row.worst_m, row.cause, row.explanation,
        )
        for row in rows
    ]  # fmt: skip
