"""The tables of tanks, fuel sensors, their calibrations and readings, and what was found in them."""

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class Tank(Base):
    """One tank of one vehicle. A vehicle's litres are the sum of its tanks; a missing tank makes the sum unknown."""

    __tablename__ = "tanks"

    id = column(String(36), primary_key=True)
    vehicle_id = column(String(36), ForeignKey("vehicles.id"), index=True)
    name = column(String(200), default="")
    fuel = column(String(16), default="diesel")  # diesel, petrol, other
    capacity_l = optional(Double)  # None: the end of its calibration
    combine = column(String(16), default="average")  # several sensors in this tank: average or sum of their litres
    created_at = column(UtcDateTime)
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class FuelSensor(Base):
    """A sensor as one integration knows it; unknown ones wait, with ``tank_id`` None, until they are bound.

    ``unique_id`` is its identity at the source: ``lls:<port>:<address>``, ``j1939:<port>:<spn>``, or for a value that
    comes with a tracker's messages ``<device unique id>:<attribute>``.
    """

    __tablename__ = "fuel_sensors"

    key = column(Key, primary_key=True, autoincrement=True)
    id = column(String(36), unique=True)
    integration_id = column(String(36))
    unique_id = column(String(200))
    tank_id = optional(String(36), ForeignKey("tanks.id"), index=True)
    kind = column(String(16))  # rs485, can_bus, obd, analog, telematics
    unit = column(String(16))  # counts, percent, litres, volts, millimetres; former ones stand in FuelSensorUnit
    name = column(String(200), default="")
    model = column(String(100), default="")
    serial = column(String(60), default="")
    settings = column(JSON)  # of a telematics source: device_id, attribute; and reading options
    first_seen_ms = column(Key)
    last_ms = optional(Key)  # newest reading, valid or not
    last_value = optional(Double)
    last_status = column(String(16), default="")
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("integration_id", "unique_id"),)


class FuelSensorSpell(Base):
    """Which tank a sensor was in, from … to (ms, to exclusive; None: still)."""

    __tablename__ = "fuel_sensor_spells"

    id = column(Key, primary_key=True, autoincrement=True)
    sensor_key = column(Key, ForeignKey("fuel_sensors.key"), index=True)
    tank_id = column(String(36), ForeignKey("tanks.id"), index=True)
    from_ms = column(Key)
    to_ms = optional(Key)


class FuelSensorUnit(Base):
    """A unit in which a sensor told its readings formerly, until a time (ms, exclusive)."""

    __tablename__ = "fuel_sensor_units"

    id = column(Key, primary_key=True, autoincrement=True)
    sensor_key = column(Key, ForeignKey("fuel_sensors.key"), index=True)
    until_ms = column(Key)
    unit = column(String(16))


class FuelReadingRow(Base):
    """One reading of one sensor. ``value`` is None where the sensor said error, reserved or not available."""

    __tablename__ = "fuel_readings"

    id = column(Key, primary_key=True, autoincrement=True)
    sensor_key = column(Key)
    measured_at_ms = column(Key)
    received_at_ms = column(Key)
    value = optional(Double)  # in the unit that its sensor had then
    status = column(String(16))  # ok, error, not_available, reserved, out_of_range
    temperature_c = optional(Double)
    attributes = optional(JSON)  # raw frequency and what else the frame told
    position_id = optional(Key)  # where it came with a position
    raw_frame_id = optional(Key)

    __table_args__ = (Index("uq_fuel_readings_natural", "sensor_key", "measured_at_ms", unique=True),)


class EngineReadingRow(Base):
    """What the engine's own computer said (J1939, OBD): the cross check of the level sensors."""

    __tablename__ = "engine_readings"

    id = column(Key, primary_key=True, autoincrement=True)
    sensor_key = column(Key)
    measured_at_ms = column(Key)
    total_fuel_l = optional(Double)
    trip_fuel_l = optional(Double)
    fuel_rate_l_h = optional(Double)
    engine_rpm = optional(Double)
    speed_km_h = optional(Double)
    engine_hours = optional(Double)
    odometer_m = optional(Double)

    __table_args__ = (Index("uq_engine_readings_natural", "sensor_key", "measured_at_ms", unique=True),)


