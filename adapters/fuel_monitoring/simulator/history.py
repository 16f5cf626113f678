"""What simulated vehicles did before a demo began: days of work and rest, told densely of late and thinly before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapters.fuel_monitoring.settings import FuelSettings, Target
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle, Point
from adapters.records import EngineReading, FuelReading, FuelSensorInfo, Record, SensorKind

STEP_S: Final = 60
DENSE_S: Final = 24 * 3600
"""The last day is told every minute, what is before it every five."""
_THIN: Final = 5
_WORK_H: Final = range(5, 17)
_STILL_S: Final = 1500.0
"""So long before and after a theft the vehicle is parked."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A vehicle at one minute of its past."""

    at_ms: int
    point: Point
    speed_km_h: float
    course_deg: float
    ignition: bool
    rpm: float
    count: float
    percent: float
    fuel_rate_l_h: float
    total_fuel_l: float
    engine_h: float
    odometer_m: float
    temperature_c: float


def live_through(vehicle: DrivenVehicle, until_ms: int, days: float) -> list[Moment]:
    """Let so many days pass up to ``until_ms``; the vehicle is at work afterwards. The same for the same vehicle."""
    steps = int(days * 86_400 / STEP_S)
    thefts = [deed.at_s for deed in vehicle.deeds if deed.kind == "theft"]
    works = vehicle.is_working
    moments = []
    for step in range(steps):
        at_ms = until_ms - (steps - step - 1) * STEP_S * 1000
        when = datetime.fromtimestamp(at_ms / 1000, UTC)
        is_still = any(abs(vehicle.time_s - at_s) < _STILL_S for at_s in thefts)
        vehicle.is_working = when.hour in _WORK_H and when.weekday() < 6 and not is_still
        vehicle.temperature_c = 27.0 + (4.0 if 10 <= when.hour < 17 else 0.0)
        vehicle.advance_coarsely(STEP_S)
        if step % _THIN == 0 or until_ms - at_ms <= DENSE_S * 1000:
            moments.append(_moment(vehicle, at_ms))
    vehicle.is_working = works
    vehicle.set_off()
    return moments


def _moment(vehicle: DrivenVehicle, at_ms: int) -> Moment:
    return Moment(
        at_ms, vehicle.point, vehicle.speed_km_h, vehicle.course_deg, vehicle.ignition, vehicle.rpm, vehicle.count,
        vehicle.percent, vehicle.fuel_rate_l_h, vehicle.total_fuel_l, vehicle.engine_h, vehicle.odometer_m,
        vehicle.temperature_c,
    )  # fmt: skip


def history_records(moments: Sequence[Moment], port: Mapping[str, Any]) -> list[Record]:
    """What a gateway would have stored of a life at a port with these settings."""
    from adapters.fuel_monitoring.sources import make_source

    settings = FuelSettings(**port)
    source = make_source(settings, _NoClock())
    if settings.protocol == "lls":
        infos = [source.info(target, "rs485", "counts", model="LLS 30160") for target in settings.targets]
        return [*infos, *_probed(moments, [(target, source.sensor_of(target)) for target in settings.targets])]
    kind: SensorKind = "obd" if settings.protocol == "elm327" else "can_bus"
    sensor = source.sensor_of(settings.targets[0])
    info: FuelSensorInfo = source.info(settings.targets[0], kind, "percent")
    return [info, *_told_by_engine(moments, sensor, has_totals=kind == "can_bus")]


def _probed(moments: Sequence[Moment], sensors: Sequence[tuple[Target, str]]) -> list[Record]:
    return [
        FuelReading(sensor, moment.at_ms, moment.at_ms, float(round(moment.count)), "ok", moment.temperature_c)
        for moment in moments
        for _target, sensor in sensors
    ]


def _told_by_engine(moments: Sequence[Moment], sensor: str, *, has_totals: bool) -> list[Record]:
    """Buses sleep while the ignition is off; their steps are 0.4 %."""
    records: list[Record] = []
    for moment in moments:
        if not moment.ignition:
            continue
        level = round(round(moment.percent / 0.4) * 0.4, 1)
        records.append(FuelReading(sensor, moment.at_ms, moment.at_ms, level))
        records.append(
            EngineReading(
                sensor,
                moment.at_ms,
                fuel_rate_l_h=round(moment.fuel_rate_l_h, 2),
                engine_rpm=round(moment.rpm),
                speed_km_h=round(moment.speed_km_h, 1),
                total_fuel_l=round(moment.total_fuel_l, 3) if has_totals else None,
                engine_hours=round(moment.engine_h, 2) if has_totals else None,
                odometer_m=round(moment.odometer_m) if has_totals else None,
            )
        )
    return records


class Passenger:
    """A vehicle as its tracker sees it: its past first, as fast as the tracker tells it, then as it is now."""

    def __init__(self, vehicle: DrivenVehicle, past: Sequence[Moment] = ()) -> None:
        self._vehicle = vehicle
        self._past = past
        self._times = [moment.at_ms for moment in past]
        self._at_ms = float(self._times[0]) if past else 0.0

    @property
    def past(self) -> Sequence[Moment]:
        """What the vehicle has lived through, whether or not its tracker has told it yet."""
        return self._past

    @property
    def place(self) -> Point:
        """Where the vehicle is now, whatever its tracker is telling of."""
        return self._vehicle.point

    @property
    def _then(self) -> Moment | None:
        """The moment that the tracker is at, None for now."""
        if not self._past or self._at_ms >= self._times[-1]:
            return None
        return self._past[max(bisect_right(self._times, self._at_ms) - 1, 0)]

    @property
    def point(self) -> Point:
        return self._vehicle.point if (then := self._then) is None else then.point

    @property
    def speed_km_h(self) -> float:
        return self._vehicle.speed_km_h if (then := self._then) is None else then.speed_km_h

    @property
    def course_deg(self) -> float:
        return self._vehicle.course_deg if (then := self._then) is None else then.course_deg

    @property
    def ignition(self) -> bool:
        return self._vehicle.ignition if (then := self._then) is None else then.ignition

    def advance(self, seconds: float, stretch: float = 1.0) -> None:
        """Somebody else lets the vehicle's time pass; only the way through its past is the tracker's."""
        del stretch
        self._at_ms += seconds * 1000


class _NoClock:
    """Records of the past need no clock."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError(seconds)
