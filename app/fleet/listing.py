"""Trackers, and drivers' phones beside them, as pages and the command line list them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from sqlalchemy import Connection, not_, select

from app.clock import SystemClock
from app.fleet.freshness import Freshness, clock_warning, freshness
from app.fleet.phones import is_phone
from app.fleet.plausibility import mark_names
from app.fleet.registry import FORGOTTEN
from app.fleet.times import iso_ms
from app.store.tables import Device, DeviceState, Vehicle


@dataclass(frozen=True, slots=True)
class DeviceListing:
    """One tracker of one integration, with the newest that is known of it. Ages are measured to ``now_ms``.

    ``is_phone``: it is no tracker but a driver's phone, and stands for the driver.
    """

    ROW_COLUMNS: ClassVar[tuple[str, ...]] = (
        "device",
        "state",
        "vehicle",
        "integration_id",
        "name",
        "model",
        "phone",
        "group",
        "visible",
        "freshness",
        "last_seen",
        "age_s",
        "last_kind",
        "fixed_at",
        "lat",
        "lon",
        "speed_km_h",
        "course_deg",
        "marks",
        "power_level",
        "gsm_level",
        "satellites",
        "battery_v",
        "battery_percent",
        "external_v",
        "charging",
        "ignition",
        "clock_offset_s",
        "clock_warning",
        "frames",
        "blocked_frames",
        "source",
        "first_seen",
        "id",
        "kind",
    )
    """The names that :meth:`as_row` gives."""

    key: int
    id: str
    integration_id: str
    unique_id: str
    state: str
    name: str
    vehicle_id: str | None
    vehicle: str | None
    model: str
    phone: str
    group: str
    visible: bool
    clock_offset_s: int | None
    first_seen_ms: int
    last_seen_ms: int | None
    last_kind: str
    fixed_at_ms: int | None
    lat: float | None
    lon: float | None
    speed_km_h: float | None
    course_deg: float | None
    marks: int
    power_level: int | None
    gsm_level: int | None
    satellites: int | None
    battery_v: float | None
    battery_percent: int | None
    external_v: float | None
    charging: bool | None
    ignition: bool | None
    clock_lag_s: int | None
    frames: int
    blocked_frames: int
    source: str
    raw_frame_id: int | None
    position_id: int | None
    peer_id: str | None
    is_phone: bool
    now_ms: int

    @property
    def label(self) -> str:
        """What the map and the lists call it: plate, else name, else unique id."""
        return self.vehicle or self.name or self.unique_id

    @property
    def is_from_server(self) -> bool:
        """Whether a server lists the device, instead of the tracker speaking to us itself."""
        return self.peer_id is not None

    @property
    def age_s(self) -> int | None:
        """Seconds since the last frame; never negative."""
        return None if self.last_seen_ms is None else max(0, (self.now_ms - self.last_seen_ms) // 1000)

    @property
    def freshness(self) -> Freshness:
        return freshness(self.last_seen_ms, self.now_ms)

    @property
    def clock_warning(self) -> str:
        """A sentence when the tracker's clock seems to keep another zone, else ""."""
        return clock_warning(self.clock_lag_s, self.clock_offset_s or 0)

    def as_row(self) -> dict[str, Any]:
        """As the command line and exports give it: times in ISO 8601, marks by name."""
        return {
            "device": self.unique_id,
            "state": self.state,
            "vehicle": self.vehicle,
            "integration_id": self.integration_id,
            "name": self.name,
            "model": self.model,
            "phone": self.phone,
            "group": self.group,
            "visible": self.visible,
            "freshness": self.freshness.value,
            "last_seen": iso_ms(self.last_seen_ms),
            "age_s": self.age_s,
            "last_kind": self.last_kind,
            "fixed_at": iso_ms(self.fixed_at_ms),
            "lat": self.lat,
            "lon": self.lon,
            "speed_km_h": self.speed_km_h,
            "course_deg": self.course_deg,
            "marks": mark_names(self.marks),
            "power_level": self.power_level,
            "gsm_level": self.gsm_level,
            "satellites": self.satellites,
            "battery_v": self.battery_v,
            "battery_percent": self.battery_percent,
            "external_v": self.external_v,
            "charging": self.charging,
            "ignition": self.ignition,
            "clock_offset_s": self.clock_offset_s,
            "clock_warning": self.clock_warning,
            "frames": self.frames,
            "blocked_frames": self.blocked_frames,
            "source": self.source,
            "first_seen": iso_ms(self.first_seen_ms),
            "id": self.id,
            "kind": "phone" if self.is_phone else "tracker",
        }


def list_devices(
    connection: Connection,
    now_ms: int | None = None,
    *,
    states: frozenset[str] | None = None,
    wanted: str | None = None,
    phones: bool | None = None,
) -> list[DeviceListing]:
    """Devices by unique id, the forgotten ones left out unless ``states`` names them.

    ``wanted`` limits the list to one IMEI, unique id or id; ``phones`` to drivers' phones (True) or to trackers
    (False). Without ``now_ms`` ages are measured to the machine's own clock.
    """
    moment_ms = SystemClock().now_ms() if now_ms is None else now_ms
    device, state = Device, DeviceState
    query = (
        select(
            device.key,
            device.id,
            device.integration_id,
            device.unique_id,
            device.state,
            device.name,
            device.vehicle_id,
            Vehicle.plate,
            device.model,
            device.phone,
            device.group_name,
            device.visible,
            device.clock_offset_s,
            device.first_seen_ms,
            state.last_seen_ms,
            state.last_kind,
            state.fixed_at_ms,
            state.lat,
            state.lon,
            state.speed_km_h,
            state.course_deg,
            state.marks,
            state.power_level,
            state.gsm_level,
            state.satellites,
            state.battery_v,
            state.battery_percent,
            state.external_v,
            state.charging,
            state.ignition,
            state.clock_lag_s,
            state.frames,
            state.blocked_frames,
            state.source,
            state.raw_frame_id,
            state.position_id,
            device.peer_id,
            is_phone(),
        )
        .outerjoin(state, state.device_key == device.key)
        .outerjoin(Vehicle, Vehicle.id == device.vehicle_id)
        .order_by(device.unique_id, device.key)
    )
    query = query.where(device.state != FORGOTTEN) if states is None else query.where(device.state.in_(states))
    if wanted is not None:
        query = query.where((device.unique_id == wanted) | (device.id == wanted))
    if phones is not None:
        query = query.where(is_phone() if phones else not_(is_phone()))
    return [_listing(row, moment_ms) for row in connection.execute(query)]


def _listing(row: Any, now_ms: int) -> DeviceListing:
    values: list[Any] = [*row, now_ms]
    for index, blank in _BLANKS.items():
        if values[index] is None:
            values[index] = blank
    if values[_LAST_SEEN] == 0:  # only ever listed by its server
        values[_LAST_SEEN] = None
    return DeviceListing(*values)


_FIELDS = [field.name for field in fields(DeviceListing)]
_LAST_SEEN = _FIELDS.index("last_seen_ms")
_BLANKS: dict[int, Any] = {
    **{_FIELDS.index(name): "" for name in ("last_kind", "source")},
    **{_FIELDS.index(name): 0 for name in ("marks", "frames", "blocked_frames")},
}
