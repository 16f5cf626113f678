"""Geofences as their servers describe them, written only where they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from adapters.records import Geofence
from app.fleet.text import storable
from app.store.ids import new_id
from app.store.tables import GeofenceRow

_SAID = ("name", "description", "shape", "points", "radius_m", "speed_limit_km_h", "visible")


def changed_fences(
    connection: Connection, integration_id: str, fences: Iterable[Geofence]
) -> Sequence[Mapping[str, Any]]:
    """The rows that must be written so that the store says what the server says; ``id`` is None for new ones."""
    said = {storable(fence.peer_id, 60): _columns(fence) for fence in fences}
    if not said:
        return ()
    columns = (GeofenceRow.id, GeofenceRow.peer_id, *(GeofenceRow.__table__.c[name] for name in _SAID))
    stored = {
        row.peer_id: row
        for row in connection.execute(select(*columns).where(GeofenceRow.integration_id == integration_id))
    }
    rows: list[Mapping[str, Any]] = []
    for peer_id, columns_said in said.items():
        known = stored.get(peer_id)
        if known is None or any(columns_said[name] != getattr(known, name) for name in _SAID):
            key = {"id": known.id if known else None, "integration_id": integration_id, "peer_id": peer_id}
            rows.append({**key, **columns_said})
    return rows


def write_fences(connection: Connection, rows: Iterable[Mapping[str, Any]], version: int) -> None:
    """Write what :func:`changed_fences` found; ``version`` is that of the topic ``geofences``."""
    for row in rows:
        values = {**row, "changed_version": version}
        if row["id"] is None:
            connection.execute(insert(GeofenceRow).values(**{**values, "id": new_id()}))
        else:
            connection.execute(update(GeofenceRow).where(GeofenceRow.id == row["id"]).values(**values))


def _columns(fence: Geofence) -> dict[str, Any]:
    return {
        "name": storable(fence.name, 300),
        "description": storable(fence.description),
        "shape": fence.shape,
        "points": [list(point) for point in fence.points],
        "radius_m": fence.radius_m,
        "speed_limit_km_h": fence.speed_limit_km_h,
        "visible": fence.visible,
    }
