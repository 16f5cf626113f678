"""Where facilities are: by the platform that delivers there, or by another system that knows the same facility."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from app.deliveries.rows import by_place
from app.identity.kinds import in_chunks
from app.store.tables import FacilityRow, IdentityLink
from app.supply.filters import Place

LatLon = tuple[float, float]


def facility_places(connection: Connection, facilities: Iterable[Place]) -> dict[Place, LatLon]:
    """Degrees by facility; what no system knows the place of is left out."""
    columns = (FacilityRow.id, FacilityRow.lat, FacilityRow.lon)
    rows = by_place(connection, FacilityRow, facilities, columns)
    found = {place: at for place, row in rows.items() if (at := _at(row.lat, row.lon)) is not None}
    unknown = {row.id: place for place, row in rows.items() if place not in found}
    for record_id, at in _elsewhere(connection, list(unknown)).items():
        found[unknown[record_id]] = at
    return found


def _elsewhere(connection: Connection, record_ids: list[str]) -> dict[str, LatLon]:
    """By record: the place that another record of the same identity tells, of the lowest id among them."""
    mine, theirs = IdentityLink.__table__.alias(), IdentityLink.__table__.alias()
    found: dict[str, LatLon] = {}
    for some in in_chunks(record_ids):
        query = (
            select(mine.c.record_id.label("record_id"), FacilityRow.lat, FacilityRow.lon)
            .join(theirs, theirs.c.identity_id == mine.c.identity_id)
            .join(FacilityRow, FacilityRow.id == theirs.c.record_id)
            .where(mine.c.record_id.in_(some), mine.c.kind == "facility", FacilityRow.lat.is_not(None))
            .order_by(FacilityRow.id)
        )
        for row in connection.execute(query):
            at = _at(row.lat, row.lon)
            if at is not None:
                found.setdefault(row.record_id, at)
    return found


def _at(lat: float | None, lon: float | None) -> LatLon | None:
    return None if lat is None or lon is None or not (lat or lon) else (lat, lon)
