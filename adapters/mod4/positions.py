"""Positions of drivers' phones: a third source beside trackers and Traccar (biko.md 4.9).

A device is a driver, not a phone: on the map a driver is looked for, and phones change. Which phone it was stands in
the attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.dispatch import Driver
from adapters.mod4.events import of_workspace
from adapters.mod4.readings import Growing
from adapters.mod4.site import Site
from adapters.mod4.tables import amount, place, word
from adapters.records import DeviceInfo, Position

SOURCE = "mod4"
OVERLAP_MS = 60_000
"""Points are many, and their transactions short."""
_KM_H_PER_M_S = 3.6


def device_of(driver: str) -> str:
    """The unique id of a driver's phone among the devices."""
    return f"driver-{driver}"


def driver_of(device: str) -> str:
    """The driver behind a device of :func:`device_of`."""
    return device.removeprefix("driver-")


def info(driver: Driver) -> DeviceInfo:
    """Only drivers whose phones send are devices: others would fill the list of trackers with silence."""
    return DeviceInfo(
        device=device_of(driver.peer_id),
        name=driver.name,
        peer_id=driver.peer_id,
        model="Phone of the driver app",
        phone=driver.phone or None,
        status=driver.status or None,
    )


def growing(site: Site) -> Growing:
    """Points in the order in which they came."""
    name = "driver_gps_events"
    return Growing(name, "id", ("received_at", "captured_at"), of_workspace(name, site))


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
