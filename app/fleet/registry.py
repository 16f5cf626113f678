"""The devices as the telemetry sink knows them: cached, followed when another process changes them, created on sight.

The one place that decides what becomes of a device that is seen for the first time:

- a tracker that speaks to a listener of ours waits in the inbox (``waiting``) until an operator adopts or blocks it;
- a device that a server lists (:class:`~adapters.records.DeviceInfo`) is the operator's own and is ``known`` at
  once, under the server's name;
- a tracker that is already on a vehicle through another integration (same unique id) joins that vehicle.

Nobody creates a vehicle here. At most :data:`MOST_WAITING` trackers wait; more are counted, not created, so that a
flood of invented ids cannot grow the store (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from adapters.records import DeviceInfo
from app.fleet.plausibility import NOT_A_REFERENCE, Fix, FixHistory, Neighbours
from app.fleet.text import storable, storable_json
from app.store.ids import new_id
from app.store.tables import Change, Device, DeviceAssignment, Integration, PositionRow

WAITING, KNOWN, BLOCKED, FORGOTTEN = "waiting", "known", "blocked", "forgotten"

MOST_WAITING = 10_000
NAMED_HERE = "named_here"
"""Key in ``devices.attributes``: an operator renamed the device, so its server no longer does."""

_KEYS_PER_QUERY = 500
_INFO_FIELDS = ("name", "model", "phone", "peer_id", "group_name", "visible", "attributes")


class Tracker:
    """One device in memory."""

    __slots__ = ("clock_offset_s", "history", "info", "key", "offset_is_new", "state", "unique_id")

    def __init__(self, key: int, unique_id: str, state: str, clock_offset_s: int | None, info: Mapping[str, Any]):
        self.key = key
        self.unique_id = unique_id
        self.state = state
        self.clock_offset_s = clock_offset_s
        self.info = info
        self.history: FixHistory | None = None
        self.offset_is_new = False


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What must be written about devices before a batch can be stored."""

    create: Mapping[str, Mapping[str, Any]]
    change: Mapping[str, Mapping[str, Any]]

    def __bool__(self) -> bool:
        return bool(self.create or self.change)


