"""From readings in the store to events and totals: intake, binding, calibrations, the worker, decisions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pytest
from sqlalchemy import Connection, func, select

from adapters.records import Batch, EngineReading, FuelReading, FuelSensorInfo, RawFrame
from app.fleet.telemetry import TelemetrySink
from app.fleet.vehicles import add_vehicle
from app.fuel import worker
from app.fuel.agenda import open_work
from app.fuel.calibrations import add_calibration, list_calibrations, remove_calibration
from app.fuel.days import list_days
from app.fuel.errors import FuelError
from app.fuel.events import decide, list_events, note_event
from app.fuel.readings import tank_readings, together, vehicle_readings
from app.fuel.settings import parameters_of, set_parameters, set_vehicle_class
from app.fuel.tanks import (
    TankListing,
    add_tank,
    bind_by_settings,
    bind_sensor,
    list_sensors,
    list_tanks,
    remove_tank,
    set_tank,
)
from app.fuel.worker import FuelWorker
from app.security.audit import verify_acts
from app.store.store import Store
from app.store.tables import Act, FuelDay, FuelEventRow, FuelReadingRow, Problem, RawFrameRow
from tests.helpers.fleet import add_integration, count_of
from tests.helpers.stores import database, postgresql_server, store

__all__ = ["database", "postgresql_server", "store"]

T = TypeVar("T")
START_MS = 1_772_409_600_000
HOUR_MS = 3_600_000


class Site:
    """A store with one fuel integration, its sink and the worker."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sink = TelemetrySink(store)
        self.now_ms = START_MS + 40 * HOUR_MS
        self.integration_id = add_integration(store, "fuel-1", "fuel_monitoring")

    def write(self, job: Callable[[Connection], T]) -> T:
        return self.store.write(job).result()

    def read(self, query: Callable[[Connection], T]) -> T:
        with self.store.read() as connection:
            return query(connection)

    def arrive(self, *records: Any) -> Any:
        return self.write(lambda c: self.sink.ingest(c, self.integration_id, [Batch(records)], self.now_ms))

    def run(self) -> None:
        """The worker until it has nothing left to do."""
        fuel = FuelWorker()
        for _step in range(50):
            if fuel.step(self.store, self.now_ms) == worker.AGAIN_S:
                return
        raise AssertionError("the worker does not come to an end")


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def readings(*stretches: tuple[float, float], sensor: str = "lls:1", every_min: float = 5) -> list[FuelReading]:
    """(hours, counts at the end) one after the other; a count is a tenth of a litre."""
    at_min, level = 0.0, stretches[0][1]
    found = []
    for hours, end in stretches:
        steps = max(int(hours * 60 / every_min), 1)
        begin = level
        for number in range(steps):
            at_min += every_min
            level = begin + (end - begin) * (number + 1) / steps
            at_ms = START_MS + round(at_min * 60_000)
            found.append(FuelReading(sensor, at_ms, at_ms + 500, round(level)))
    return found


INFO = FuelSensorInfo("lls:1", "rs485", "counts", "Left", model="LLS 5", serial="77", vehicle="KAN-552XA", tank="Main")
TABLE = [(0, 0), (4000, 400)]


def test_readings_are_stored_once_with_their_evidence(site: Site) -> None:
    raw = RawFrame("lls", bytes.fromhex("3E0106110100010030"), START_MS, "bus", None)
    one = FuelReading("lls:1", START_MS, START_MS + 5, 1201, temperature_c=17, raw=raw)
    bad = FuelReading("lls:1", START_MS + 1000, START_MS + 1005, None, status="error")
    engine = EngineReading("j1939:0", START_MS, total_fuel_l=123.5, engine_rpm=800)
    first, again = site.arrive(INFO, one, bad, engine), site.arrive(one, bad, engine)
    assert (first.fuel, first.duplicates, first.newest_data_ms) == (3, 0, START_MS)
    assert (again.fuel, again.duplicates) == (0, 3)
    sensors = {sensor.unique_id: sensor for sensor in site.read(list_sensors)}
    assert sensors["lls:1"].last_status == "error"
    assert (sensors["lls:1"].model, sensors["lls:1"].tank_id) == ("LLS 5", None)
    assert "j1939:0" in sensors
    frame_id = site.read(lambda c: c.execute(select(FuelReadingRow.raw_frame_id)).scalars().first())
    kept = select(RawFrameRow.data).where(RawFrameRow.id == frame_id)
    assert site.read(lambda c: c.execute(kept).scalar()) == raw.data


