"""The geofences of the store as shapes that can be asked."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from app.alarms.geometry import Shape, make_shape
from app.store.tables import GeofenceRow

_log = logging.getLogger(__name__)


def read_shapes(connection: Connection) -> list[Shape]:
    """Every fence that is still there and encloses something, by id."""
    fence = GeofenceRow
    query = select(
        fence.id, fence.name, fence.shape, fence.points, fence.radius_m, fence.speed_limit_km_h, fence.visible
    )
    shapes: list[Shape] = []
    for row in connection.execute(query.where(fence.visible).order_by(fence.id)):
        shape = None
        try:
            shape = make_shape(row.id, row.name, row.shape, row.points, row.radius_m, row.speed_limit_km_h)
        except (TypeError, ValueError):
            _log.debug("the points of the fence %s are no numbers", row.id)
        if shape is not None:
            shapes.append(shape)
    return shapes


def changed_fences(connection: Connection, after_version: int) -> tuple[Sequence[str], int]:
    """The fences changed after a version, and the newest version that there is."""
    rows = connection.execute(select(GeofenceRow.id).where(GeofenceRow.changed_version > after_version)).scalars().all()
    newest = connection.execute(select(func.max(GeofenceRow.changed_version))).scalar_one()
    return rows, newest or after_version
