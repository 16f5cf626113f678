"""The vocabulary in which adapters hand over what they learned.

Frozen, slotted dataclasses; units stand in the names; times are milliseconds since 1970-01-01 UTC, as integers,
because a flood of positions must not pay for datetime objects (docs/decisions/0003). Records are validated where
they are made, in the adapter; nothing behind it checks ranges again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from adapters.vocabulary import Attributes, record

if TYPE_CHECKING:
    from adapters.dispatch import DispatchRecord
    from adapters.supply import SupplyRecord


Verdict = Literal["ok", "bad_checksum", "malformed", "unknown_type", "not_attributed", "foreign"]


@record(frozen=True, slots=True)
class RawFrame:
    """The bytes behind one or more records, kept as evidence.

    ``data`` is the frame as received, ``reply`` what we answer after the commit (b"" for nothing),
    ``peer`` the sender's address as text, ``device`` the unique id where it is known.
    """

    protocol: str
    data: bytes
    received_at_ms: int
    peer: str
    device: str | None
    verdict: Verdict = "ok"
    reply: bytes = b""


@record(frozen=True, slots=True)
class Position:
    """One fix of one device. ``fixed_at_ms`` is None where the device sent no valid time.

    lat, lon in degrees WGS 84, south and west negative. ``located`` False means the device had no fix and repeats
    an old one: it is stored, and never moves a vehicle. ``peer_id`` is the record's id at the peer (Traccar).
    ``declared_offset_s`` is the clock offset that the device itself declared (GT06 login): the host subtracts it from
    ``fixed_at_ms`` unless an operator configured one for the device.
    """

    device: str
    fixed_at_ms: int | None
    received_at_ms: int
    lat: float
    lon: float
    speed_km_h: float | None
    course_deg: float | None
    located: bool
    source: str
    serial: int | None = None
    altitude_m: float | None = None
    satellites: int | None = None
    peer_id: str | None = None
    declared_offset_s: int = 0
    attributes: Attributes | None = None
    raw: RawFrame | None = None


@record(frozen=True, slots=True)
class DeviceStatus:
    """Proof that a device is alive, without a position: heartbeat, login, status.

    ``power_level`` and ``gsm_level`` are the raw levels as sent (0 to 6 and 0 to 4 on most trackers).
    """

    device: str
    received_at_ms: int
    source: str
    kind: str
    power_level: int | None = None
    gsm_level: int | None = None
    satellites: int | None = None
    battery_v: float | None = None
    battery_percent: int | None = None
    external_v: float | None = None
    charging: bool | None = None
    ignition: bool | None = None
    attributes: Attributes | None = None
    raw: RawFrame | None = None


@record(frozen=True, slots=True)
class DeviceEvent:
    """Something a device or its server reported: SOS, power cut, fence enter, overspeed.

    ``code`` is the peer's own code as text and part of the identity; ``kind`` our word for it
    (``sos``, ``power_cut``, ``geofence_enter`` …, "alarm" where the meaning is not agreed).
    """

    device: str
    occurred_at_ms: int | None
    received_at_ms: int
    source: str
    kind: str
    code: str
    text: str
    lat: float | None = None
    lon: float | None = None
    peer_id: str | None = None
    declared_offset_s: int = 0
    attributes: Attributes | None = None
    raw: RawFrame | None = None


@record(frozen=True, slots=True)
class DeviceInfo:
    """What a peer says a device is (Traccar device list). ``visible`` False: it disappeared from the peer's list."""

    device: str
    name: str
    peer_id: str | None = None
    model: str | None = None
    phone: str | None = None
    group: str | None = None
    status: str | None = None
    last_update_ms: int | None = None
    disabled: bool = False
    visible: bool = True
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class Geofence:
    """An area of a peer. Exactly one of circle, polygon, corridor is set.

    ``points`` are (lat, lon) pairs in degrees: one for a circle, the ring for a polygon, the line for a corridor.
    ``radius_m`` is the circle's radius or half the corridor's width.
    """

    peer_id: str
    name: str
    shape: Literal["circle", "polygon", "corridor"]
    points: Sequence[tuple[float, float]]
    radius_m: float | None = None
    speed_limit_km_h: float | None = None
    description: str = ""
    visible: bool = True


FuelStatus = Literal["ok", "error", "not_available", "reserved", "out_of_range"]
FuelUnit = Literal["counts", "percent", "litres", "volts", "millimetres"]
SensorKind = Literal["rs485", "can_bus", "obd", "analog", "telematics"]


@record(frozen=True, slots=True)
class FuelSensorInfo:
    """A fuel sensor that a source has: told once at each start and whenever one of its facts changed.

    ``sensor`` is unique within the integration and stays with the sensor (``lls:<port>:<address>``). ``vehicle`` and
    ``tank`` are what the operator wrote into the settings, a plate and a tank's name, "" where nothing was written.
    """

    sensor: str
    kind: SensorKind
    unit: FuelUnit
    name: str
    model: str = ""
    serial: str = ""
    vehicle: str = ""
    tank: str = ""


@record(frozen=True, slots=True)
class FuelReading:
    """One reading of one sensor. ``value`` is in the sensor's unit, None unless ``status`` is "ok".

    Error, reserved and not available of a bus are kept as such, never as numbers.
    """

    sensor: str
    measured_at_ms: int
    received_at_ms: int
    value: float | None
    status: FuelStatus = "ok"
    temperature_c: float | None = None
    attributes: Attributes | None = None
    raw: RawFrame | None = None


@record(frozen=True, slots=True)
class EngineReading:
    """What the engine's computer said at one moment; None for what it did not say."""

    sensor: str
    measured_at_ms: int
    total_fuel_l: float | None = None
    trip_fuel_l: float | None = None
    fuel_rate_l_h: float | None = None
    engine_rpm: float | None = None
    speed_km_h: float | None = None
    engine_hours: float | None = None
    odometer_m: float | None = None


@record(frozen=True, slots=True)
class PushedMessage:
    """A message that a peer pushed, as it came: signed and readable, not understood yet.

    ``message_id`` is the sender's; one that comes twice is stored once.
    """

    message_id: str
    sent_at_ms: int
    received_at_ms: int
    peer: str
    body: bytes


@record(frozen=True, slots=True)
class Rejected:
    """One record that could not be read; the others of its batch are good. ``sample`` is its start, as text."""

    key: str
    why: str
    sample: str = ""


OwnRecord = (
    RawFrame
    | Position
    | DeviceStatus
    | DeviceEvent
    | DeviceInfo
    | Geofence
    | FuelSensorInfo
    | FuelReading
    | EngineReading
    | PushedMessage
    | Rejected
)
if TYPE_CHECKING:
    Record = OwnRecord | SupplyRecord | DispatchRecord
else:
    Record = OwnRecord  # the other vocabularies are loaded by who uses them: a window's start needs neither


@record(frozen=True, slots=True)
class Batch:
    """Records and the cursors that are true once they are stored, saved in one transaction.

    ``cursors`` maps a stream's name to its new value.
    Raw frames that belong to a record travel in its ``raw``; a RawFrame in ``records`` stands alone.
    """

    records: Sequence[Record] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)