class Registry:
    """All devices of one store; touched on the writer thread only."""

    def __init__(self) -> None:
        self._devices: dict[str, dict[str, Tracker]] = {}
        self._integration_keys: dict[str, int] = {}
        self._version = 0
        self._waiting = 0

    def integration_key(self, connection: Connection, integration_id: str) -> int:
        """Raises LookupError for an integration that is not in the store."""
        key = self._integration_keys.get(integration_id)
        if key is None:
            key = connection.execute(
                select(Integration.key).where(Integration.id == integration_id)
            ).scalar_one_or_none()
            if key is None:
                raise LookupError(f"there is no integration {integration_id} to which telemetry could belong")
            self._integration_keys[integration_id] = key
        return key

    def devices_of(self, connection: Connection, integration_id: str) -> dict[str, Tracker]:
        """The devices of one integration by unique id, as they are in this transaction."""
        self._follow(connection)
        devices = self._devices.get(integration_id)
        if devices is None:
            devices = self._devices[integration_id] = {}
            self._take(connection.execute(select(Device).where(Device.integration_id == integration_id)))
        return devices

    def plan(
        self, integration_id: str, infos: Mapping[str, DeviceInfo], seen: Collection[str], now_ms: int
    ) -> DevicePlan:
        """What ``infos`` and the ids ``seen`` ask for; call after :meth:`devices_of`."""
        devices = self._devices[integration_id]
        create: dict[str, Mapping[str, Any]] = {}
        change: dict[str, Mapping[str, Any]] = {}
        for unique_id, info in infos.items():
            tracker = devices.get(unique_id)
            if tracker is None:
                if info.visible:
                    create[unique_id] = _new_device(integration_id, unique_id, KNOWN, now_ms, _described(info, {}))
                continue
            changed = _changes(tracker, info)
            if changed:
                change[unique_id] = changed
        room = MOST_WAITING - self._waiting
        for unique_id in seen:
            tracker = devices.get(unique_id)
            if room <= 0 or unique_id in create or (tracker is not None and tracker.state != FORGOTTEN):
                continue
            if tracker is None:
                create[unique_id] = _new_device(integration_id, unique_id, WAITING, now_ms, {})
            elif "state" not in change.get(unique_id, ()):
                change[unique_id] = {**change.get(unique_id, {}), "state": WAITING}
            room -= 1
        return DevicePlan(create, change)

    def apply(self, connection: Connection, integration_id: str, plan: DevicePlan, version: int) -> None:
        """Write the plan; ``version`` is that of the topic ``devices``, raised in this transaction."""
        if version == self._version + 1:  # else others changed devices meanwhile: the next batch reads what
            self._version = version
        devices = self._devices[integration_id]
        if plan.create:
            rows = [{**row, "changed_version": version} for row in plan.create.values()]
            made = connection.execute(insert(Device).returning(Device.key, Device.unique_id), rows).all()
            keys = {unique_id: key for key, unique_id in made}
            linked = self._join_vehicles(connection, keys)
            for unique_id, row in plan.create.items():
                state = KNOWN if unique_id in linked else row["state"]
                tracker = devices[unique_id] = Tracker(keys[unique_id], unique_id, state, None, _info_of(row))
                tracker.history = FixHistory(tracker.key)  # nothing is stored of it yet
                self._waiting += state == WAITING
        for unique_id, changed in plan.change.items():
            tracker = devices[unique_id]
            connection.execute(
                update(Device).where(Device.key == tracker.key).values(**changed, changed_version=version)
            )
            self._set_state(tracker, changed.get("state", tracker.state))
            tracker.info = {**tracker.info, **{name: changed[name] for name in _INFO_FIELDS if name in changed}}

    def history(self, connection: Connection, tracker: Tracker) -> FixHistory:
        """The device's plausible fixes, read from the store when first needed."""
        if tracker.history is None:
            newest = [_fix(row) for row in connection.execute(_NEWEST, {"device_key": tracker.key})]
            tracker.history = FixHistory(tracker.key, newest[::-1], is_complete=len(newest) < _HISTORY_FIXES)
        return tracker.history

    def _follow(self, connection: Connection) -> None:
        """Take over what others (a window, a command) changed since we last looked."""
        version = connection.execute(select(Change.version).where(Change.topic == "devices")).scalar_one_or_none() or 0
        if version != self._version and self._devices:
            changed = select(Device).where(
                Device.changed_version > self._version, Device.integration_id.in_(list(self._devices))
            )
            self._take(connection.execute(changed))
        if version != self._version or not self._devices:
            self._waiting = connection.execute(
                select(func.count()).select_from(Device).where(Device.state == WAITING)
            ).scalar_one()
        self._version = version

    def _take(self, rows: Iterable[Any]) -> None:
        for row in rows:
            devices = self._devices[row.integration_id]
            tracker = devices.get(row.unique_id)
            if tracker is None:
                devices[row.unique_id] = Tracker(
                    row.key, row.unique_id, row.state, row.clock_offset_s, _info_of(row._mapping)
                )
            else:
                tracker.offset_is_new |= tracker.clock_offset_s != row.clock_offset_s
                tracker.state, tracker.clock_offset_s = row.state, row.clock_offset_s
                tracker.info = _info_of(row._mapping)

    def _set_state(self, tracker: Tracker, state: str) -> None:
        self._waiting += (state == WAITING) - (tracker.state == WAITING)
        tracker.state = state

    def _join_vehicles(self, connection: Connection, keys: Mapping[str, int]) -> set[str]:
        """Put new devices on the vehicle of the same tracker in another integration, with its whole history."""
        linked: set[str] = set()
        ids = list(keys)
        for start in range(0, len(ids), _KEYS_PER_QUERY):
            part = ids[start : start + _KEYS_PER_QUERY]
            twins = connection.execute(
                select(Device.key, Device.unique_id, Device.vehicle_id)
                .where(Device.unique_id.in_(part), Device.vehicle_id.is_not(None))
                .order_by(Device.key)
            )
            for twin_key, unique_id, vehicle_id in twins.all():
                if unique_id in linked:
                    continue
                linked.add(unique_id)
                connection.execute(
                    update(Device).where(Device.key == keys[unique_id]).values(vehicle_id=vehicle_id, state=KNOWN)
                )
                _copy_assignments(connection, twin_key, keys[unique_id])
        return linked


