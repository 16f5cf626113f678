"""Fences of our own: circles around a place and areas from GeoJSON, beside those that servers know."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.alarms.errors import AlarmError, NotFound
from app.fleet.text import storable
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import GeofenceRow

OWNER = "console"
"""``integration_id`` of fences that were made here."""

LARGEST_BYTES = 20_000_000
MOST_FENCES = 2_000
MOST_POINTS = 20_000
LEAST_RADIUS_M, LARGEST_RADIUS_M = 10.0, 500_000.0
_NAMES = ("name", "NAME", "Name", "title", "label")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class NewFence:
    """A fence before it is stored; ``points`` as in :class:`adapters.records.Geofence`."""

    name: str
    shape: str
    points: Sequence[Point]
    radius_m: float | None = None
    speed_limit_km_h: float | None = None


def circle(name: str, lat: float, lon: float, radius_m: float, speed_limit_km_h: float | None = None) -> NewFence:
    """A circle around a place. Raises AlarmError naming what cannot be."""
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise AlarmError("Place: latitude is −90 to 90 degrees and longitude −180 to 180.", "place")
    if not LEAST_RADIUS_M <= radius_m <= LARGEST_RADIUS_M:
        raise AlarmError("Radius: 10 m to 500 km.", "radius")
    if speed_limit_km_h is not None and not 5 <= speed_limit_km_h <= 250:
        raise AlarmError("Speed limit: 5 to 250 km/h, or none.", "speed")
    return NewFence(name, "circle", ((lat, lon),), radius_m, speed_limit_km_h)


def add_fences(connection: Connection, fences: Sequence[NewFence], *, who: str | None = None) -> list[str]:
    """Store new fences; returns their ids. Raises AlarmError for one without a name."""
    version = raise_topic(connection, "geofences")
    ids = []
    for fence in fences:
        name = storable(" ".join(fence.name.split()), 300)
        if not name:
            raise AlarmError("Name: give the fence a name by which the operators know it.", "name")
        row: dict[str, Any] = {
            "id": new_id(),
            "integration_id": OWNER,
            "peer_id": new_id(),
            "name": name,
            "description": "",
            "shape": fence.shape,
            "points": [list(point) for point in fence.points],
            "radius_m": fence.radius_m,
            "speed_limit_km_h": fence.speed_limit_km_h,
            "visible": True,
            "changed_version": version,
        }
        connection.execute(insert(GeofenceRow).values(row))
        after = {"shape": fence.shape, "radius_m": fence.radius_m, "speed_limit_km_h": fence.speed_limit_km_h}
        record_act(connection, what="fence.add", subject=name, after=after, who=who)
        ids.append(row["id"])
    return ids


def remove_fence(connection: Connection, fence_id: str, *, who: str | None = None) -> None:
    """Take one of our own fences away. Raises NotFound for another's."""
    version = raise_topic(connection, "geofences")
    own = (GeofenceRow.id == fence_id) & (GeofenceRow.integration_id == OWNER) & GeofenceRow.visible
    name = connection.execute(select(GeofenceRow.name).where(own)).scalar_one_or_none()
    if name is None:
        raise NotFound(f"There is no fence {fence_id} that was made here. A server's fences are changed on the server.")
    connection.execute(update(GeofenceRow).where(own).values(visible=False, changed_version=version))
    record_act(connection, what="fence.remove", subject=name, who=who)


def read_geojson(data: bytes, default_name: str) -> list[NewFence]:
    """The areas of a GeoJSON file (RFC 7946): polygons by their outer rings, and points that say ``radius_m``.

    Raises AlarmError with what is wrong; nothing of a file that is partly wrong is taken.
    """
    if len(data) > LARGEST_BYTES:
        raise AlarmError(
            f"The file is larger than {LARGEST_BYTES // 1_000_000} MB. Save only the areas that are needed."
        )
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as err:
        raise AlarmError("This is no GeoJSON: it cannot be read as JSON text.") from err
    found = list(_fences(document, default_name))
    if not found:
        raise AlarmError("The file holds no area: only polygons, and points with a property radius_m, become fences.")
    if len(found) > MOST_FENCES:
        raise AlarmError(f"The file holds {len(found):,} areas; {MOST_FENCES:,} at once are the most.")
    return found


def _fences(document: Any, default_name: str) -> Iterator[NewFence]:
    if not isinstance(document, Mapping):
        raise AlarmError("This is no GeoJSON: it does not begin with an object.")
    features = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(features, list):
        raise AlarmError("This is no GeoJSON: its features are no list.")
    for number, feature in enumerate(features, 1):
        if not isinstance(feature, Mapping):
            raise AlarmError(f"Feature {number} is no object.")
        said = feature.get("properties")
        properties: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
        name = next((str(properties[one]) for one in _NAMES if properties.get(one)), "")
        name = name.strip() or (default_name if len(features) == 1 else f"{default_name} {number}")
        geometry = feature.get("geometry") if feature.get("type") == "Feature" else feature
        if isinstance(geometry, Mapping):
            yield from _areas(geometry, name, properties, f"Feature {number} ({name})")


def _areas(geometry: Mapping[str, Any], name: str, said: Mapping[str, Any], where: str) -> Iterator[NewFence]:
    kind, places = geometry.get("type"), geometry.get("coordinates")
    limit = _number(said.get("speed_limit_km_h"))
    if kind == "Point" and _number(said.get("radius_m")) is not None:
        ((lat, lon),) = _points([places], where)
        yield circle(name, lat, lon, _number(said.get("radius_m")) or 0.0, limit)
        return
    polygons = {"Polygon": [places], "MultiPolygon": places}.get(str(kind), [])
    if not isinstance(polygons, list):
        raise AlarmError(f"{where}: its coordinates are no list.")
    for part, polygon in enumerate(polygons, 1):
        if not isinstance(polygon, list) or not polygon or not isinstance(polygon[0], list):
            raise AlarmError(f"{where}: a polygon without a ring.")
        ring = _points(polygon[0], where)
        if len(ring) > 1 and ring[0] == ring[-1]:
            ring = ring[:-1]
        if len(set(ring)) < 3:
            raise AlarmError(f"{where}: its ring has fewer than three different points.")
        yield NewFence(name if len(polygons) == 1 else f"{name} {part}", "polygon", ring, None, limit)


def _points(places: Sequence[Any], where: str) -> list[Point]:
    if len(places) > MOST_POINTS:
        raise AlarmError(f"{where}: {len(places):,} points; {MOST_POINTS:,} are the most. Simplify the outline.")
    points = []
    for place in places:
        numbers = [_number(one) for one in place[:2]] if isinstance(place, list) and len(place) >= 2 else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            raise AlarmError(f"{where}: a point that is not two numbers.")
        lon, lat = numbers[0], numbers[1]
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise AlarmError(f"{where}: {lon:g}, {lat:g} is no longitude and latitude in degrees. Save it in WGS 84.")
        points.append((lat, lon))
    return points


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def list_all(connection: Connection) -> list[dict[str, Any]]:
    """Every fence that rules can look at, by name; ``integration_id`` is :data:`OWNER` for those made here."""
    fence = GeofenceRow
    query = select(fence.id, fence.name, fence.shape, fence.radius_m, fence.speed_limit_km_h, fence.integration_id)
    rows = connection.execute(query.where(fence.visible).order_by(fence.name, fence.id))
    return [dict(row._mapping) for row in rows]
