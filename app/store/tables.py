"""Every table of the store, one class each.

Entities (integrations, devices, vehicles, geofences) carry a UUIDv7 ``id`` that is the same on every site; where
telemetry points at them they also have a small integer ``key`` of this store. Telemetry has integer ids and a
natural unique key, so that a repeated frame is stored once. Times of telemetry are milliseconds since 1970 UTC
(``…_ms``, docs/decisions/0003), all others aware UTC times. ``changed_version`` is the version of the row's topic
in ``changes`` when the row was last written: a page re-reads what is newer than what it has.
"""

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class Integration(Base):
    """One configured integration; the platform's columns first. ``config`` never holds a secret."""

    __tablename__ = "integrations"

    id = column(String(36), unique=True)
    type = column(String(64))
    name = column(String(200))
    status = column(String(16))  # active, inactive, configured, error
    config = column(JSON)
    last_sync = optional(UtcDateTime)
    created_at = column(UtcDateTime)
    updated_at = column(UtcDateTime)
    key = column(Key, primary_key=True, autoincrement=True)
    enabled = column(Boolean)
    removed_at = optional(UtcDateTime)
    peer_unique_id = optional(String(300))
    secrets_version = column(Integer, default=0)  # raised when a secret changes: the engine restarts it
    changed_version = column(Key, index=True, default=0)


class IntegrationLog(Base):
    """The event log: every run, every loss and return of a peer; the platform's columns."""

    __tablename__ = "integration_logs"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_id = optional(String(36))  # None: the console itself
    event_type = column(String(64))
    payload = column(JSON)
    created_at = column(UtcDateTime, index=True)
    text = column(Text, default="")  # one sentence, what the search reads

    # The index over the text itself is each database's own; app.store.logs and the first migration describe it.
    __table_args__ = (
        Index("ix_integration_logs_integration_id_id", "integration_id", "id"),
        Index("ix_integration_logs_event_type_id", "event_type", "id"),
        Index("ix_integration_logs_integration_id_event_type_id", "integration_id", "event_type", "id"),
    )


class IntegrationState(Base):
    """What the engine knows of one integration now: the phase behind the platform's four words."""

    __tablename__ = "integration_states"

    integration_id = column(String(36), primary_key=True)
    phase = column(String(24))
    reason = column(Text, default="")  # what failed and what to do, one or two sentences
    error_kind = column(String(32), default="")  # class name in adapters.errors
    since = column(UtcDateTime)
    next_try = optional(UtcDateTime)
    last_success = optional(UtcDateTime)
    last_data = optional(UtcDateTime)
    failures = column(Integer, default=0)  # tries in a row that failed
    detail = column(JSON)  # identity, version, streams, addresses listened on
    changed_version = column(Key, index=True, default=0)


class IntegrationDay(Base):
    """One UTC day of one integration, for the 30-day analytics."""

    __tablename__ = "integration_days"

    integration_id = column(String(36), primary_key=True)
    day = column(String(10), primary_key=True)
    runs = column(Integer, default=0)
    runs_failed = column(Integer, default=0)
    records = column(Key, default=0)
    duration_ms = column(Key, default=0)
    delay_ms = column(Key, default=0)  # sum over positions of arrival minus fix
    counters = column(JSON)  # skipped_bytes, bad_checksum, refused_connections …


class Cursor(Base):
    """How far a stream was read; saved in the transaction that stored its records."""

    __tablename__ = "cursors"

    integration_id = column(String(36), primary_key=True)
    stream = column(String(200), primary_key=True)
    value = column(Text)
    saved_at = column(UtcDateTime)


class Command(Base):
    """A wish of a console or a one-shot command to the engine, and its outcome."""

    __tablename__ = "commands"

    id = column(String(36), primary_key=True)
    name = column(String(40))  # sync, check, engine.stop
    integration_id = optional(String(36))
    payload = column(JSON)
    created_at = column(UtcDateTime)
    taken_at = optional(UtcDateTime)
    done_at = optional(UtcDateTime, index=True)
    outcome = optional(JSON)


class Change(Base):
    """The version of each topic; every writing transaction raises the topics it touches, first."""

    __tablename__ = "changes"

    topic = column(String(40), primary_key=True)
    version = column(Key)


class Act(Base):
    """An operator's act, hash-linked to the one before it."""

    __tablename__ = "acts"

    id = column(Key, primary_key=True, autoincrement=True)
    at = column(UtcDateTime, index=True)
    who = column(String(200))
    host = column(String(200))
    what = column(String(80))  # integration.add, device.adopt …
    subject = column(String(300))
    before = optional(JSON)
    after = optional(JSON)
    previous_hash = column(String(64))
    hash = column(String(64))


class Vehicle(Base):
    __tablename__ = "vehicles"

    id = column(String(36), primary_key=True)
    plate = column(String(40), unique=True)
    name = column(String(200), default="")
    make_model = column(String(200), default="")
    notes = column(Text, default="")
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


class RejectedRecord(Base):
    """A record set aside: unreadable or refused; never blocks the others."""

    __tablename__ = "rejected_records"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_id = column(String(36), index=True)
    record_key = column(String(300))
    why = column(Text)
    sample = column(Text)
    at = column(UtcDateTime)


class Problem(Base):
    """Something only a person can fix, with the next step; cleared when it is over."""

    __tablename__ = "problems"

    id = column(Key, primary_key=True, autoincrement=True)
    problem_key = column(String(200), index=True)  # e.g. sign_in:<integration id>
    integration_id = optional(String(36))
    title = column(String(300))
    detail = column(Text)
    fix = column(String(40))  # what the button does: sign_in, settings, start_engine, none
    since = column(UtcDateTime)
    cleared_at = optional(UtcDateTime, index=True)
    changed_version = column(Key, index=True, default=0)


class StoreFact(Base):
    """Single facts: engine heartbeat, retention, up to which id device_states are true, last recovery."""

    __tablename__ = "store_facts"

    name = column(String(60), primary_key=True)
    value = column(JSON)
