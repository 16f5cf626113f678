"""Every table of the store, one class each.

Entities (integrations, devices, vehicles, geofences) carry a UUIDv7 ``id`` that is the same on every site; where
telemetry points at them they also have a small integer ``key`` of this store. Telemetry has integer ids and a
natural unique key, so that a repeated frame is stored once. Times of telemetry are milliseconds since 1970 UTC
(``…_ms``, docs/decisions/0003), all others aware UTC times. ``changed_version`` is the version of the row's topic
in ``changes`` when the row was last written: a page re-reads what is newer than what it has.
"""

# Annotations are no text here, as they are elsewhere: SQLAlchemy would evaluate each of them at every start.
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.store.types import Key, UtcDateTime


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class Integration(Base):
    """One configured integration; the platform's columns first. ``config`` never holds a secret."""

    __tablename__ = "integrations"

    id: Mapped[str] = mapped_column(String(36), unique=True)
    type: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(16))  # active, inactive, configured, error
    config: Mapped[dict[str, Any]]
    last_sync: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    key: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    enabled: Mapped[bool]
    removed_at: Mapped[datetime | None]
    peer_unique_id: Mapped[str | None] = mapped_column(String(300))
    secrets_version: Mapped[int] = mapped_column(default=0)  # raised when a secret changes: the engine restarts it
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)


class IntegrationLog(Base):
    """The event log: every run, every loss and return of a peer; the platform's columns."""

    __tablename__ = "integration_logs"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    integration_id: Mapped[str | None] = mapped_column(String(36))  # None: the console itself
    event_type: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)
    text: Mapped[str] = mapped_column(Text, default="")  # one sentence, what the search reads

    # The index over the text itself is each database's own; app.store.logs and the first migration describe it.
    __table_args__ = (
        Index("ix_integration_logs_integration_id_id", "integration_id", "id"),
        Index("ix_integration_logs_event_type_id", "event_type", "id"),
        Index("ix_integration_logs_integration_id_event_type_id", "integration_id", "event_type", "id"),
    )


class IntegrationState(Base):
    """What the engine knows of one integration now: the phase behind the platform's four words."""

    __tablename__ = "integration_states"

    integration_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    phase: Mapped[str] = mapped_column(String(24))
    reason: Mapped[str] = mapped_column(Text, default="")  # what failed and what to do, one or two sentences
    error_kind: Mapped[str] = mapped_column(String(32), default="")  # class name in adapters.errors
    since: Mapped[datetime]
    next_try: Mapped[datetime | None]
    last_success: Mapped[datetime | None]
    last_data: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)  # tries in a row that failed
    detail: Mapped[dict[str, Any]]  # identity, version, streams, addresses listened on
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)


class IntegrationDay(Base):
    """One UTC day of one integration, for the 30-day analytics."""

    __tablename__ = "integration_days"

    integration_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    runs: Mapped[int] = mapped_column(default=0)
    runs_failed: Mapped[int] = mapped_column(default=0)
    records: Mapped[int] = mapped_column(Key, default=0)
    duration_ms: Mapped[int] = mapped_column(Key, default=0)
    delay_ms: Mapped[int] = mapped_column(Key, default=0)  # sum over positions of arrival minus fix
    counters: Mapped[dict[str, Any]]  # skipped_bytes, bad_checksum, refused_connections …


class Cursor(Base):
    """How far a stream was read; saved in the transaction that stored its records."""

    __tablename__ = "cursors"

    integration_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    stream: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[datetime]


class Command(Base):
    """A wish of a console or a one-shot command to the engine, and its outcome."""

    __tablename__ = "commands"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))  # sync, check, engine.stop
    integration_id: Mapped[str | None] = mapped_column(String(36))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None] = mapped_column(index=True)
    outcome: Mapped[dict[str, Any] | None]


class Change(Base):
    """The version of each topic; every writing transaction raises the topics it touches, first."""

    __tablename__ = "changes"

    topic: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(Key)


