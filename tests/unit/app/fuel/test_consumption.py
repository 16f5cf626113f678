"""What was used: by level, by the engine's counter and rate, by the norm; kilometres; receipts."""

from __future__ import annotations

import numpy as np
import pytest

from app.fuel.analyse import analyse
from app.fuel.consumption import Receipt, by_counter, compare, driven_km
from app.fuel.detect.events import FuelEvent
from app.fuel.distance import driven_steps_km, steps_km
from app.fuel.parameters import Parameters
from app.fuel.series import Samples, make_samples
from app.fuel.table import identity_table
from app.fuel.warmth import at_15_c, expansion_per_c, steady_temperature

HOUR = 3_600.0


def day_trip(*, used_l: float = 30.0) -> Samples:
    """An hour at rest, two hours at 60 km/h, an hour idling, an hour at rest; a sample every minute."""
    count = 300
    at = np.arange(count)
    drives = (at >= 60) & (at < 180)
    speed = np.where(drives, 60.0, 0.0)
    ignition = ((at >= 60) & (at < 240)).astype(np.int8)
    litres = 200 - np.clip((at - 60) / 120, 0, 1) * used_l - np.clip((at - 180) / 60, 0, 1) * 2.0
    lat = 9 + np.cumsum(np.where(drives, 1.0, 0.0)) / 111.195
    return make_samples(at.astype(np.float64) * 60, litres, speed, ignition, lat, np.full(count, 7.4))


def test_used_is_start_minus_end_plus_refuelled_minus_drained() -> None:
    used = analyse(day_trip(), identity_table(300), Parameters()).consumption
    assert used.used_l == pytest.approx(32, abs=0.2)
    assert used.distance_km == pytest.approx(120, abs=1.5)
    assert used.moving_h == pytest.approx(2, abs=0.05)
    assert used.engine_h == pytest.approx(3, abs=0.05)
    assert used.l_per_100_km == pytest.approx(32 / 1.2, rel=0.02)
    assert used.l_per_engine_hour == pytest.approx(32 / 3, rel=0.02)
    assert used.expected_l == pytest.approx(120 * 0.28 + 2, rel=0.02)


def test_the_norm_has_a_factor_for_load_and_season() -> None:
    parameters = Parameters(norm_l_100_km=30, norm_factor=1.2, idle_l_h=2)
    assert parameters.expected_l(100, 3) == pytest.approx(42)
    used = analyse(day_trip(), identity_table(300), parameters).consumption
    assert used.expected_l == pytest.approx(120 * 0.36 + 2, rel=0.02)


def test_figures_that_would_be_guesses_are_not_given() -> None:
    short = day_trip().part(slice(0, 80))
    used = analyse(short, identity_table(300), Parameters()).consumption
    assert used.l_per_100_km is None
    nothing = make_samples(np.zeros(0), np.zeros(0))
    assert analyse(nothing, identity_table(300), Parameters()).consumption.used_l is None


def test_a_counter_that_falls_was_reset() -> None:
    assert by_counter(np.array([100.0, 102.5, np.nan, 103.0, 0.5, 2.0])) == pytest.approx(4.5)
    assert by_counter(np.array([np.nan, 5.0])) is None


def test_jumps_of_the_receiver_are_no_kilometres() -> None:
    trip = day_trip()
    plain = driven_km(trip, trip.speed_km_h > 0)
    trip.lat[100] += 0.4
    assert driven_km(trip, trip.speed_km_h > 0) == pytest.approx(plain, rel=0.01)


def test_what_was_driven_in_a_gap_of_an_hour_counts() -> None:
    time_s, speed = np.array([0.0, 60, 3_660, 3_720]), np.zeros(4)
    lat = np.array([9.0, 9.0, 9.5, 9.5])
    assert driven_steps_km(time_s, speed, lat, np.full(4, 7.4)).sum() == pytest.approx(55.6, abs=0.1)
    assert driven_steps_km(time_s[:1], speed[:1], lat[:1], lat[:1]).tolist() == [0]


def test_steps_are_those_on_the_globe() -> None:
    steps = steps_km(np.array([9.0, 9.0, 0.0, 0.0, np.nan]), np.array([7.4, 8.4, 179.9, -179.9, 0.0]))
    assert steps[0] == pytest.approx(109.82, abs=0.05)
    assert steps[2] == pytest.approx(22.24, abs=0.01)
    assert steps[3] == 0


def refuel(at_s: float, litres: float) -> FuelEvent:
    return FuelEvent("refuel", at_s, at_s + 300, litres, 50, 50 + litres, 0.9)


def test_refuels_and_receipts_find_each_other_within_the_tolerances() -> None:
    events = [refuel(0, 100), refuel(10 * HOUR, 80), refuel(20 * HOUR, 60)]
    receipts = [Receipt(600, 102), Receipt(10 * HOUR - 60, 110), Receipt(30 * HOUR, 40)]
    found = compare(events, receipts, 300, Parameters())
    assert [one.verdict for one in found] == ["agrees", "differs", "no_receipt", "no_refuel"]
    assert [one.difference_l for one in found] == [2, 30, -60, 40]


def test_litres_at_15_degrees_are_those_of_the_tables() -> None:
    assert expansion_per_c(840) == pytest.approx(0.000844, abs=1e-6)
    assert expansion_per_c(740) > expansion_per_c(800) > expansion_per_c(840)
    cooler = at_15_c(np.array([300.0]), np.array([0.0]), Parameters(temperature_correction="density"))
    assert cooler[0] == pytest.approx(303.8, abs=0.05)
    linear = at_15_c(np.array([300.0, 300.0]), np.array([30.0, np.nan]), Parameters(temperature_correction="linear"))
    assert linear.tolist() == [pytest.approx(300 / 1.01245), 300]


def test_the_temperature_of_the_fuel_is_slower_than_that_of_the_sensor() -> None:
    time_s = np.arange(0, 5 * HOUR, 600)
    head = np.where(time_s < 2.5 * HOUR, 20.0, 40.0)
    steady = steady_temperature(time_s, head)
    assert steady[15] < 25
    assert steady[-1] == 40
    assert np.isnan(steady_temperature(time_s, np.full(len(time_s), np.nan))).all()


def test_a_cold_night_is_no_drain_when_it_is_corrected() -> None:
    time_s = np.arange(0, 48 * HOUR, 600)
    warm = 25 + 12 * np.sin(time_s / 86_400 * 2 * np.pi)
    litres = 600 * (1 + 0.00083 * (warm - 15))
    samples = make_samples(time_s, litres, np.zeros(len(time_s)), np.zeros(len(time_s), np.int8), temperature_c=warm)
    tight = {"minimum_drain_l": 4.0, "minimum_drain_share": 0.0, "minimum_refuel_l": 4.0, "minimum_refuel_share": 0.0}
    corrected = Parameters(temperature_correction="density", density_kg_m3=845, **tight)  # type: ignore[arg-type]
    spread = [np.ptp(analyse(samples, identity_table(700), one).litres_raw) for one in (Parameters(), corrected)]
    assert spread[1] < spread[0] / 1.5
    assert not [event for event in analyse(samples, identity_table(700), corrected).events if event.kind == "drain"]
