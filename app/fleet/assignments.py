"""Which device was on which vehicle, from when to when.

The first adoption gives a vehicle everything that the tracker ever sent; a later move closes the old assignment at
its moment and opens the new one there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from app.fleet.registry import BLOCKED, KNOWN, WAITING
from app.store.tables import Device, DeviceAssignment

FROM_THE_BEGINNING_MS = -(2**62)
"""``from_ms`` of a first adoption: older than any fix, an absurdly dated one included."""


def assign(connection: Connection, device_key: int, vehicle_id: str, now_ms: int) -> None:
    """Put a device on a vehicle from now on, or from the beginning if it was never on one."""
    was_on_one = connection.execute(select(exists().where(DeviceAssignment.device_key == device_key))).scalar_one()
    close(connection, device_key, now_ms)
    from_ms = now_ms if was_on_one else FROM_THE_BEGINNING_MS
    connection.execute(
        insert(DeviceAssignment).values(device_key=device_key, vehicle_id=vehicle_id, from_ms=from_ms, to_ms=None)
    )


def close(connection: Connection, device_key: int, now_ms: int) -> None:
    """End the open assignment of a device, if there is one."""
    connection.execute(
        update(DeviceAssignment)
        .where(DeviceAssignment.device_key == device_key, DeviceAssignment.to_ms.is_(None))
        .values(to_ms=now_ms)
    )


def release_from_vehicle(connection: Connection, vehicle_id: str, now_ms: int, version: int) -> list[str]:
    """Free every device of a vehicle; returns their unique ids. ``version`` is that of the topic ``devices``."""
    devices = connection.execute(select(Device.__table__).where(Device.vehicle_id == vehicle_id)).all()
    for device in devices:
        close(connection, device.key, now_ms)
        connection.execute(
            update(Device)
            .where(Device.key == device.key)
            .values(vehicle_id=None, state=state_without_vehicle(device), changed_version=version)
        )
    return sorted({device.unique_id for device in devices})


def state_without_vehicle(device: Any) -> str:
    """A device that its server lists stays known; a tracker of our own listeners waits again; blocked stays so."""
    if device.state == BLOCKED:
        return BLOCKED
    return KNOWN if device.peer_id is not None else WAITING
