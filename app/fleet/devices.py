"""Acts on trackers: adopt, release, block, unblock, forget, rename, set the clock offset.

Each is a function on a connection of a ``store.write`` job; it checks, changes, raises the topic and records the
act in one transaction, and raises a :class:`~app.fleet.errors.FleetError` with nothing changed. A tracker is named
by its own id in the store, or by its IMEI or unique id; an IMEI names it in every integration through which it
reports, because it is one thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.clock import SystemClock
from app.fleet.assignments import assign, close, state_without_vehicle
from app.fleet.errors import AlreadyAdopted, FleetError, NotAllowed, NotFound
from app.fleet.listing import DeviceListing, list_devices
from app.fleet.phones import is_phone
from app.fleet.registry import BLOCKED, FORGOTTEN, KNOWN, NAMED_HERE, WAITING
from app.fleet.text import storable
from app.fleet.vehicles import add_vehicle, find_vehicle
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import Device, DeviceState, Vehicle

__all__ = [
    "DeviceListing",
    "adopt",
    "block",
    "find_devices",
    "forget",
    "forget_silent",
    "list_devices",
    "release",
    "rename",
    "set_clock_offset",
    "unblock",
]

MOST_OFFSET_S = 16 * 3600
"""No zone is farther from UTC, and a clock that is wrong by more is broken, not local."""


def find_devices(connection: Connection, device: str) -> Sequence[Any]:
    """The rows of a tracker, one per integration that knows it. Raises NotFound."""
    text = device.strip()
    rows = connection.execute(
        select(Device.__table__).where(or_(Device.id == text, Device.unique_id == text)).order_by(Device.key)
    ).all()
    if not rows:
        raise NotFound(
            f"No tracker has the IMEI or id {text}. A tracker appears in the list when its first frame arrives."
        )
    return rows


def adopt(
    connection: Connection, device: str, vehicle: str, *, now_ms: int | None = None, who: str | None = None
) -> str:
    """Put a tracker on a vehicle named by plate, name or id, made new if there is none; returns the vehicle's id.

    A first adoption brings the tracker's whole history along; a later one is a move from now on. A blocked tracker is
    unblocked. Raises NotFound, NotAllowed for a driver's phone, AlreadyAdopted, Ambiguous (name), FleetError (empty
    plate).
    """
    devices = find_devices(connection, device)
    if connection.execute(select(Device.key).where(Device.key.in_([row.key for row in devices]), is_phone())).first():
        raise NotAllowed(
            f"{devices[0].name or devices[0].unique_id} is a driver's phone, not a tracker. It goes where the driver "
            "goes: assign the driver's batch to a vehicle instead."
        )
    moment_ms = _moment(now_ms)
    version = raise_topic(connection, "devices")
    vehicle_id = find_vehicle(connection, vehicle)
    if vehicle_id is None:
        vehicle_id = add_vehicle(connection, vehicle, who=who)
    moving = [row for row in devices if row.vehicle_id != vehicle_id]
    plate = _plate(connection, vehicle_id)
    if not moving:
        raise AlreadyAdopted(f"Tracker {devices[0].unique_id} is on {plate} already.")
    for row in moving:
        assign(connection, row.key, vehicle_id, moment_ms)
        _change(connection, row.key, version, vehicle_id=vehicle_id, state=KNOWN)
    before = {"vehicle": _plate(connection, moving[0].vehicle_id), "state": moving[0].state}
    after = {"vehicle": plate, "vehicle_id": vehicle_id, "state": KNOWN}
    record_act(connection, what="device.adopt", subject=devices[0].unique_id, before=before, after=after, who=who)
    return vehicle_id


def release(connection: Connection, device: str, *, now_ms: int | None = None, who: str | None = None) -> None:
    """Take a tracker off its vehicle from now on. Raises NotFound, NotAllowed when it is on none."""
    devices = [row for row in find_devices(connection, device) if row.vehicle_id is not None]
    if not devices:
        raise NotAllowed(f"Tracker {device.strip()} is on no vehicle.")
    moment_ms = _moment(now_ms)
    version = raise_topic(connection, "devices")
    for row in devices:
        close(connection, row.key, moment_ms)
        _change(connection, row.key, version, vehicle_id=None, state=state_without_vehicle(row))
    before = {"vehicle": _plate(connection, devices[0].vehicle_id)}
    record_act(connection, what="device.release", subject=devices[0].unique_id, before=before, who=who)


def block(connection: Connection, device: str, *, now_ms: int | None = None, who: str | None = None) -> None:
    """Store nothing more of a tracker: its frames are only counted. What is stored stays. Raises NotFound."""
    devices = [row for row in find_devices(connection, device) if row.state != BLOCKED]
    if not devices:
        return
    moment_ms = _moment(now_ms)
    version = raise_topic(connection, "devices")
    for row in devices:
        close(connection, row.key, moment_ms)
        _change(connection, row.key, version, vehicle_id=None, state=BLOCKED)
    before = {"vehicle": _plate(connection, devices[0].vehicle_id), "state": devices[0].state}
    after = {"state": BLOCKED}
    record_act(connection, what="device.block", subject=devices[0].unique_id, before=before, after=after, who=who)


def unblock(connection: Connection, device: str, *, who: str | None = None) -> None:
    """Let a blocked tracker back into the inbox. Raises NotFound, NotAllowed when it is not blocked."""
    devices = [row for row in find_devices(connection, device) if row.state == BLOCKED]
    if not devices:
        raise NotAllowed(f"Tracker {device.strip()} is not blocked.")
    version = raise_topic(connection, "devices")
    for row in devices:
        _change(connection, row.key, version, state=KNOWN if row.peer_id is not None else WAITING)
    before = {"state": BLOCKED}
    record_act(connection, what="device.unblock", subject=devices[0].unique_id, before=before, who=who)


def forget(connection: Connection, device: str, *, who: str | None = None) -> None:
    """Take a waiting tracker out of the inbox until it reports again. Raises NotFound, NotAllowed."""
    devices = [row for row in find_devices(connection, device) if row.state == WAITING]
    if not devices:
        raise NotAllowed(f"Tracker {device.strip()} does not wait in the inbox; release or block it instead.")
    version = raise_topic(connection, "devices")
    for row in devices:
        _change(connection, row.key, version, state=FORGOTTEN)
    record_act(connection, what="device.forget", subject=devices[0].unique_id, who=who)


def forget_silent(connection: Connection, before_ms: int, *, who: str | None = None) -> int:
    """Take every waiting tracker out of the inbox that was last heard before ``before_ms``; returns how many.

    This makes room after a flood of invented ids. Their positions stay until retention deletes them.
    """
    silent = (
        select(Device.key)
        .outerjoin(DeviceState, DeviceState.device_key == Device.key)
        .where(Device.state == WAITING, or_(DeviceState.last_seen_ms.is_(None), DeviceState.last_seen_ms < before_ms))
    )
    version = raise_topic(connection, "devices")
    forgotten = connection.execute(
        update(Device).where(Device.key.in_(silent)).values(state=FORGOTTEN, changed_version=version)
    ).rowcount
    if forgotten:
        after = {"forgotten": forgotten, "silent_since_ms": before_ms}
        record_act(connection, what="device.forget_silent", subject="inbox", after=after, who=who)
    return forgotten


def set_clock_offset(
    connection: Connection, device: str, clock_offset_s: int | None, *, who: str | None = None
) -> None:
    """How many seconds the tracker's clock is ahead of UTC; None: believe what it declares.

    Holds for what arrives from now on; each stored position keeps the offset with which it was read. Raises NotFound,
    FleetError for more than sixteen hours.
    """
    if clock_offset_s is not None and abs(clock_offset_s) > MOST_OFFSET_S:
        raise FleetError(f"A clock offset of {clock_offset_s} s is more than sixteen hours; no zone is that far off.")
    devices = find_devices(connection, device)
    version = raise_topic(connection, "devices")
    for row in devices:
        _change(connection, row.key, version, clock_offset_s=clock_offset_s)
    before, after = {"clock_offset_s": devices[0].clock_offset_s}, {"clock_offset_s": clock_offset_s}
    subject = devices[0].unique_id
    record_act(connection, what="device.clock_offset", subject=subject, before=before, after=after, who=who)


def rename(connection: Connection, device: str, name: str, *, who: str | None = None) -> None:
    """Call a tracker by another name; an empty one gives the naming back to its server. Raises NotFound."""
    devices = find_devices(connection, device)
    version = raise_topic(connection, "devices")
    text = storable(" ".join(name.split()), 200)
    for row in devices:
        attributes = {key: value for key, value in row.attributes.items() if key != NAMED_HERE}
        if text:
            attributes[NAMED_HERE] = True
        _change(connection, row.key, version, name=text, attributes=attributes)
    before, after = {"name": devices[0].name}, {"name": text}
    subject = devices[0].unique_id
    record_act(connection, what="device.rename", subject=subject, before=before, after=after, who=who)


def _moment(now_ms: int | None) -> int:
    return SystemClock().now_ms() if now_ms is None else now_ms


def _change(connection: Connection, key: int, version: int, **values: Any) -> None:
    connection.execute(update(Device).where(Device.key == key).values(**values, changed_version=version))


def _plate(connection: Connection, vehicle_id: str | None) -> str | None:
    if vehicle_id is None:
        return None
    return connection.execute(select(Vehicle.plate).where(Vehicle.id == vehicle_id)).scalar_one()