def test_a_sensor_is_bound_as_its_settings_say_and_stays_out_once_taken_out(site: Site) -> None:
    site.arrive(INFO, *readings((1, 1000)))
    site.run()
    (tank,) = site.read(list_tanks)
    assert (tank.plate, tank.name, len(tank.sensors)) == ("KAN-552XA", "Main", 1)
    site.write(lambda c: bind_sensor(c, tank.sensors[0], None, who="a"))
    site.arrive(INFO)
    site.run()
    assert site.read(list_tanks)[0].sensors == ()


def test_a_sensor_whose_wish_cannot_be_met_waits_with_a_problem_and_holds_nobody_up(site: Site) -> None:
    long_plate = FuelSensorInfo("a:1", "rs485", "counts", "Far", vehicle="K" * 41)
    for plate in ("ABC-1", "ABC-2"):
        site.write(partial(add_vehicle, plate=plate, name="Old lorry"))
    two_of_them = FuelSensorInfo("a:2", "rs485", "counts", "Old", vehicle="old lorry")
    site.arrive(long_plate, two_of_them, INFO, *readings((1, 1000)))
    site.run()
    (tank,) = site.read(list_tanks)
    assert (tank.plate, len(tank.sensors)) == ("KAN-552XA", 1)
    (problem,) = site.read(read_problems)
    assert "Far: The plate is longer than 40 characters." in problem
    assert "Old: Several vehicles are called old lorry: ABC-1, ABC-2." in problem
    acts = count_of(site.store, Act)
    site.run()
    assert count_of(site.store, Act) == acts
    for sensor in site.read(list_sensors):
        if sensor.tank_id is None:
            site.write(partial(bind_sensor, sensor_id=sensor.id, tank_id=tank.id))
    site.run()
    assert site.read(read_problems) == []


def read_problems(connection: Connection) -> list[str]:
    return list(connection.execute(select(Problem.detail).where(Problem.cleared_at.is_(None))).scalars())


def calibrated(site: Site, *stretches: tuple[float, float]) -> str:
    """A tank with one sensor, its table and these readings; returns the tank's id."""
    site.arrive(INFO, *readings(*stretches))
    site.run()
    (tank,) = site.read(list_tanks)
    site.write(lambda c: add_calibration(c, tank.id, tank.sensors[0], TABLE, valid_from_ms=START_MS, who="F"))
    site.run()
    return tank.id


def found(site: Site) -> list[tuple[str, int]]:
    return [(event.kind, round(event.litres)) for event in reversed(site.read(list_events))]


def test_events_and_totals_come_from_the_readings_by_themselves(site: Site) -> None:
    tank_id = calibrated(site, (3, 1000), (0.2, 2000), (6, 2000), (0.5, 1700), (4, 1700))
    assert found(site) == [("refuel", 100), ("drain", 30)]
    (day,) = site.read(lambda c: list_days(c, [tank_id], "2026-03-02", "2026-03-02"))
    assert (day.refuelled_l, day.drained_l) == pytest.approx((100, 30), abs=1)
    assert day.used_l == pytest.approx(0, abs=1.5)


def test_a_false_event_leaves_the_totals_and_nothing_is_erased(site: Site) -> None:
    tank_id = calibrated(site, (3, 2000), (0.5, 1700), (4, 1700))
    (event,) = site.read(list_events)
    with pytest.raises(FuelError, match="Say why"):
        site.write(lambda c: decide(c, event.id, "false", " ", who="D"))
    site.write(lambda c: decide(c, event.id, "false", "parked on a slope", who="D"))
    site.write(lambda c: note_event(c, event.id, "seen by the guard", who="D"))
    site.run()
    (day,) = site.read(lambda c: list_days(c, [tank_id], "2026-03-02", "2026-03-02"))
    assert day.drained_l == 0
    assert day.used_l == pytest.approx(30, abs=1)
    assert site.read(lambda c: c.execute(select(func.count()).select_from(FuelDay)).scalar_one()) > 1
    (again,) = site.read(list_events)
    assert (again.id, again.decision, again.reason) == (event.id, "false", "parked on a slope")
    assert again.note == "seen by the guard"
    assert site.read(verify_acts).ok