def neighbours(connection: Connection, device_key: int, at_ms: int) -> Neighbours:
    """The plausible stored fixes around ``at_ms``."""
    where = {"device_key": device_key, "at_ms": at_ms}
    before = connection.execute(_BEFORE, where).first()
    after = connection.execute(_AFTER, where).first()
    return (_fix(before) if before else None), (_fix(after) if after else None)


# Built once: after a start every tracker's first fix asks, and building costs more than the answer.
_HISTORY_FIXES = FixHistory.KEPT // 2
_time = PositionRow.fixed_at_ms
_plausible = select(_time, PositionRow.lat, PositionRow.lon).where(
    PositionRow.device_key == bindparam("device_key"), PositionRow.marks.bitwise_and(NOT_A_REFERENCE) == 0
)
_NEWEST = _plausible.order_by(_time.desc()).limit(_HISTORY_FIXES)
_BEFORE = _plausible.where(_time <= bindparam("at_ms")).order_by(_time.desc()).limit(1)
_AFTER = _plausible.where(_time > bindparam("at_ms")).order_by(_time).limit(1)


def _fix(row: Any) -> Fix:
    return (row[0], row[1], row[2])


def _copy_assignments(connection: Connection, from_key: int, to_key: int) -> None:
    rows = connection.execute(
        select(DeviceAssignment.vehicle_id, DeviceAssignment.from_ms, DeviceAssignment.to_ms).where(
            DeviceAssignment.device_key == from_key
        )
    ).mappings()
    copies = [{**row, "device_key": to_key} for row in rows]
    if copies:
        connection.execute(insert(DeviceAssignment), copies)


def _new_device(
    integration_id: str, unique_id: str, state: str, now_ms: int, described: Mapping[str, Any]
) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "name": "",
        "model": "",
        "phone": "",
        "peer_id": None,
        "group_name": "",
        "visible": True,
        "attributes": {},
    }
    return {
        "id": new_id(),
        "integration_id": integration_id,
        "unique_id": unique_id,
        "state": state,
        "first_seen_ms": now_ms,
        **blank,
        **described,
    }


def _info_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _INFO_FIELDS}


def _changes(tracker: Tracker, info: DeviceInfo) -> dict[str, Any]:
    """The columns in which a device differs from what its server says now."""
    if not info.visible:
        return {"visible": False} if tracker.info["visible"] else {}
    said = _described(info, tracker.info["attributes"])
    changed = {name: value for name, value in said.items() if value != tracker.info[name]}
    if tracker.state in (WAITING, FORGOTTEN):
        changed["state"] = KNOWN
    return changed


def _described(info: DeviceInfo, attributes: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": storable(info.name, 200),
        "model": storable(info.model or "", 100),
        "phone": storable(info.phone or "", 60),
        "peer_id": storable(info.peer_id, 60) if info.peer_id is not None else None,
        "group_name": storable(info.group or "", 200),
        "visible": True,
        "attributes": storable_json({**(info.attributes or {}), "status": info.status, "disabled": info.disabled}),
    }
    if attributes.get(NAMED_HERE):
        del said["name"]
        said["attributes"][NAMED_HERE] = True
    return said
