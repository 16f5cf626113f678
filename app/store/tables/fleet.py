"""The tables of vehicles, trackers and what they report."""

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class Vehicle(Base):
    __tablename__ = "vehicles"

    id = column(String(36), primary_key=True)
    plate = column(String(40), unique=True)
    name = column(String(200), default="")
    make_model = column(String(200), default="")
    notes = column(Text, default="")
    vehicle_class = optional(String(24))  # truck, van …: which parameters of fuel it starts from
    created_at = column(UtcDateTime)
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class Device(Base):
    """A tracker as one integration knows it. ``state``: waiting (inbox), known (adopted), blocked."""

    __tablename__ = "devices"

    key = column(Key, primary_key=True, autoincrement=True)
    id = column(String(36), unique=True)
    integration_id = column(String(36))
    unique_id = column(String(100))  # IMEI or the peer's unique id
    state = column(String(16))
    vehicle_id = optional(String(36), ForeignKey("vehicles.id"))
    name = column(String(200), default="")
    model = column(String(100), default="")
    phone = column(String(60), default="")
    peer_id = optional(String(60))
    group_name = column(String(200), default="")
    visible = column(Boolean, default=True)  # False: no longer in the peer's list
    clock_offset_s = optional(Integer)  # device clock minus UTC; None: what the device declares
    first_seen_ms = column(Key)
    attributes = column(JSON)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("integration_id", "unique_id"),)


class DeviceAssignment(Base):
    """Which vehicle a device was on, from … to (ms, to exclusive; None: still)."""

    __tablename__ = "device_assignments"

    id = column(Key, primary_key=True, autoincrement=True)
    device_key = column(Key, ForeignKey("devices.key"), index=True)
    vehicle_id = column(String(36), ForeignKey("vehicles.id"), index=True)
    from_ms = column(Key)
    to_ms = optional(Key)


class DeviceState(Base):
    """The newest of everything about a device, true up to the position and frame ids in ``store_facts``."""

    __tablename__ = "device_states"

    device_key = column(Key, ForeignKey("devices.key"), primary_key=True)
    last_seen_ms = column(Key)  # arrival of the newest frame of any kind
    last_kind = column(String(32), default="")
    frames = column(Key, default=0)
    blocked_frames = column(Key, default=0)
    position_id = optional(Key)  # newest located fix by fix time
    fixed_at_ms = optional(Key)
    lat = optional(Double)
    lon = optional(Double)
    speed_km_h = optional(Double)
    course_deg = optional(Double)
    marks = column(Integer, default=0)
    power_level = optional(Integer)
    gsm_level = optional(Integer)
    satellites = optional(Integer)
    battery_v = optional(Double)
    battery_percent = optional(Integer)
    external_v = optional(Double)
    charging = optional(Boolean)
    ignition = optional(Boolean)
    clock_lag_s = optional(Integer)  # smoothed device time minus arrival, for the clock warning
    source = column(String(16), default="")
    raw_frame_id = optional(Key)
    changed_version = column(Key, index=True, default=0)


class RawFrameRow(Base):
    """Evidence: the bytes as received and our answer, written with what was read from them."""

    __tablename__ = "raw_frames"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_key = column(Integer)
    device_key = optional(Key)
    received_at_ms = column(Key, index=True)
    protocol = column(String(16))
    peer = column(String(64))
    verdict = column(String(16))
    data = column(LargeBinary)
    reply = column(LargeBinary)


class PositionRow(Base):
    """One fix. ``marks`` is a bit set of :mod:`app.fleet.plausibility`; 0 means nothing to say against it.

    ``fixed_at_ms`` is device time minus ``clock_offset_s``; without a valid device time it is the arrival, marked,
    and ``key_extra`` holds the frame's hash so that two different frames of one instant stay two.
    """

    __tablename__ = "positions"

    id = column(Key, primary_key=True, autoincrement=True)
    device_key = column(Key)
    fixed_at_ms = column(Key)
    received_at_ms = column(Key)
    lat = column(Double)
    lon = column(Double)
    speed_km_h = optional(Double)
    course_deg = optional(Double)
    altitude_m = optional(Double)
    satellites = optional(Integer)
    located = column(Boolean)
    marks = column(Integer)
    clock_offset_s = column(Integer)
    source = column(String(16))
    serial = optional(Integer)
    peer_id = optional(String(40))
    key_extra = column(String(32))
    raw_frame_id = optional(Key)
    attributes = optional(JSON)

    __table_args__ = (
        Index("uq_positions_natural", "device_key", "fixed_at_ms", "lat", "lon", "key_extra", unique=True),
    )


class DeviceEventRow(Base):
    """What a device or its server reported: alarms, fences, ignition."""

    __tablename__ = "device_events"

    id = column(Key, primary_key=True, autoincrement=True)
    device_key = column(Key)
    occurred_at_ms = column(Key)
    received_at_ms = column(Key)
    kind = column(String(40))
    code = column(String(60))
    text = column(Text)
    source = column(String(16))
    lat = optional(Double)
    lon = optional(Double)
    marks = column(Integer)
    peer_id = optional(String(40))
    key_extra = column(String(80))  # "lat,lon", the peer's id, or the frame's hash
    raw_frame_id = optional(Key)
    attributes = optional(JSON)

    __table_args__ = (
        Index("uq_device_events_natural", "device_key", "occurred_at_ms", "code", "key_extra", unique=True),
        Index("ix_device_events_occurred_at_ms", "occurred_at_ms"),
    )


class GeofenceRow(Base):
    __tablename__ = "geofences"

    id = column(String(36), primary_key=True)
    integration_id = column(String(36))
    peer_id = column(String(60))
    name = column(String(300))
    description = column(Text, default="")
    shape = column(String(16))
    points = column(JSON)  # [[lat, lon], …]
    radius_m = optional(Double)
    speed_limit_km_h = optional(Double)
    visible = column(Boolean)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)
