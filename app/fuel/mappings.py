"""Values in a tracker's messages as a fuel sensor: which attribute of which tracker, in which unit, read how.

A mapping is a row of ``fuel_sensors`` like any other sensor; what it does with messages stands in
:mod:`app.fuel.telematics`. Nobody agrees on the unit of an attribute (fuel-sensors.md 6), so the operator says it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from adapters.vocabulary import Attributes
from app.clock import SystemClock, from_ms
from app.fleet.errors import NotFound
from app.fleet.text import storable
from app.fuel.errors import FuelError
from app.fuel.tanks import bind_sensor
from app.fuel.units import forget_former_units
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact
from app.store.ids import new_id
from app.store.tables import Device, FuelSensor, PositionRow, Tank, Vehicle

KINDS: Final = ("telematics", "analog")
UNITS: Final = ("counts", "percent", "litres", "volts", "millimetres")
FACT: Final = "fuel_telematics"
FROM_THE_BEGINNING_MS: Final = -(2**62)
MOST_MEDIAN: Final = 15
LOOKED_AT: Final = 200
"""Newest positions of a tracker that suggestions are made from."""

LARGEST: Final = 1e9
"""No sensor of any unit tells more."""

_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
_ANALOGUE = re.compile(r"^(adc|ain|analog)", re.IGNORECASE)
_LIKELY: Final = (
    (re.compile(r"^fuelLevel$", re.IGNORECASE), "percent", 90, "the usual name of a level in percent"),
    (re.compile(r"^fuel\d*$", re.IGNORECASE), "litres", 85, "named fuel; its unit varies by tracker, choose it"),
    (re.compile(r"(lls|level|fls|oil)", re.IGNORECASE), "counts", 60, "named like a level"),
    (re.compile(r"^(adc|ain|analog)\w*$", re.IGNORECASE), "volts", 50, "an analogue input"),
    (re.compile(r"^io\d+$", re.IGNORECASE), "counts", 20, "a numbered value of the tracker"),
)
_NO_LEVEL = re.compile(r"(used|consumption|temp|state|total|battery|satellite|distance|hours)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """How an attribute becomes a value: number × scale + offset.

    ``ignition_only``: the sender is fed by the ignition, so that nothing counts while it is off. ``median`` is the
    number of newest values whose median counts; 1 takes each as it is.
    """

    attribute: str
    scale: float = 1.0
    offset: float = 0.0
    ignition_only: bool = False
    median: int = 1


@dataclass(frozen=True, slots=True)
class MappingRow:
    """A mapping as it stands."""

    sensor_key: int
    sensor_id: str
    device_key: int
    unique_id: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An attribute of a tracker that looks like fuel; the likeliest first."""

    attribute: str
    unit: str
    likelihood: int  # 0 to 100
    why: str
    newest: float
    least: float
    most: float
    count: int


@dataclass(frozen=True, slots=True)
class Message:
    """What one stored position told beside its place."""

    at_ms: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Preview:
    """What a reading makes of the newest messages: of ``messages``, so many hold the attribute, so many count.

    ``number`` is the newest as it was told, ``value`` what it becomes; ``least`` to ``most`` are those that count.
    """

    messages: int
    holding: int
    counting: int
    at_ms: int | None = None
    number: float | None = None
    value: float | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class MappingListing:
    """A mapping with the tracker that it reads and the tank that it measures ("" while it waits for one)."""

    sensor_id: str
    device_id: str
    device: str
    tracker: str
    vehicle_id: str | None
    vehicle: str
    tank_id: str | None
    plate: str
    tank: str
    integration_id: str
    name: str
    unit: str
    reading: Reading
    last_ms: int | None
    last_value: float | None

    def as_row(self) -> dict[str, Any]:
        """For commands."""
        measured_at = None if self.last_ms is None else from_ms(self.last_ms)
        return {
            "id": self.sensor_id,
            "device": self.device,
            "integration_id": self.integration_id,
            "vehicle": self.plate or None,
            "tank": self.tank,
            **asdict(self.reading),
            "unit": self.unit,
            "value": self.last_value,
            "measured_at": measured_at,
            "name": self.name,
        }


def number_in(value: object) -> float | None:
    """The number that an attribute holds: itself, or the first one in a text; None for what no sensor tells."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        found = _NUMBER.search(value)
        if found is None:
            return None
        value = float(found.group().replace(",", "."))  # "1e999" is infinite
    return float(value) if abs(value) < LARGEST else None  # NaN compares with nothing


def value_of(reading: Reading, attributes: Attributes) -> float | None:
    """What a reading makes of a message's attributes; None where it has nothing to say."""
    if reading.ignition_only and attributes.get("ignition") is not True:
        return None
    number = number_in(attributes.get(reading.attribute))
    return None if number is None else scaled(reading, number)


def scaled(reading: Reading, number: float) -> float:
    return number * reading.scale + reading.offset