class Act(Base):
    """An operator's act, hash-linked to the one before it."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(200))
    host: Mapped[str] = mapped_column(String(200))
    what: Mapped[str] = mapped_column(String(80))  # integration.add, device.adopt …
    subject: Mapped[str] = mapped_column(String(300))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Vehicle(Base):
    __tablename__ = "vehicles"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plate: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    make_model: Mapped[str] = mapped_column(String(200), default="")
    notes: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)


class Device(Base):
    """A tracker as one integration knows it. ``state``: waiting (inbox), known (adopted), blocked."""

    __tablename__ = "devices"

    key: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    integration_id: Mapped[str] = mapped_column(String(36))
    unique_id: Mapped[str] = mapped_column(String(100))  # IMEI or the peer's unique id
    state: Mapped[str] = mapped_column(String(16))
    vehicle_id: Mapped[str | None] = mapped_column(ForeignKey("vehicles.id"))
    name: Mapped[str] = mapped_column(String(200), default="")
    model: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str] = mapped_column(String(60), default="")
    peer_id: Mapped[str | None] = mapped_column(String(60))
    group_name: Mapped[str] = mapped_column(String(200), default="")
    visible: Mapped[bool] = mapped_column(default=True)  # False: no longer in the peer's list
    clock_offset_s: Mapped[int | None]  # device clock minus UTC; None: what the device declares
    first_seen_ms: Mapped[int] = mapped_column(Key)
    attributes: Mapped[dict[str, Any]]
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("integration_id", "unique_id"),)


class DeviceAssignment(Base):
    """Which vehicle a device was on, from … to (ms, to exclusive; None: still)."""

    __tablename__ = "device_assignments"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    device_key: Mapped[int] = mapped_column(ForeignKey("devices.key"), index=True)
    vehicle_id: Mapped[str] = mapped_column(ForeignKey("vehicles.id"), index=True)
    from_ms: Mapped[int] = mapped_column(Key)
    to_ms: Mapped[int | None] = mapped_column(Key)


class DeviceState(Base):
    """The newest of everything about a device, true up to the position and frame ids in ``store_facts``."""

    __tablename__ = "device_states"

    device_key: Mapped[int] = mapped_column(ForeignKey("devices.key"), primary_key=True)
    last_seen_ms: Mapped[int] = mapped_column(Key)  # arrival of the newest frame of any kind
    last_kind: Mapped[str] = mapped_column(String(32), default="")
    frames: Mapped[int] = mapped_column(Key, default=0)
    blocked_frames: Mapped[int] = mapped_column(Key, default=0)
    position_id: Mapped[int | None] = mapped_column(Key)  # newest located fix by fix time
    fixed_at_ms: Mapped[int | None] = mapped_column(Key)
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    speed_km_h: Mapped[float | None]
    course_deg: Mapped[float | None]
    marks: Mapped[int] = mapped_column(default=0)
    power_level: Mapped[int | None]
    gsm_level: Mapped[int | None]
    satellites: Mapped[int | None]
    battery_v: Mapped[float | None]
    external_v: Mapped[float | None]
    charging: Mapped[bool | None]
    ignition: Mapped[bool | None]
    clock_lag_s: Mapped[int | None]  # smoothed device time minus arrival, for the clock warning
    source: Mapped[str] = mapped_column(String(16), default="")
    raw_frame_id: Mapped[int | None] = mapped_column(Key)
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)


class RawFrameRow(Base):
    """Evidence: the bytes as received and our answer, written with what was read from them."""

    __tablename__ = "raw_frames"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    integration_key: Mapped[int]
    device_key: Mapped[int | None] = mapped_column(Key)
    received_at_ms: Mapped[int] = mapped_column(Key, index=True)
    protocol: Mapped[str] = mapped_column(String(16))
    peer: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    data: Mapped[bytes]
    reply: Mapped[bytes]


class PositionRow(Base):
    """One fix. ``marks`` is a bit set of :mod:`app.fleet.plausibility`; 0 means nothing to say against it.

    ``fixed_at_ms`` is device time minus ``clock_offset_s``; without a valid device time it is the arrival, marked,
    and ``key_extra`` holds the frame's hash so that two different frames of one instant stay two.
    """

    __tablename__ = "positions"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    device_key: Mapped[int] = mapped_column(Key)
    fixed_at_ms: Mapped[int] = mapped_column(Key)
    received_at_ms: Mapped[int] = mapped_column(Key)
    lat: Mapped[float]
    lon: Mapped[float]
    speed_km_h: Mapped[float | None]
    course_deg: Mapped[float | None]
    altitude_m: Mapped[float | None]
    satellites: Mapped[int | None]
    located: Mapped[bool]
    marks: Mapped[int]
    clock_offset_s: Mapped[int]
    source: Mapped[str] = mapped_column(String(16))
    serial: Mapped[int | None]
    peer_id: Mapped[str | None] = mapped_column(String(40))
    key_extra: Mapped[str] = mapped_column(String(32))
    raw_frame_id: Mapped[int | None] = mapped_column(Key)
    attributes: Mapped[dict[str, Any] | None]

    __table_args__ = (
        Index("uq_positions_natural", "device_key", "fixed_at_ms", "lat", "lon", "key_extra", unique=True),
    )


class DeviceEventRow(Base):
    """What a device or its server reported: alarms, fences, ignition."""

    __tablename__ = "device_events"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    device_key: Mapped[int] = mapped_column(Key)
    occurred_at_ms: Mapped[int] = mapped_column(Key)
    received_at_ms: Mapped[int] = mapped_column(Key)
    kind: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(16))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    marks: Mapped[int]
    peer_id: Mapped[str | None] = mapped_column(String(40))
    key_extra: Mapped[str] = mapped_column(String(80))  # "lat,lon", the peer's id, or the frame's hash
    raw_frame_id: Mapped[int | None] = mapped_column(Key)
    attributes: Mapped[dict[str, Any] | None]

    __table_args__ = (
        Index("uq_device_events_natural", "device_key", "occurred_at_ms", "code", "key_extra", unique=True),
        Index("ix_device_events_occurred_at_ms", "occurred_at_ms"),
    )


class GeofenceRow(Base):
    __tablename__ = "geofences"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    integration_id: Mapped[str] = mapped_column(String(36))
    peer_id: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(300))
    description: Mapped[str] = mapped_column(Text, default="")
    shape: Mapped[str] = mapped_column(String(16))
    points: Mapped[list[Any]]  # [[lat, lon], …]
    radius_m: Mapped[float | None]
    speed_limit_km_h: Mapped[float | None]
    visible: Mapped[bool]
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class RejectedRecord(Base):
    """A record set aside: unreadable or refused; never blocks the others."""

    __tablename__ = "rejected_records"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    integration_id: Mapped[str] = mapped_column(String(36), index=True)
    record_key: Mapped[str] = mapped_column(String(300))
    why: Mapped[str] = mapped_column(Text)
    sample: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Problem(Base):
    """Something only a person can fix, with the next step; cleared when it is over."""

    __tablename__ = "problems"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    problem_key: Mapped[str] = mapped_column(String(200), index=True)  # e.g. sign_in:<integration id>
    integration_id: Mapped[str | None] = mapped_column(String(36))
    title: Mapped[str] = mapped_column(String(300))
    detail: Mapped[str] = mapped_column(Text)
    fix: Mapped[str] = mapped_column(String(40))  # what the button does: sign_in, settings, start_engine, none
    since: Mapped[datetime]
    cleared_at: Mapped[datetime | None] = mapped_column(index=True)
    changed_version: Mapped[int] = mapped_column(Key, index=True, default=0)


class StoreFact(Base):
    """Single facts: engine heartbeat, retention, up to which id device_states are true, last recovery."""

    __tablename__ = "store_facts"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any]]
