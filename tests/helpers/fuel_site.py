"""A store with one tank of a vehicle, for tests of fuel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from adapters.records import Batch, FuelReading
from app.fleet.telemetry import TelemetrySink
from app.fleet.vehicles import add_vehicle
from app.fuel.calibrations import add_calibration
from app.fuel.readings import tank_readings
from app.fuel.tanks import add_tank, bind_sensor, list_sensors, list_tanks
from app.fuel.worker import AGAIN_S, FuelWorker
from app.store.store import Store
from tests.helpers.fleet import add_integration

T = TypeVar("T")
DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
START_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z


class Site:
    """A store with one tank of 400 L whose sensor tells litres."""

    def __init__(self, store: Store) -> None:
        self.store, self.sink, self.now_ms = store, TelemetrySink(store), START_MS + 40 * HOUR_MS
        self.integration_id = add_integration(store, "fuel-1", "fuel_monitoring")
        self.vehicle = self.write(lambda c: add_vehicle(c, "KAN-1"))
        self.tank_id = self.write(lambda c: add_tank(c, self.vehicle, name="Main", capacity_l=400))
        self.worker = FuelWorker()

    def write(self, job: Callable[[Connection], T]) -> T:
        return self.store.write(job).result()

    def read(self, query: Callable[[Connection], T]) -> T:
        with self.store.read() as connection:
            return query(connection)

    def arrive(self, *records: Any) -> Any:
        return self.write(lambda c: self.sink.ingest(c, self.integration_id, [Batch(records)], self.now_ms))

    def levels(self, *litres: float, sensor: str = "a", first_ms: int = START_MS, step_ms: int = 5 * MINUTE_MS) -> None:
        times = (first_ms + at * step_ms for at in range(len(litres)))
        self.arrive(*(FuelReading(sensor, at_ms, at_ms, level) for at_ms, level in zip(times, litres, strict=True)))

    def sensor(self, unique_id: str = "a", tank_id: str | None = None) -> str:
        """The id of a sensor, which is put into a tank."""
        sensor_id = next(one.id for one in self.read(list_sensors) if one.unique_id == unique_id)
        if tank_id is not None:
            rows = [(0, 0), (400, 400)]
            self.write(lambda c: bind_sensor(c, sensor_id, tank_id))
            self.write(lambda c: add_calibration(c, tank_id, sensor_id, rows, valid_from_ms=START_MS))
        return sensor_id

    def run(self) -> None:
        worker = FuelWorker()
        for _step in range(50):
            if worker.step(self.store, self.now_ms) == AGAIN_S:
                return
        raise AssertionError("the worker does not come to an end")

    def raw(self) -> list[float]:
        tank = next(one for one in self.read(list_tanks) if one.id == self.tank_id)
        got = self.read(lambda c: tank_readings(c, tank, START_MS - DAY_MS, START_MS + 10 * DAY_MS))
        return [float(value) for value in got.samples.raw]