def newest_messages(connection: Connection, device_id: str) -> list[Message]:
    """The newest positions of a tracker that carry attributes, the newest first. Raises NotFound."""
    device = _device(connection, device_id)
    query = (
        select(PositionRow.fixed_at_ms, PositionRow.attributes)
        .where(PositionRow.device_key == device.key, PositionRow.attributes.is_not(None))
        .order_by(PositionRow.fixed_at_ms.desc())
        .limit(LOOKED_AT)
    )
    return [Message(row.fixed_at_ms, row.attributes or {}) for row in connection.execute(query)]


def suggest_mappings(connection: Connection, device_id: str) -> list[Suggestion]:
    """What of a tracker's newest messages may be a fuel level. Raises NotFound."""
    return suggestions_of(newest_messages(connection, device_id))


def suggestions_of(messages: Sequence[Message], *, with_unlikely: bool = False) -> list[Suggestion]:
    """The attributes that may be a fuel level, the likeliest first; ``with_unlikely``: then every other number."""
    values: dict[str, list[float]] = {}
    for message in messages:
        for name, value in message.attributes.items():
            number = number_in(value)
            if number is not None:
                values.setdefault(name, []).append(number)
    found = [_suggestion(name, numbers) for name, numbers in values.items()]
    return sorted(
        (one for one in found if with_unlikely or one.likelihood), key=lambda one: (-one.likelihood, one.attribute)
    )


def _suggestion(name: str, numbers: list[float]) -> Suggestion:
    least, most = min(numbers), max(numbers)
    told = (numbers[0], least, most, len(numbers))
    likely = () if _NO_LEVEL.search(name) else _LIKELY
    for pattern, unit, likelihood, why in likely:
        if pattern.search(name):
            if least == most:
                return Suggestion(name, unit, likelihood - 15, f"{why}; it did not change lately", *told)
            return Suggestion(name, unit, likelihood, why, *told)
    return Suggestion(name, "counts", 0, "", *told)


def preview_of(messages: Sequence[Message], reading: Reading) -> Preview:
    """What a reading would have made of messages (the newest first), before anything is saved."""
    told = [(one, value) for one in messages if (value := value_of(reading, one.attributes)) is not None]
    holding = sum(number_in(one.attributes.get(reading.attribute)) is not None for one in messages)
    if not told:
        return Preview(len(messages), holding, 0)
    values = trailing_medians([value for _one, value in reversed(told)], [], reading.median)
    newest = told[0][0]
    number = number_in(newest.attributes.get(reading.attribute))
    return Preview(
        len(messages), holding, len(told), newest.at_ms, number, values[-1], min(values), max(values)
    )  # fmt: skip


def add_mapping(
    connection: Connection,
    device_id: str,
    reading: Reading,
    *,
    unit: str,
    tank_id: str | None = None,
    name: str = "",
    who: str | None = None,
) -> str:
    """A sensor out of an attribute of a tracker, its stored history included; returns the sensor's id.

    Raises NotFound, FuelError for settings that cannot be and for an attribute that is mapped already.
    """
    device = _device(connection, device_id)
    checked = _checked(reading, unit)
    unique_id = f"{device.unique_id}:{checked.attribute}"[:200]
    known = select(FuelSensor.__table__).where(
        FuelSensor.integration_id == device.integration_id, FuelSensor.unique_id == unique_id
    )
    row = connection.execute(known).first()
    if row is not None and row.removed_at is None:
        raise FuelError(f"{checked.attribute} of this tracker is a fuel sensor already. Change that one instead.")
    version = raise_topic(connection, "fuel_sensors")
    values = {
        "kind": "analog" if _ANALOGUE.match(checked.attribute) else "telematics",
        "unit": unit,
        "name": storable(name.strip() or f"{checked.attribute} of {device.name or device.unique_id}", 200),
        "settings": {"device_key": device.key, **asdict(checked)},
        "removed_at": None,
        "changed_version": version,
    }
    if row is None:
        sensor_id = new_id()
        whose = {"id": sensor_id, "integration_id": device.integration_id, "unique_id": unique_id}
        first = {"first_seen_ms": SystemClock().now_ms()}
        statement = insert(FuelSensor).values(**whose, **values, **first).returning(FuelSensor.key)
        key = connection.execute(statement).scalar_one()
    else:
        sensor_id, key = row.id, row.key
        connection.execute(update(FuelSensor).where(FuelSensor.key == key).values(**values))
    _replay(connection, key, clear=row is not None)
    after = {"unit": unit, **asdict(checked)}
    record_act(connection, what="fuel_sensor.map", subject=unique_id, after=after, who=who)
    if tank_id is not None:
        bind_sensor(connection, sensor_id, tank_id, who=who)
    return sensor_id