def test_late_data_change_the_event_and_keep_its_identity(site: Site) -> None:
    everything = readings((3, 2000), (0.5, 1700), (4, 1700), (0.2, 2600), (3, 2600))
    gap = [one for number, one in enumerate(everything) if not 30 < number < 60]
    site.arrive(INFO, *gap)
    site.run()
    (tank,) = site.read(list_tanks)
    site.write(lambda c: add_calibration(c, tank.id, tank.sensors[0], TABLE, valid_from_ms=START_MS))
    site.run()
    before = site.read(list_events)
    site.write(lambda c: decide(c, before[-1].id, "confirmed", who="D"))
    site.arrive(*everything)
    site.run()
    after = site.read(list_events)
    assert found(site) == [("drain", 30), ("refuel", 90)]
    assert (after[-1].id, after[-1].decision) == (before[-1].id, "confirmed")
    assert after[-1].start_ms >= before[-1].start_ms


def test_what_newer_data_take_back_is_withdrawn_and_kept(site: Site) -> None:
    calibrated(site, (3, 2000), (0.1, 1600), (0.1, 1600))
    assert found(site) == [("drain", 40)]
    rest = readings((3, 2000), (0.1, 1600), (0.1, 1600), (0.1, 2000), (3, 2000))
    site.arrive(*rest)
    site.run()
    assert found(site) == []
    assert site.read(lambda c: c.execute(select(func.count()).select_from(FuelEventRow)).scalar_one()) == 1


def test_killed_at_any_step_the_worker_ends_with_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.arrive(INFO, *readings((3, 1000), (0.2, 2000), (6, 2000), (0.5, 1700), (4, 1700)))
    site.run()
    (tank,) = site.read(list_tanks)
    site.write(lambda c: add_calibration(c, tank.id, tank.sensors[0], TABLE, valid_from_ms=START_MS))

    def killed(*_arguments: Any) -> int:
        raise SystemExit

    with monkeypatch.context() as half_done:
        half_done.setattr("app.fuel.worker.write_days", killed)
        with pytest.raises(SystemExit):
            FuelWorker().step(site.store, site.now_ms)
    assert found(site) == []  # nothing of the half-done step is there
    site.run()
    assert found(site) == [("refuel", 100), ("drain", 30)]
    ids = [event.id for event in site.read(list_events)]
    site.run()
    assert [event.id for event in site.read(list_events)] == ids


def test_a_tank_that_cannot_be_computed_costs_the_others_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vehicle = site.write(lambda c: add_vehicle(c, "ABC-1"))
    for number in range(worker.TANKS_AT_ONCE + 2):
        info = FuelSensorInfo(f"s:{number}", "rs485", "litres", "", vehicle="ABC-1", tank=f"{number}")
        site.arrive(info, *readings((1, 100), sensor=info.sensor))
    site.write(bind_by_settings)
    tanks = site.read(lambda c: list_tanks(c, vehicle))
    broken = {tank.id for tank in tanks[:-1]}

    def read(connection: Connection, tank: TankListing, *arguments: Any, **options: Any) -> Any:
        if tank.id in broken:
            raise ZeroDivisionError
        return tank_readings(connection, tank, *arguments, **options)

    monkeypatch.setattr("app.fuel.worker.tank_readings", read)
    fuel = FuelWorker()
    for seconds in range(10):
        fuel.step(site.store, site.now_ms + seconds * 1_000)
    assert site.read(open_work).keys() == broken
    assert len(caplog.records) == len(broken)  # once each
    assert fuel.step(site.store, site.now_ms + 10_000) == pytest.approx(worker.AFTER_FAILURE_MS / 1000, abs=11)
    broken.clear()
    for minutes in (5, 6):
        fuel.step(site.store, site.now_ms + minutes * 61_000)
    assert site.read(open_work) == {}


