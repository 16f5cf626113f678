"""Receipts, sensors that are replaced, events that come back, parts of events; exports and retention of fuel."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select

from adapters.records import EngineReading, FuelReading, FuelSensorInfo, FuelUnit
from app.fleet.errors import NotFound
from app.fleet.export import export_rows
from app.fleet.export_fuel import EVENT_COLUMNS
from app.fuel.agenda import BINDING, learn, open_work
from app.fuel.calibrations import add_calibration
from app.fuel.days import list_days
from app.fuel.detect.events import FuelEvent
from app.fuel.errors import FuelError
from app.fuel.events import decide, list_events
from app.fuel.profiles import Profile
from app.fuel.readings import tank_readings
from app.fuel.receipts import add_receipt, list_receipts, remove_receipt
from app.fuel.reconcile import reconcile
from app.fuel.saved_profiles import keep_profile, list_profiles, remove_profile
from app.fuel.tanks import add_tank, bind_sensor, list_sensors, list_tanks, remove_sensor, replace_sensor
from app.fuel.three_way import three_way_check
from app.fuel.worker import AGAIN_S, LIVE_MS, LOOKBACK_READINGS, FuelWorker, _first_needed
from app.security.audit import verify_acts
from app.store.retention import Retention, set_retention, sweep
from app.store.store import Store
from app.store.tables import EngineReadingRow, FuelDay, FuelReadingRow
from tests.helpers.fleet import count_of
from tests.helpers.fuel_site import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Site

AT_S = START_MS / 1000


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def test_a_replaced_sensor_keeps_its_past_in_the_tank(site: Site) -> None:
    site.levels(100, 101, 102)
    site.levels(900, 901, 902, sensor="b")
    old = site.sensor(tank_id=site.tank_id)
    new = site.sensor("b")
    swapped_ms = START_MS + 10 * MINUTE_MS
    with pytest.raises(FuelError, match="in no tank"):
        site.write(lambda c: replace_sensor(c, new, old))
    site.write(lambda c: replace_sensor(c, old, new, at_ms=swapped_ms, who="F"))
    assert site.raw() == [100, 101]  # the new one is not calibrated, and nothing of the old one is lost
    rows = [(0, 0), (1000, 100)]
    site.write(lambda c: add_calibration(c, site.tank_id, new, rows, valid_from_ms=swapped_ms))
    assert site.raw() == [100, 101, pytest.approx(90.2)]
    assert site.read(verify_acts).ok


def test_a_wrong_binding_is_corrected_from_an_earlier_moment(site: Site) -> None:
    site.levels(100, 101)
    other = site.write(lambda c: add_tank(c, site.vehicle, name="Right", capacity_l=100))
    sensor = site.sensor(tank_id=other)
    assert site.raw() == []
    site.write(lambda c: bind_sensor(c, sensor, site.tank_id, since_ms=START_MS - DAY_MS))
    site.write(lambda c: add_calibration(c, site.tank_id, sensor, [(0, 0), (400, 400)], valid_from_ms=START_MS))
    assert site.raw() == [100, 101]


def test_a_removed_sensor_that_speaks_again_waits(site: Site) -> None:
    site.levels(100)
    sensor = site.sensor(tank_id=site.tank_id)
    site.write(lambda c: remove_sensor(c, sensor, now_ms=START_MS + MINUTE_MS))
    assert site.read(list_sensors) == []
    with pytest.raises(NotFound):
        site.write(lambda c: bind_sensor(c, sensor, None))
    site.levels(99, first_ms=START_MS + HOUR_MS)
    assert [one.tank_id for one in site.read(list_sensors)] == [None]
    assert site.raw() == [100]


def test_what_was_found_in_readings_of_another_tank_is_marked(site: Site) -> None:
    site.levels(*[200.0] * 24, *[300.0] * 24, *[280.0] * 24)
    site.levels(*[270.0] * 24, first_ms=START_MS + 60 * DAY_MS)
    sensor = site.sensor(tank_id=site.tank_id)
    site.now_ms = START_MS + 70 * DAY_MS
    site.run()
    everything = {"from_day": "2026-01-01", "to_day": "2026-12-31"}
    before = site.read(lambda c: list_days(c, [site.tank_id], **everything))
    assert [day.day for day in before] == ["2026-03-02", "2026-05-01"]
    assert {event.kind for event in site.read(list_events)} == {"refuel", "drain"}
    other = site.write(lambda c: add_tank(c, site.vehicle, name="Right", capacity_l=400))
    site.write(lambda c: bind_sensor(c, sensor, other, since_ms=START_MS - DAY_MS))
    site.write(lambda c: add_calibration(c, other, sensor, [(0, 0), (400, 400)], valid_from_ms=START_MS))
    site.run()
    assert site.read(lambda c: list_days(c, [site.tank_id], **everything)) == []
    assert [day.day for day in site.read(lambda c: list_days(c, [other], **everything))] == [day.day for day in before]
    assert {event.tank_id for event in site.read(list_events)} == {other}
    kept = site.read(lambda c: c.execute(select(FuelDay.superseded_at).where(FuelDay.tank_id == site.tank_id)).all())
    assert len(kept) == 2  # for audit
    rows = count_of(site.store, FuelDay)
    site.run()
    assert count_of(site.store, FuelDay) == rows


def test_dead_readings_take_no_part_in_an_average(site: Site) -> None:
    site.arrive(told_in("counts"))
    site.levels(2000, 0, 2000, 65_535, 2010, *[0] * 5, *[65_535] * 5, 0, 65_535, 0, 65_535, 0, step_ms=1_000)
    sensor = site.sensor()
    site.write(lambda c: bind_sensor(c, sensor, site.tank_id))
    site.write(lambda c: add_calibration(c, site.tank_id, sensor, [(0, 0), (4000, 400)], valid_from_ms=START_MS))
    (tank,) = site.read(list_tanks)
    got = site.read(lambda c: tank_readings(c, tank, START_MS, START_MS + MINUTE_MS, every_ms=5_000))
    assert got.samples.raw.tolist() == pytest.approx([6010 / 30, 0, float("nan"), 0], nan_ok=True)


def test_a_sensor_that_falls_silent_takes_no_step_out_of_the_average(site: Site) -> None:
    silent_from = 40
    site.levels(*[300.0 - at / 100 for at in range(200)])
    site.levels(*[240.0 - at / 100 for at in range(silent_from)], sensor="b")
    site.levels(*[240.0 - at / 100 for at in range(150, 200)], sensor="b", first_ms=START_MS + 150 * 5 * MINUTE_MS)
    for name in ("a", "b"):
        site.sensor(name, tank_id=site.tank_id)
    assert site.raw() == pytest.approx([270 - at / 100 for at in range(200)], abs=0.05)
    site.run()
    assert site.read(list_events) == []


def test_two_sensors_that_never_told_together_are_each_taken_as_they_are(site: Site) -> None:
    site.levels(300, 300)
    site.levels(200, 200, sensor="b", first_ms=START_MS + DAY_MS)
    for name in ("a", "b"):
        site.sensor(name, tank_id=site.tank_id)
    assert site.raw() == [300, 300, 200, 200]


def test_a_sensor_that_was_replaced_long_ago_is_not_read_for_ever(site: Site) -> None:
    site.levels(100, 101)
    site.levels(*[100.0] * 400, sensor="b", first_ms=START_MS + 90 * DAY_MS, step_ms=HOUR_MS)
    for name in ("a", "b"):
        site.sensor(name, tank_id=site.tank_id)
    now_ms = START_MS + 100 * DAY_MS
    assert now_ms - site.read(lambda c: _first_needed(c, site.tank_id, now_ms)) <= LOOKBACK_READINGS * HOUR_MS
    after_gap_ms = START_MS + 90 * DAY_MS
    assert site.read(lambda c: _first_needed(c, site.tank_id, after_gap_ms)) == START_MS


def told_in(unit: FuelUnit) -> FuelSensorInfo:
    return FuelSensorInfo("a", "rs485", unit, "A")


def test_another_unit_changes_what_comes_and_not_what_came(site: Site) -> None:
    site.arrive(told_in("counts"))
    site.levels(1000, 1010)
    sensor = site.sensor()
    site.write(lambda c: bind_sensor(c, sensor, site.tank_id))
    site.write(lambda c: add_calibration(c, site.tank_id, sensor, [(0, 0), (4000, 400)], valid_from_ms=START_MS))
    site.run()
    changes: list[tuple[FuelUnit, float]] = [("litres", 102.0), ("percent", 25.5), ("counts", 1030.0)]
    for hours, (unit, level) in enumerate(changes, start=1):
        site.arrive(told_in(unit))
        site.arrive(told_in(unit))
        site.levels(level, first_ms=START_MS + hours * HOUR_MS)
    site.write(learn_now)
    (work,) = site.read(open_work).values()
    assert work.why == BINDING
    assert site.raw() == pytest.approx([100, 101, 102, 102, 103])
    exported = export_rows(site.store, "fuel-readings")
    assert [row["unit"] for row in exported] == ["counts", "counts", "litres", "percent", "counts"]


def learn_now(connection: Connection) -> None:
    learn(connection, START_MS + DAY_MS)


def test_a_sensor_that_waits_remembers_its_units(site: Site) -> None:
    site.arrive(told_in("percent"), FuelReading("a", START_MS, START_MS, 25.0))
    site.arrive(told_in("litres"), FuelReading("a", START_MS + 1, START_MS + 1, 101.0))
    sensor = site.sensor()
    site.write(lambda c: bind_sensor(c, sensor, site.tank_id))
    assert site.raw() == [100, 101]


def test_a_table_is_for_readings_in_its_own_unit(site: Site) -> None:
    site.arrive(told_in("counts"))
    site.levels(1000)
    sensor = site.sensor()
    site.write(lambda c: bind_sensor(c, sensor, site.tank_id))
    site.write(lambda c: add_calibration(c, site.tank_id, sensor, [(0, 0), (4000, 400)], valid_from_ms=START_MS))
    site.arrive(told_in("volts"))
    site.levels(2.0, first_ms=START_MS + HOUR_MS)
    assert site.raw() == [100]
    later_ms = START_MS + 2 * HOUR_MS
    site.write(lambda c: add_calibration(c, site.tank_id, sensor, [(0, 0), (5, 400)], valid_from_ms=later_ms))
    assert site.raw() == [100, 160]
    site.run()
    site.write(learn_now)
    (day,) = site.read(lambda c: list_days(c, [site.tank_id], "2026-03-02", "2026-03-02"))
    assert day.end_l == 160


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300])
def test_what_is_no_number_is_kept_as_out_of_range(site: Site, value: float) -> None:
    site.arrive(FuelReading("x\x00" + "y" * 300, START_MS, START_MS, value, attributes={"raw": float("nan")}))
    site.arrive(FuelReading("x\x00" + "y" * 300, START_MS + 1, START_MS + 1, 5))
    query = select(FuelReadingRow.value, FuelReadingRow.status).order_by(FuelReadingRow.id)
    assert [tuple(row) for row in site.read(lambda c: c.execute(query).all())] == [(None, "out_of_range"), (5, "ok")]
    (sensor,) = site.read(list_sensors)
    assert (sensor.last_value, sensor.last_status) == (5, "ok")
    told = site.arrive(FuelReading("z", START_MS, START_MS, value))
    assert told.newest_data_ms is None
    assert site.read(list_sensors)[-1].last_status == "out_of_range"


def test_a_clock_that_was_ahead_does_not_hold_the_newest_value(site: Site) -> None:
    site.levels(100, first_ms=site.now_ms + 30 * DAY_MS)
    site.levels(90, first_ms=site.now_ms - MINUTE_MS)
    (sensor,) = site.read(list_sensors)
    assert (sensor.last_value, sensor.last_ms) == (90, site.now_ms - MINUTE_MS)
    site.levels(95, first_ms=site.now_ms - HOUR_MS)
    assert site.read(list_sensors)[0].last_value == 90


def a_refuel(start_min: float, end_min: float, litres: float = 60, **more: Any) -> FuelEvent:
    return FuelEvent("refuel", AT_S + start_min * 60, AT_S + end_min * 60, litres, 100, 100 + litres, 0.9, **more)


def found(site: Site, *events: FuelEvent, since_ms: int = START_MS) -> list[tuple[str, str]]:
    """Reconcile; (id, decision) of what stands."""
    (tank,) = site.read(list_tanks)
    site.write(lambda c: reconcile(c, tank, events, since_ms, START_MS + 30 * DAY_MS, site.now_ms))
    return [(one.id, one.decision) for one in reversed(site.read(list_events))]


def test_an_event_that_comes_back_is_itself_again(site: Site) -> None:
    ((event_id, _decision),) = found(site, a_refuel(60, 70))
    site.write(lambda c: decide(c, event_id, "false", "a slope", who="D"))
    assert found(site) == []
    assert found(site, a_refuel(62, 75, 55)) == [(event_id, "false")]


def test_a_confirmed_event_stays_though_it_is_not_found_any_more(site: Site) -> None:
    ((event_id, _decision),) = found(site, a_refuel(60, 70))
    site.write(lambda c: decide(c, event_id, "confirmed", who="D"))
    assert found(site) == [(event_id, "confirmed")]


def test_an_event_that_begins_before_what_is_computed_stays_as_it_is(site: Site) -> None:
    ((event_id, _decision),) = found(site, a_refuel(60, 90))
    assert found(site, since_ms=START_MS + 70 * MINUTE_MS) == [(event_id, "")]
    assert found(site, a_refuel(60, 91), since_ms=START_MS + 70 * MINUTE_MS) == [(event_id, "")]
    assert site.read(list_events)[0].end_ms == START_MS + 90 * MINUTE_MS


def test_of_several_events_nearby_the_closest_is_the_same(site: Site) -> None:
    first, second = found(site, a_refuel(60, 62), a_refuel(70, 72))
    assert found(site, a_refuel(69, 72)) == [second]
    assert found(site, a_refuel(60, 61), a_refuel(69, 72)) == [first, second]


def test_at_one_place_an_event_may_move_further(site: Site) -> None:
    here, there = {"lat": 9.0, "lon": 7.0}, {"lat": 9.1, "lon": 7.0}
    (first,) = found(site, a_refuel(60, 62, **here))
    assert found(site, a_refuel(95, 97, **here)) == [first]
    assert found(site, a_refuel(140, 142, **there)) != [first]


def test_an_event_over_midnight_belongs_to_both_days_by_the_levels(site: Site) -> None:
    before = [100.0] * 282
    rising = [100.0 + 10 * step for step in range(12)]  # 23:30 to 00:25
    site.levels(*before, *rising, *[210.0] * 60)
    site.sensor(tank_id=site.tank_id)
    site.run()
    first, second = site.read(lambda c: list_days(c, [site.tank_id], "2026-03-02", "2026-03-03"))
    assert first.refuelled_l + second.refuelled_l == pytest.approx(110, abs=3)
    assert first.refuelled_l == pytest.approx(50, abs=11)
    assert first.used_l == pytest.approx(0, abs=6)
    assert second.used_l == pytest.approx(0, abs=6)


def test_a_day_that_runs_is_written_over_and_one_that_is_over_is_followed(site: Site) -> None:
    site.levels(*[200.0] * 12)
    site.sensor(tank_id=site.tank_id)
    site.now_ms = START_MS + 2 * HOUR_MS
    site.run()
    site.levels(*[190.0] * 12, first_ms=START_MS + HOUR_MS)
    site.run()
    assert count_of(site.store, FuelDay) == 1
    site.now_ms = START_MS + 2 * DAY_MS
    site.levels(*[190.0] * 12, first_ms=START_MS + 3 * HOUR_MS)
    site.run()
    site.levels(*[185.0] * 12, first_ms=START_MS + 5 * HOUR_MS)
    site.run()
    query = select(FuelDay.end_l, FuelDay.superseded_at).order_by(FuelDay.id)
    kept = site.read(lambda c: c.execute(query).all())
    assert [(row.end_l, row.superseded_at is None) for row in kept] == [(190, False), (185, True)]


def test_live_data_wait_for_their_turn_and_acts_do_not(site: Site) -> None:
    site.levels(*[200.0] * 12)
    site.sensor(tank_id=site.tank_id)
    worker = FuelWorker()
    assert worker.step(site.store, site.now_ms) == AGAIN_S
    site.levels(199.0, first_ms=START_MS + HOUR_MS)
    assert worker.step(site.store, site.now_ms + 1_000) == pytest.approx(LIVE_MS / 1000 - 1)
    assert len(site.read(open_work)) == 1
    assert worker.step(site.store, site.now_ms + LIVE_MS) == AGAIN_S
    assert site.read(open_work) == {}
    site.levels(198.0, first_ms=START_MS + 2 * HOUR_MS)
    found(site, a_refuel(30, 40))
    event = site.read(list_events)[0]
    site.write(lambda c: decide(c, event.id, "confirmed", who="D"))
    assert worker.step(site.store, site.now_ms + LIVE_MS + 1) == AGAIN_S


def test_the_engines_counter_and_speed_stand_beside_the_sensor(site: Site) -> None:
    site.levels(*[200.0 - at for at in range(13)])
    site.sensor(tank_id=site.tank_id)
    times = [START_MS + at * 5 * MINUTE_MS for at in range(13)]
    site.arrive(
        *(EngineReading("a", at, total_fuel_l=1000 + n, engine_rpm=900, speed_km_h=60) for n, at in enumerate(times))
    )
    site.run()
    (day,) = site.read(lambda c: list_days(c, [site.tank_id], "2026-03-02", "2026-03-02"))
    assert day.counter_l == 12
    assert day.engine_h == pytest.approx(1)
    assert day.distance_km == pytest.approx(60)
    assert day.norm_l == pytest.approx(60 * 28 / 100)


def test_receipts_are_compared_with_what_the_sensor_saw(site: Site) -> None:
    found(site, a_refuel(60, 70), a_refuel(300, 310, 100), a_refuel(600, 610))
    at_ms = START_MS + 75 * MINUTE_MS
    first = site.write(lambda c: add_receipt(c, "kan-1", at_ms, 61, reference="A 1", who="D"))
    site.write(lambda c: add_receipt(c, site.vehicle, START_MS + 305 * MINUTE_MS, 140))
    site.write(lambda c: add_receipt(c, site.vehicle, START_MS + 900 * MINUTE_MS, 20))
    checks = site.read(lambda c: three_way_check(c, site.vehicle, START_MS, START_MS + DAY_MS)).refuels
    assert sorted((one.verdict, round(one.difference_l)) for one in checks) == [
        ("agrees", 1), ("differs", 40), ("no_receipt", -60), ("no_refuel", 20),
    ]  # fmt: skip
    ((last,),) = [one.events for one in checks if one.verdict == "no_receipt"]
    site.write(lambda c: decide(c, last.id, "false", "a slope"))
    checks = site.read(lambda c: three_way_check(c, site.vehicle, START_MS, START_MS + DAY_MS)).refuels
    assert "no_receipt" not in {one.verdict for one in checks}
    site.write(lambda c: remove_receipt(c, first, who="D"))
    assert len(site.read(lambda c: list_receipts(c, vehicle_id=site.vehicle))) == 2
    assert site.read(verify_acts).ok


def test_receipts_that_cannot_be_are_refused(site: Site) -> None:
    for litres in (0, -1, float("nan"), 1e9):
        with pytest.raises(FuelError):
            site.write(partial(add_receipt, vehicle="KAN-1", at_ms=START_MS, litres=litres))
    with pytest.raises(NotFound):
        site.write(lambda c: add_receipt(c, "nobody", START_MS, 10))
    site.write(lambda c: add_receipt(c, "KAN-1", START_MS, 10, reference="A"))
    with pytest.raises(FuelError, match="already"):
        site.write(lambda c: add_receipt(c, "KAN-1", START_MS, 10, reference="A"))
    with pytest.raises(NotFound):
        site.write(lambda c: remove_receipt(c, "nothing"))


def test_profiles_of_sensors_are_kept_by_name(site: Site) -> None:
    profile = Profile("lls", "LLS 5", "77", "1.2", 3, {"filter": 10, "mode": "text", "offset": None})
    first = site.write(lambda c: keep_profile(c, " Lorry  400 L ", profile, note="as poured", who="F"))
    second = site.write(lambda c: keep_profile(c, "Lorry 400 L", replace(profile, model="LLS 6")))
    (kept,) = site.read(list_profiles)
    assert (kept.id, kept.name, kept.profile) == (second, "Lorry 400 L", replace(profile, model="LLS 6"))
    assert site.read(lambda c: list_profiles(c, "ede")) == []
    with pytest.raises(NotFound):
        site.write(lambda c: remove_profile(c, first))
    site.write(lambda c: remove_profile(c, second))
    assert site.read(list_profiles) == []
    with pytest.raises(FuelError):
        site.write(lambda c: keep_profile(c, " ", profile))
    with pytest.raises(FuelError):
        site.write(lambda c: keep_profile(c, "x", replace(profile, settings={})))
    assert site.read(verify_acts).ok


def test_readings_and_events_are_exported(site: Site) -> None:
    site.levels(100, 101)
    site.levels(7, sensor="b")
    site.sensor(tank_id=site.tank_id)
    rows = list(export_rows(site.store, "fuel-readings"))
    assert [(row["sensor"], row["vehicle"], row["tank"], row["value"]) for row in rows] == [
        ("a", "KAN-1", "Main", 100), ("a", "KAN-1", "Main", 101), ("b", None, None, 7),
    ]  # fmt: skip
    assert rows[0]["measured_at"] == "2026-03-02T00:00:00Z"
    assert len(list(export_rows(site.store, "fuel-readings", since_ms=START_MS + 1, where={"sensor": "a"}))) == 1
    found(site, a_refuel(60, 70), a_refuel(300, 310))
    found(site, a_refuel(60, 70))
    events = list(export_rows(site.store, "fuel-events"))
    assert all(tuple(row) == EVENT_COLUMNS and row["tank"] == "Main" for row in events)
    assert [(row["start"], row["withdrawn"]) for row in events] == [
        ("2026-03-02T01:00:00Z", False), ("2026-03-02T05:00:00Z", True),
    ]  # fmt: skip
    assert len(list(export_rows(site.store, "fuel-events", where={"withdrawn": "false", "kind": "refuel"}))) == 1


def test_old_readings_are_forgotten_and_what_was_found_stays(site: Site) -> None:
    site.levels(100, 101)
    site.levels(102, first_ms=START_MS + 16 * DAY_MS)
    site.arrive(EngineReading("a", START_MS, engine_rpm=1), EngineReading("a", START_MS + 16 * DAY_MS, engine_rpm=2))
    found(site, a_refuel(15.5 * 1_440, 15.5 * 1_440 + 10))
    site.write(lambda c: set_retention(c, Retention(positions_days=10)))
    deleted = sweep(site.store, START_MS + 25 * DAY_MS, threading.Event())
    assert (deleted["fuel_readings"], deleted["engine_readings"]) == (2, 1)
    assert (count_of(site.store, FuelReadingRow), count_of(site.store, EngineReadingRow)) == (1, 1)
    site.sensor(tank_id=site.tank_id)
    site.now_ms = START_MS + 25 * DAY_MS
    site.run()
    assert len(site.read(list_events)) == 1