class Calibration(Base):
    """A table of one sensor in one tank and the time it holds; never changed, only followed by the next version."""

    __tablename__ = "calibrations"

    id = column(String(36), primary_key=True)
    tank_id = column(String(36), ForeignKey("tanks.id"), index=True)
    sensor_id = optional(String(36), ForeignKey("fuel_sensors.id"), index=True)
    version = column(Integer)
    valid_from_ms = column(Key)
    valid_to_ms = optional(Key)  # exclusive; None: still
    rows = column(JSON)  # [[reading, litres], …], readings strictly rising
    unit = column(String(16))  # of the readings
    origin = column(String(24))  # pouring, import, geometry
    sensor_serial = column(String(60), default="")
    temperature_c = optional(Double)
    note = column(Text, default="")
    made_by = column(String(200), default="")
    created_at = column(UtcDateTime)
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class FuelEventRow(Base):
    """A refuel or a drain that was found in the readings; a dispatcher's decision stays when it is found anew."""

    __tablename__ = "fuel_events"

    id = column(String(36), primary_key=True)
    vehicle_id = column(String(36), ForeignKey("vehicles.id"))
    tank_id = column(String(36), ForeignKey("tanks.id"))
    kind = column(String(8))  # refuel, drain
    start_ms = column(Key)
    end_ms = column(Key)
    litres = column(Double)
    level_before_l = column(Double)
    level_after_l = column(Double)
    confidence = column(Double)  # 0 to 1
    at_least = column(Boolean, default=False)  # it ended in the dead zone at the top
    in_motion = column(Boolean, default=False)
    provisional = column(Boolean, default=False)  # the data around it are not complete yet
    lat = optional(Double)
    lon = optional(Double)
    driver = column(String(200), default="")
    evidence = column(JSON)  # [{test, outcome, figures…}, …]
    decision = column(String(12), default="")  # "", confirmed, false
    reason = column(Text, default="")
    note = column(Text, default="")
    decided_by = column(String(200), default="")
    decided_at = optional(UtcDateTime)
    found_at = column(UtcDateTime)
    withdrawn_at = optional(UtcDateTime)  # later data took it back
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_fuel_events_vehicle_id_start_ms", "vehicle_id", "start_ms"),)


class FuelDay(Base):
    """One UTC day of one tank. A recomputation adds a row and marks the old one, which stays for audit."""

    __tablename__ = "fuel_days"

    id = column(Key, primary_key=True, autoincrement=True)
    tank_id = column(String(36))
    day = column(String(10))
    start_l = optional(Double)
    end_l = optional(Double)
    refuelled_l = column(Double)
    drained_l = column(Double)
    used_l = optional(Double)
    distance_km = column(Double)
    engine_h = optional(Double)
    norm_l = optional(Double)  # what the vehicle's norm expects of this distance and these hours
    counter_l = optional(Double)  # what the engine's own counter went on by
    quality = column(Integer)  # 0 to 100
    why = column(String(200), default="")  # why it was computed: new data, calibration, parameters, decision
    computed_at = column(UtcDateTime)
    superseded_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_fuel_days_tank_id_day", "tank_id", "day"),)


class FuelParameters(Base):
    """Parameters of the detection: of a vehicle class, or of one vehicle, which wins."""

    __tablename__ = "fuel_parameters"

    scope = column(String(60), primary_key=True)  # class:truck, vehicle:<id>
    values = column(JSON)
    changed_at = column(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class FuelReceipt(Base):
    """What a receipt or a fuel card says was filled."""

    __tablename__ = "fuel_receipts"

    id = column(String(36), primary_key=True)
    vehicle_id = column(String(36), ForeignKey("vehicles.id"))
    at_ms = column(Key)
    litres = column(Double)
    reference = column(String(200), default="")
    created_at = column(UtcDateTime)
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_fuel_receipts_vehicle_id_at_ms", "vehicle_id", "at_ms"),)


class SensorProfile(Base):
    """Settings of a sensor, saved to be compared with and written to others of its kind."""

    __tablename__ = "sensor_profiles"

    id = column(String(36), primary_key=True)
    name = column(String(200))
    dialect = column(String(24))  # lls, ede, …
    values = column(JSON)
    note = column(Text, default="")
    created_at = column(UtcDateTime)
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)