def test_a_reading_is_turned_into_litres_by_the_table_valid_then(site: Site) -> None:
    tank_id = calibrated(site, (10, 2000))
    (tank,) = site.read(list_tanks)
    later = START_MS + 5 * HOUR_MS
    site.write(lambda c: add_calibration(c, tank_id, tank.sensors[0], [(0, 0), (4000, 440)], valid_from_ms=later))
    got = site.read(lambda c: tank_readings(c, tank, START_MS, START_MS + 20 * HOUR_MS))
    assert got.samples.raw[0] == pytest.approx(200)
    assert got.samples.raw[-1] == pytest.approx(220)
    with pytest.raises(FuelError, match="newer calibration"):
        site.write(lambda c: add_calibration(c, tank_id, tank.sensors[0], TABLE, valid_from_ms=START_MS))
    newest = site.read(lambda c: list_calibrations(c, tank_id))[-1]
    site.write(lambda c: remove_calibration(c, newest.id, "poured with the wrong can", who="F"))
    got = site.read(lambda c: tank_readings(c, tank, START_MS, START_MS + 20 * HOUR_MS))
    assert got.samples.raw[-1] == pytest.approx(200)
    assert site.read(lambda c: list_calibrations(c, tank_id))[-1].valid_to_ms is None


def test_a_missing_tank_makes_the_vehicles_sum_unknown(site: Site) -> None:
    calibrated(site, (10, 2000))
    vehicle = site.read(list_tanks)[0].vehicle_id
    second = site.write(lambda c: add_tank(c, vehicle, name="Right", capacity_l=100))
    info = FuelSensorInfo("j1939:96", "can_bus", "percent", "Dash")
    site.arrive(info, *readings((5, 50), sensor="j1939:96"))
    sensor = next(one for one in site.read(list_sensors) if one.unique_id == "j1939:96")
    site.write(lambda c: bind_sensor(c, sensor.id, second))
    time_s, litres = together(site.read(lambda c: vehicle_readings(c, vehicle, START_MS, START_MS + 20 * HOUR_MS)))
    inside = time_s < START_MS / 1000 + 5 * 3600
    assert litres[inside][10] == pytest.approx(250)
    assert np.isnan(litres[-1])
    site.write(lambda c: set_tank(c, second, capacity_l=200))
    site.write(lambda c: remove_tank(c, second))
    assert [tank.name for tank in site.read(list_tanks)] == ["Main"]


def test_parameters_of_the_vehicle_win_over_its_class(site: Site) -> None:
    vehicle = site.write(lambda c: add_vehicle(c, "ABC-1"))
    site.write(lambda c: set_vehicle_class(c, vehicle, "van"))
    assert site.read(lambda c: parameters_of(c, vehicle)).norm_l_100_km == 12
    site.write(lambda c: set_parameters(c, "class:van", {"norm_l_100_km": 13, "idle_l_h": 1}))
    site.write(lambda c: set_parameters(c, f"vehicle:{vehicle}", {"norm_l_100_km": 14}))
    own = site.read(lambda c: parameters_of(c, vehicle))
    assert (own.norm_l_100_km, own.idle_l_h) == (14, 1)
    site.write(lambda c: set_parameters(c, f"vehicle:{vehicle}", {}))
    assert site.read(lambda c: parameters_of(c, vehicle)).norm_l_100_km == 13
    wrong: tuple[tuple[str, dict[str, float]], ...] = (("class:ship", {}), ("x", {}), ("class:van", {"idle_l_h": 99}))
    for scope, values in wrong:
        with pytest.raises(FuelError):
            site.write(partial(set_parameters, scope=scope, values=values))


def test_a_changed_parameter_is_computed_anew(site: Site) -> None:
    calibrated(site, (3, 2000), (0.5, 1900), (4, 1900))
    assert found(site) == [("drain", 10)]
    vehicle = site.read(list_tanks)[0].vehicle_id
    site.write(lambda c: set_parameters(c, f"vehicle:{vehicle}", {"minimum_drain_l": 20}))
    site.run()
    assert found(site) == []
