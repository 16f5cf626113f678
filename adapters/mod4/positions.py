"""Positions of drivers' phones: a third source beside trackers and Traccar (biko.md 4.9).

A device is a driver, not a phone: on the map a driver is looked for, and phones change. Which phone it was stands in
the attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Text, cast, literal, tuple_

from adapters.dispatch import Driver
from adapters.mod4.events import arrival, of_workspace
from adapters.mod4.site import Site
from adapters.mod4.tables import Query, Rows, amount, choose, place, word
from adapters.records import DeviceInfo, Position

SOURCE = "mod4"
_KM_H_PER_M_S = 3.6


def device_of(driver: str) -> str:
    """The unique id of a driver's phone among the devices."""
    return f"driver-{driver}"


def info(driver: Driver, seen_ms: int | None = None) -> DeviceInfo:
    return DeviceInfo(
        device=device_of(driver.peer_id),
        name=driver.name,
        peer_id=driver.peer_id,
        model="Phone of the driver app",
        phone=driver.phone or None,
        status=driver.status or None,
        last_update_ms=seen_ms,
    )


def page_query(site: Site) -> tuple[Rows, Query]:
    """Points in the order in which they came."""
    rows = site.rows("driver_gps_events")
    query = choose(
        rows.text("id").label("key"), rows.ms_of(arrival(rows), "arrived"),
        cast(arrival(rows), Text).label("at"), rows.text("driver_id"),
        rows.text("device_id"), rows.number("lat"), rows.number("lng"), rows.number("altitude_m"),
        rows.number("accuracy_m"), rows.number("heading"), rows.number("speed_mps"), rows.ms("captured_at"),
        rows.ms("received_at"), rows.text("batch_id"), rows.text("vehicle_id"), rows.number("battery_level"),
        rows.text("network_type"), rows.flag("is_background"),
    ).where(of_workspace(rows, site)).order_by(arrival(rows), rows.raw("id"))  # fmt: skip
    return rows, query


def after(rows: Rows, since: str, last_key: str) -> ColumnElement[bool]:
    """Behind one row of :func:`page_query`; ``since`` is the row's own time as the server wrote it."""
    at = cast(literal(since, Text()), DateTime(timezone=True))
    if not last_key:
        return arrival(rows) > at
    key = "id"
    return tuple_(arrival(rows), rows.raw(key)) > tuple_(at, rows.value(key, last_key))


def position(row: Mapping[str, Any], now_ms: int) -> Position:
    """One point. Raises ValueError with a sentence where it is no place on earth."""
    lat, lon = place(row["lat"], row["lng"])
    if lat is None or lon is None:
        raise ValueError("It is no place on earth.")
    speed, course = amount(row["speed_mps"]), amount(row["heading"])
    received = row["received_at"] if row["received_at"] is not None else row["captured_at"]
    attributes = {
        name: value
        for name, value in (
            ("phone", word(row, "device_id", 200)),
            ("vehicle", word(row, "vehicle_id", 200)),
            ("batch", word(row, "batch_id", 200)),
            ("accuracy_m", amount(row["accuracy_m"])),
            ("battery_percent", amount(row["battery_level"])),
            ("network", word(row, "network_type", 40)),
            ("in_background", True if row["is_background"] else None),
        )
        if value not in (None, "")
    }
    return Position(
        device=device_of(str(row["driver_id"])),
        fixed_at_ms=row["captured_at"],
        received_at_ms=received if received is not None else now_ms,
        lat=lat,
        lon=lon,
        speed_km_h=round(speed * _KM_H_PER_M_S, 2) if speed is not None and 0 <= speed < 200 else None,
        course_deg=course if course is not None and 0 <= course < 360 else None,
        located=True,
        source=SOURCE,
        altitude_m=amount(row["altitude_m"]),
        peer_id=str(row["key"]),
        attributes=attributes or None,
    )
