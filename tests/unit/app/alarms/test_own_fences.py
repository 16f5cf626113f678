"""Fences made here: circles and GeoJSON, and what is wrong with those that cannot be."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alarms.errors import AlarmError, NotFound
from app.alarms.fence_shapes import read_shapes
from app.alarms.own_fences import OWNER, add_fences, circle, list_all, read_geojson, remove_fence
from app.store.store import Store
from app.store.tables import Act
from tests.helpers.fleet import rows_of

RING = [[7.0, 9.0], [7.1, 9.0], [7.1, 9.1], [7.0, 9.0]]


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_areas_and_places_with_a_radius_become_fences(store: Store) -> None:
    data = collection(
        feature({"type": "Polygon", "coordinates": [RING]}, name="Depot", speed_limit_km_h=20),
        feature({"type": "MultiPolygon", "coordinates": [[RING], [RING]]}),
        feature({"type": "Point", "coordinates": [7.5, 9.5]}, name="Clinic", radius_m=150),
        feature({"type": "LineString", "coordinates": RING}, name="Road"),
        feature(None),
    )
    found = read_geojson(data, "areas")
    assert [(one.name, one.shape) for one in found] == [
        ("Depot", "polygon"),
        ("areas 2 1", "polygon"),
        ("areas 2 2", "polygon"),
        ("Clinic", "circle"),
    ]
    assert found[0].points == [(9.0, 7.0), (9.0, 7.1), (9.1, 7.1)]
    ids = store.write(lambda connection: add_fences(connection, found)).result()
    with store.read() as connection:
        assert len(read_shapes(connection)) == 4
        assert {row["integration_id"] for row in list_all(connection)} == {OWNER}
    store.write(lambda connection: remove_fence(connection, ids[0])).result()
    with pytest.raises(NotFound):
        store.write(lambda connection: remove_fence(connection, ids[0])).result()
    with store.read() as connection:
        assert len(list_all(connection)) == 3
    assert [row.what for row in rows_of(store, Act)] == ["fence.add"] * 4 + ["fence.remove"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xfe", "no GeoJSON"),
        (b"[" * 100_000, "no GeoJSON"),
        (b"[]", "does not begin with an object"),
        (b'{"type":"FeatureCollection","features":7}', "no list"),
        (collection(7), "Feature 1 is no object"),
        (collection(), "holds no area"),
        (collection(feature({"type": "Polygon", "coordinates": [RING[:2]]})), "fewer than three"),
        (collection(feature({"type": "Polygon", "coordinates": []})), "without a ring"),
        (collection(feature({"type": "Polygon", "coordinates": 3})), "without a ring"),
        (collection(feature({"type": "Polygon", "coordinates": [[[1, "2"], [3, 4], [5, 6]]]})), "not two numbers"),
        (collection(feature({"type": "Polygon", "coordinates": [[[700000, 9], [3, 4], [5, 6]]]})), "WGS 84"),
        (collection(feature({"type": "Point", "coordinates": [7, 9]}, radius_m=-4)), "Radius"),
    ],
)
def test_what_is_no_area_is_told(data: bytes, why: str) -> None:
    with pytest.raises(AlarmError, match=why):
        read_geojson(data, "areas")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "features", "geometry", "coordinates", "properties", "x"]), inner)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["Polygon", "MultiPolygon", "Point", "Feature", "FeatureCollection"]))
def test_no_document_does_harm(document: Any, kind: str) -> None:
    made = {"type": kind, "features": document, "geometry": document, "coordinates": document, "properties": document}
    for data in (document, made, feature({"type": kind, "coordinates": document}, radius_m=10)):
        with suppress(AlarmError):
            read_geojson(json.dumps(data).encode(), "areas")


@pytest.mark.parametrize(("lat", "lon", "radius", "limit"), [(91, 7, 50, None), (9, 7, 5, None), (9, 7, 50, 1)])
def test_a_circle_that_cannot_be(lat: float, lon: float, radius: float, limit: float | None) -> None:
    with pytest.raises(AlarmError):
        circle("x", lat, lon, radius, limit)