def change_mapping(
    connection: Connection, sensor_id: str, reading: Reading, *, unit: str, who: str | None = None
) -> None:
    """Read the attribute otherwise, from the beginning: its readings are made anew. Raises NotFound, FuelError.

    Those that came with a position out of the position; those of messages without one out of the number that they
    keep (:mod:`app.fuel.telematics`), so that none is lost.
    """
    query = select(FuelSensor.__table__).where(FuelSensor.id == sensor_id, FuelSensor.removed_at.is_(None))
    row = connection.execute(query).first()
    if row is None or "device_key" not in row.settings:
        raise NotFound("This sensor is no value of a tracker. Load the list again.")
    checked = _checked(reading, unit)
    if checked.attribute != row.settings["attribute"]:
        raise FuelError("Another attribute is another sensor. Add that one, and remove this.")
    version = raise_topic(connection, "fuel_sensors")
    settings = {**row.settings, **asdict(checked)}
    values = {"unit": unit, "settings": settings, "changed_version": version}
    connection.execute(update(FuelSensor).where(FuelSensor.key == row.key).values(**values))
    _replay(connection, row.key, clear=True)
    before = {"unit": row.unit, **row.settings}
    record_act(
        connection, what="fuel_sensor.map", subject=row.unique_id, before=before, after={"unit": unit, **settings},
        who=who,
    )  # fmt: skip


def list_mappings(connection: Connection) -> list[MappingRow]:
    """Every mapping that stands."""
    query = select(FuelSensor.__table__).where(FuelSensor.kind.in_(KINDS), FuelSensor.removed_at.is_(None))
    return [
        MappingRow(row.key, row.id, int(row.settings["device_key"]), row.unique_id, _reading(row.settings))
        for row in connection.execute(query)
        if "device_key" in row.settings
    ]


def _reading(settings: Mapping[str, Any]) -> Reading:
    return Reading(**{name: settings[name] for name in Reading.__dataclass_fields__})


def describe_mappings(connection: Connection) -> list[MappingListing]:
    """Every mapping that stands, by the vehicle that it measures, the waiting ones first."""
    own = Vehicle.__table__.alias()
    query = (
        select(
            FuelSensor.__table__, Device.id.label("device_id"), Device.unique_id.label("device"),
            Device.name.label("device_name"), own.c.id.label("vehicle_id"), own.c.plate.label("vehicle"),
            Vehicle.plate, Tank.name.label("tank"),
        )
        .join(Device, Device.key == FuelSensor.settings["device_key"].as_integer())
        .outerjoin(own, own.c.id == Device.vehicle_id)
        .outerjoin(Tank, Tank.id == FuelSensor.tank_id)
        .outerjoin(Vehicle, Vehicle.id == Tank.vehicle_id)
        .where(FuelSensor.kind.in_(KINDS), FuelSensor.removed_at.is_(None))
        .order_by(FuelSensor.tank_id.is_not(None), Vehicle.plate, Tank.name, FuelSensor.unique_id)
    )  # fmt: skip
    return [
        MappingListing(
            row.id, row.device_id, row.device, row.device_name or row.device, row.vehicle_id, row.vehicle or "",
            row.tank_id,
            row.plate or "", row.tank or "", row.integration_id, row.name, row.unit, _reading(row.settings),
            row.last_ms, row.last_value,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def find_mapping(connection: Connection, wanted: str) -> MappingListing:
    """The mapping of an id, or of the end of one that no other has. Raises NotFound."""
    found = [one for one in describe_mappings(connection) if wanted and one.sensor_id.endswith(wanted)]
    if len(found) != 1:
        raise NotFound(f"There is no single mapping “{wanted}”. List them to see their ids.")
    return found[0]


def trailing_medians(values: list[float], before: list[float], window: int) -> list[float]:
    """The median of each value and those before it, ``window`` together."""
    if window <= 1:
        return values
    everything = before[-(window - 1) :] + values
    skipped = len(everything) - len(values)
    return [_middle(everything[max(at - window + 1, 0) : at + 1]) for at in range(skipped, len(everything))]


def _middle(values: list[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _replay(connection: Connection, sensor_key: int, *, clear: bool) -> None:
    """Have the stored messages worked through, after what was made of them before is gone."""
    if clear:
        forget_former_units(connection, sensor_key)
    state: Mapping[str, Any] = get_fact(connection, FACT) or {}
    newest = select(func.coalesce(func.max(PositionRow.id), 0))
    position_id = state["position_id"] if "position_id" in state else connection.execute(newest).scalar_one()
    history = {**state.get("history", {}), str(sensor_key): [FROM_THE_BEGINNING_MS, clear]}
    set_fact(connection, FACT, {"position_id": position_id, "history": history})


def _device(connection: Connection, device_id: str) -> Any:
    row = connection.execute(select(Device.__table__).where(Device.id == device_id)).first()
    if row is None:
        raise NotFound("This tracker does not exist any more. Load the list again.")
    return row


def _checked(reading: Reading, unit: str) -> Reading:
    attribute = storable(reading.attribute.strip(), 100)
    if not attribute:
        raise FuelError("Name the attribute of the tracker's messages that holds the level.")
    if unit not in UNITS:
        raise FuelError(f"The unit is one of {', '.join(UNITS)}.")
    if not (0 < abs(reading.scale) <= 1e6 and abs(reading.offset) <= 1e6):
        raise FuelError("The factor must not be 0, and factor and offset at most a million.")
    if not 1 <= reading.median <= MOST_MEDIAN:
        raise FuelError(f"The median is taken over 1 to {MOST_MEDIAN} values.")
    return Reading(attribute, float(reading.scale), float(reading.offset), reading.ignition_only, int(reading.median))
