"""Refuels and drains are found, whatever the signal's physics, piece by piece as in one go."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commands.fuel import facts_of
from app.fuel.analyse import analyse, smoothed
from app.fuel.arrays import Floats
from app.fuel.detect.events import FuelEvent
from app.fuel.detect.filters import is_spike
from app.fuel.detector import Detector
from app.fuel.parameters import Filter, Parameters, of_class
from app.fuel.rehearsal import rehearse
from app.fuel.series import Flags, Samples, make_samples, samples_from_csv
from app.fuel.table import TankTable, identity_table, make_table
from app.fuel.table_files import read_table
from tests.helpers.command_line import VECTORS
from tests.helpers.fuel_generator import Truth, drive
from tests.helpers.fuel_scores import score

TANK = identity_table(300.0)
PLAIN = Parameters()
HOUR = 3_600.0


def parked(*stretches: tuple[float, float], every_s: float = 60.0) -> Samples:
    """A vehicle that stands: (hours, litres at the end) one after the other, the level linear within each."""
    times: list[float] = [0.0]
    litres: list[float] = [stretches[0][1]]
    for hours, end in stretches:
        steps = max(int(hours * HOUR / every_s), 1)
        start, begin = litres[-1], times[-1]
        times += [begin + (number + 1) * every_s for number in range(steps)]
        litres += [start + (end - start) * (number + 1) / steps for number in range(steps)]
    count = len(times)
    off = np.zeros(count, dtype=np.int8)
    return make_samples(np.array(times), np.array(litres), np.zeros(count), off)


def found(samples: Samples, parameters: Parameters = PLAIN, table: TankTable = TANK) -> list[tuple[str, int]]:
    return [(event.kind, round(event.litres)) for event in analyse(samples, table, parameters).events]


# -- the goals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thefts", [True, False])
def test_signals_of_another_physics_are_read_as_they_were_made(thefts: bool) -> None:
    scores = score(drive(seed, thefts=thefts) for seed in range(200, 212))
    assert scores.refuel.f1 >= 0.95, scores
    assert scores.refuel.median_error <= 0.03, scores
    assert scores.false_drains_per_day <= (0.02 if thefts else 0.01), scores
    assert np.median(scores.consumption_errors) <= 0.05, scores
    if thefts:
        assert scores.drain.precision >= 0.85, scores
        assert scores.drain.recall >= 0.70, scores


def asleep(truth: Truth, every_s: float) -> Truth:
    """The same vehicle behind a bus that tells nothing without ignition, and seldom with it."""
    samples = truth.samples
    told: list[int] = []
    for at in np.flatnonzero(samples.ignition == 1).tolist():
        if not told or samples.time_s[at] - samples.time_s[told[-1]] >= every_s:
            told.append(at)
    return replace(truth, samples=Samples(*(getattr(samples, one.name)[told] for one in fields(samples))))


@pytest.mark.parametrize(("every_s", "found_share"), [(0.0, 0.85), (60.0, 0.85), (300.0, 0.8)])
def test_what_happens_while_a_bus_sleeps_is_seen_when_it_wakes(every_s: float, found_share: float) -> None:
    """A stop may have one sample, or none that is calm; small thefts are lost in what slope and slosh explain."""
    scores = score(asleep(drive(seed), every_s) for seed in range(300, 312))
    assert scores.refuel.recall >= found_share, scores
    assert scores.refuel.precision >= 0.85, scores
    assert scores.refuel.median_error <= 0.05, scores
    assert scores.false_drains_per_day <= 0.04, scores


def test_a_refuel_at_a_halt_with_one_sample_counts_once() -> None:
    """Every five minutes a level from a moving lorry, one at the pump, and 290 litres more at the next."""
    levels = [102, 103, 98, 99, 96, 93, 91, 90, 87, 90, 83, 77, 80, 371, 370, 368, 374, 366, 365, 366, 365]
    speeds = [70.0] * 12 + [0.0] + [65.0] * 8
    times = np.append(np.arange(13) * 300.0, 13 * 300.0 + 600.0 + np.arange(8) * 300.0)
    samples = make_samples(times, np.array(levels, dtype=float), np.array(speeds), np.ones(len(levels), dtype=np.int8))
    (event,) = analyse(samples, identity_table(400.0), PLAIN).events
    assert event.kind == "refuel"
    assert event.litres == pytest.approx(290, rel=0.04)
    assert event.start_s <= 12 * 300.0 <= event.end_s


@pytest.mark.soak
def test_the_goals_hold_over_eighty_vehicle_weeks() -> None:
    with_thefts = score(drive(seed) for seed in range(9_000, 9_040))
    without = score(drive(seed, thefts=False) for seed in range(9_500, 9_540))
    print(with_thefts, without, sep="\n")
    for scores in (with_thefts, without):
        assert scores.refuel.f1 >= 0.95
        assert scores.refuel.median_error <= 0.03
        assert np.median(scores.consumption_errors) <= 0.05
    assert with_thefts.drain.precision >= 0.85
    assert with_thefts.drain.recall >= 0.70
    assert with_thefts.false_drains_per_day <= 0.02
    assert without.false_drains_per_day <= 0.01


def test_the_shared_samples_are_read_within_the_goals(tmp_path: Path) -> None:
    folder, scorer = VECTORS / "fuel-samples", VECTORS.parent / "tools" / "fuel_score.py"
    if not (folder.exists() and scorer.exists()):
        pytest.skip("the shared samples are not here")
    for file in sorted(folder.glob("*.truth.json")):
        name = file.name.split(".")[0]
        vehicle_class = json.loads(file.read_text("utf-8"))["vehicle_class"]
        samples, table = samples_from_csv(folder / f"{name}.csv"), read_table(folder / f"{name}.calibration.csv")
        facts = facts_of(name, analyse(samples, table, of_class(vehicle_class)))
        (tmp_path / f"{name}.events.json").write_text(json.dumps(facts), "utf-8")
    result = tmp_path / "score.json"
    words = [sys.executable, str(scorer), "--truth", str(folder), "--found", str(tmp_path), "--json", str(result)]
    subprocess.run(words, check=True, capture_output=True)
    scores = json.loads(result.read_text("utf-8"))
    assert scores["refuel"]["f1"] >= 0.95
    assert scores["refuel"]["volume_error_pct"]["median"] <= 3
    assert scores["drain"]["precision"] >= 0.85
    assert scores["drain"]["recall"] >= 0.70
    assert scores["drain"]["false_per_vehicle_day"] <= 0.02
    assert scores["consumption_error_pct"]["worst"] <= 5


# -- what counts and what does not --------------------------------------------------------------------------------


def test_a_refuel_and_a_drain_are_told_with_their_litres() -> None:
    samples = parked((2, 100), (0.1, 180), (3, 180), (0.3, 150), (2, 150))
    assert found(samples) == [("refuel", 80), ("drain", 30)]


def test_siphoning_over_hours_and_small_sips_are_one_drain() -> None:
    assert found(parked((2, 200), (4, 180), (2, 180))) == [("drain", 19)]  # its slow ends look like a plateau
    sips = parked(
        (2, 200), *[stretch for end in (196, 192, 188, 184) for stretch in ((0.05, end), (0.2, end))], (2, 184)
    )
    assert found(sips) == [("drain", 16)]


def test_two_thefts_of_one_night_are_two() -> None:
    assert found(parked((2, 200), (0.1, 180), (2, 180), (0.1, 165), (2, 165))) == [("drain", 20), ("drain", 15)]


def test_a_refuel_in_two_goes_is_one() -> None:
    assert found(parked((2, 60), (0.05, 120), (0.05, 120), (0.05, 170), (2, 170))) == [("refuel", 110)]


@pytest.mark.parametrize("wrong", [0.0, 65_535.0, 60.0, float("nan")])
def test_readings_that_come_back_are_no_event(wrong: float) -> None:
    samples = parked((3, 200), (3, 200), every_s=600)
    samples.raw[10:13] = wrong
    assert found(samples) == []


def test_cooling_fuel_is_no_drain() -> None:
    samples = parked((1, 200), (12, 196), (1, 196))
    warm = samples.part(slice(None))
    warm.temperature_c[:] = np.linspace(40, 15, len(warm))
    assert found(warm, Parameters(minimum_drain_l=2, minimum_drain_share=0)) == []


def test_idling_is_no_drain() -> None:
    samples = parked((1, 200), (5, 187), (1, 187))
    idling = np.where((samples.time_s > HOUR) & (samples.time_s <= 6 * HOUR), 1, 0).astype(np.int8)
    on = make_samples(samples.time_s, samples.raw, samples.speed_km_h, idling)
    assert found(on, Parameters(idle_l_h=2.6)) == []
    assert found(on, Parameters(idle_l_h=0.5)) == [("drain", 9)]


def test_a_rise_that_no_pump_can_do_is_a_fault_of_the_sensor() -> None:
    assert found(parked((2, 20), (0.001, 280), (2, 280), every_s=10)) == []


def test_a_refuel_to_the_top_is_at_least_so_much() -> None:
    (event,) = analyse(parked((2, 100), (0.1, 300), (2, 300)), TANK, PLAIN).events
    assert event.at_least
    assert {one.test for one in event.evidence} >= {"plateaus", "rate", "ignition"}
    assert 0 < event.confidence < 1


def test_a_drain_between_two_stops_is_found_in_motion() -> None:
    count = 400
    time_s = np.arange(count, dtype=np.float64) * 30.0
    speed = np.where((np.arange(count) > 100) & (np.arange(count) < 300), 50.0, 0.0)
    litres = np.where(np.arange(count) < 200, 220.0, 140.0)
    place = 9 + np.cumsum(speed * 30 / 3600) / 111
    samples = make_samples(time_s, litres, speed, (speed > 0).astype(np.int8), place, np.full(count, 7.0))
    (event,) = analyse(samples, TANK, PLAIN).events
    assert (event.kind, event.in_motion) == ("drain", True)
    assert 40 < event.litres < 80
    assert abs(event.start_s - 200 * 30) < 300
    assert analyse(samples, TANK, Parameters(drains_in_motion=False)).events == ()


def test_a_pause_parts_a_drain_only_when_it_is_long_enough() -> None:
    samples = parked((2, 220), (0.1, 200), (0.5, 200), (0.1, 180), (2, 180))
    assert found(samples) == [("drain", 20), ("drain", 20)]
    assert found(samples, Parameters(steady_min=60)) == [("drain", 40)]


def test_a_dead_reading_beside_a_refuel_leaves_the_refuel() -> None:
    samples = parked((2, 100), (0.15, 190), (2, 190), every_s=300)
    samples.raw[28] = 40.0
    assert found(samples) == [("refuel", 90)]


def journey(levels: Floats, speed: Floats, every_s: float = 30.0, ignition: Flags | None = None) -> Samples:
    """A vehicle with these litres and speeds; the engine runs while it moves."""
    time_s: Floats = np.arange(len(levels), dtype=np.float64) * every_s
    place = 9 + np.cumsum(speed * every_s / 3600) / 111.2
    on = (speed > 0).astype(np.int8) if ignition is None else ignition
    return make_samples(time_s, levels, speed, on, place, np.full(len(levels), 7.0))


def test_a_halt_at_a_junction_tells_no_level() -> None:
    """All of its samples slosh, the last by 20 % of the tank: between rests before and behind nothing happened."""
    speed = np.concatenate((np.zeros(60), np.full(40, 60.0), np.zeros(8), np.full(40, 60.0), np.zeros(60)))
    litres = np.full(len(speed), 200.0)
    litres[103:108] = 140.0
    engine = np.where((np.arange(len(speed)) >= 58) & (np.arange(len(speed)) < 150), 1, 0).astype(np.int8)
    assert found(journey(litres, speed, ignition=engine)) == []


def test_a_vehicle_that_is_moved_a_little_stands_on_another_slope() -> None:
    speed = np.concatenate((np.full(40, 60.0), np.zeros(200), np.full(40, 60.0)))
    speed[140:142] = 2.5
    litres = np.where(np.arange(len(speed)) < 140, 200.0, 193.0)
    litres[141:144] = (180.0, 205.0, 197.0)
    engine = (speed > 0).astype(np.int8)
    assert found(journey(litres, speed, ignition=engine)) == []
    engine[140:142] = 0  # a receiver that drifts
    assert found(journey(litres, speed, ignition=engine)) == [("drain", 7)]


def test_a_parked_receiver_that_drifts_is_no_trip() -> None:
    speed = np.zeros(300)
    speed[150:153] = 9.0
    litres = np.where(np.arange(300) < 151, 200.0, 170.0)
    off = np.zeros(300, dtype=np.int8)
    (event,) = analyse(journey(litres, speed, ignition=off), TANK, PLAIN).events
    assert (event.kind, round(event.litres), event.in_motion) == ("drain", 30, False)


def test_a_refuel_in_a_gap_of_hours_is_found_though_the_trip_used_as_much() -> None:
    speed = np.concatenate((np.zeros(60), np.full(300, 60.0), np.zeros(60)))
    litres = np.concatenate((np.full(60, 120.0), np.linspace(120, 78, 300), np.full(60, 118.0)))
    samples = journey(litres, speed)
    samples.time_s[360:] += 3 * HOUR
    (event,) = analyse(samples, TANK, PLAIN).events
    assert event.kind == "refuel"
    assert event.litres == pytest.approx(40, abs=8)


def test_litres_come_from_unfiltered_levels_unless_asked_otherwise() -> None:
    samples = parked((2, 200), (0.2, 170), (2, 170), every_s=120)
    samples.raw[:] += np.random.default_rng(1).normal(0, 0.6, len(samples))
    raw, smooth = (found_litres(samples, Parameters(volume_from_raw=choice)) for choice in (True, False))
    assert raw != smooth
    assert raw == pytest.approx(30, abs=1.5)
    assert smooth == pytest.approx(30, abs=1.5)


def found_litres(samples: Samples, parameters: Parameters) -> float:
    (event,) = analyse(samples, TANK, parameters).events
    return event.litres


def test_a_spike_leaves_both_sides_and_a_step_only_one() -> None:
    levels = np.full(40, 200.0)
    levels[10:13] = 60.0
    levels[20:] = 150.0
    assert np.flatnonzero(is_spike(levels, 300.0)).tolist() == [10, 11, 12]
    levels[10:14] = 60.0  # four in a row are a level
    assert not is_spike(levels, 300.0)[10:14].any()


@pytest.mark.parametrize("kind", ["off", "median", "adaptive"])
def test_the_line_for_the_eye_keeps_steps(kind: Filter) -> None:
    draw = np.random.default_rng(3)
    litres = np.where(np.arange(200) < 100, 100.0, 180.0) + draw.normal(0, 3.0, 200)
    everything, moving = np.ones(200, dtype=bool), np.ones(200, dtype=bool)
    smooth = smoothed(litres, everything, moving, Parameters(filter=kind))
    assert smooth[94:98].mean() < 115
    assert smooth[104:108].mean() > 165
    scatter = float(np.std(smooth[20:80]))
    assert (scatter > 2.5) if kind == "off" else (scatter < 1.5)


def test_the_adaptive_filter_smooths_a_rough_line_more_and_a_calm_one_less() -> None:
    draw = np.random.default_rng(4)
    noise = np.where(np.arange(400) < 200, 0.1, 8.0) * draw.normal(0, 1, 400)
    litres, all_of_them = 200 + noise, np.ones(400, dtype=bool)
    median = smoothed(litres, all_of_them, all_of_them, Parameters(filter="median"))
    adaptive = smoothed(litres, all_of_them, all_of_them, Parameters(filter="adaptive"))
    assert np.std(adaptive[230:370]) < np.std(median[230:370])
    assert np.std(adaptive[30:170]) > np.std(median[30:170])


def test_nothing_and_hardly_anything_are_no_trouble() -> None:
    empty = make_samples(np.zeros(0), np.zeros(0))
    assert analyse(empty, TANK, PLAIN).consumption.used_l is None
    for count in range(1, 8):
        samples = make_samples(np.arange(count, dtype=np.float64) * 60.0, np.full(count, 100.0))
        assert analyse(samples, TANK, PLAIN).events == ()
    silent = make_samples(np.arange(50, dtype=np.float64) * 60.0, np.full(50, np.nan))
    assert analyse(silent, TANK, PLAIN).quality.score < 70


@given(st.integers(0, 2**32 - 1), st.integers(2, 400))
def test_any_numbers_cost_nothing(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    wild = draw.choice([0, 1, 500, 4095, 65_535, -3, np.nan, np.inf, 1e300], count)
    samples = make_samples(
        np.cumsum(draw.exponential(60, count)), wild, draw.choice([0, 4, 60, np.nan], count),
        draw.choice([-1, 0, 1], count).astype(np.int8), draw.uniform(-90, 90, count), draw.uniform(-180, 180, count),
    )  # fmt: skip
    result = analyse(samples, make_table([(0, 0), (4095, 300)]), PLAIN)
    assert all(np.isfinite([event.litres, event.start_s, event.end_s]).all() for event in result.events)
    assert 0 <= result.quality.score <= 100


# -- piece by piece -----------------------------------------------------------------------------------------------


def told(events: Iterable[FuelEvent]) -> list[FuelEvent]:
    return [replace(event, provisional=False) for event in events]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 60), st.lists(st.floats(0, 1), min_size=1, max_size=25), st.sampled_from([3_600.0, 86_400.0]))
def test_fed_in_pieces_the_events_are_those_of_one_analysis(seed: int, cuts: list[float], lookback_s: float) -> None:
    truth = drive(seed, days=5)
    detector = Detector(truth.table, truth.parameters, lookback_s=lookback_s)
    bounds = [0, *sorted(int(cut * len(truth.samples)) for cut in cuts), len(truth.samples)]
    for start, end in pairwise(bounds):
        detector.feed(truth.samples.part(slice(start, end)))
    whole = analyse(truth.samples, truth.table, truth.parameters)
    assert detector.events == whole.events
    detector.finish()
    assert list(detector.events) == told(whole.events)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_samples_may_come_hours_late_twice_and_in_any_order(seed: int, shuffle: int) -> None:
    """Each message is delayed by up to six hours of the vehicle's time; some come again."""
    truth = drive(seed, days=4)
    draw = np.random.default_rng(shuffle)
    time_s = truth.samples.time_s
    order = np.argsort(time_s + draw.uniform(0, 6 * HOUR, len(time_s)) * (draw.random(len(time_s)) < 0.3))
    detector = Detector(truth.table, truth.parameters, lookback_s=12 * HOUR)
    for part in np.array_split(order, 30):
        again = np.append(part, draw.choice(part, 5))
        assert detector.feed(truth.samples.part(np.sort(again))).late_s is None
    whole = analyse(truth.samples, truth.table, truth.parameters)
    assert detector.events == whole.events


def test_what_is_told_of_changes_adds_up_to_the_events() -> None:
    truth = drive(3, days=6)
    detector = Detector(truth.table, truth.parameters, lookback_s=6 * HOUR)
    standing: list[FuelEvent] = []
    for part in np.array_split(np.arange(len(truth.samples)), 80):
        changes = detector.feed(truth.samples.part(part))
        for old, new in changes.changed:
            standing[standing.index(old)] = new
        for event in changes.withdrawn:
            standing.remove(event)
        standing += changes.found
        assert sorted(standing, key=lambda event: event.start_s) == list(detector.events)
    assert standing


def test_only_what_can_still_change_is_kept_and_what_came_too_late_is_told() -> None:
    truth = drive(7, days=6)
    detector = Detector(truth.table, truth.parameters)
    parts = np.array_split(np.arange(len(truth.samples)), 12)
    for part in parts:
        detector.feed(truth.samples.part(part))
    assert detector.kept < len(truth.samples) / 2
    events = detector.events
    assert detector.feed(truth.samples.part(slice(3, 9))).late_s == truth.samples.time_s[3]
    assert detector.events == events


def test_a_provisional_event_is_taken_back_when_it_turns_out_to_be_noise() -> None:
    whole = parked((3, 200), (0.05, 180), (0.1, 180), (0.05, 200), (3, 200))
    dip = int(np.argmin(whole.raw)) + 4
    detector = Detector(TANK, PLAIN)
    first = detector.feed(whole.part(slice(0, dip)))
    assert [event.kind for event in first.found] == ["drain"]
    then = detector.feed(whole.part(slice(dip, None)))
    assert [event.kind for event in then.withdrawn] == ["drain"]
    assert detector.events == ()


def test_a_changed_parameter_is_rehearsed() -> None:
    samples = parked((2, 200), (0.3, 192), (2, 192), (0.1, 260), (2, 260))
    result = rehearse(samples, TANK, PLAIN, Parameters(minimum_drain_l=12))
    assert [event.kind for event in result.vanish] == ["drain"]
    assert (result.appear, result.stay) == ((), 1)
    assert result.used_now_l == pytest.approx(0, abs=0.5)
    assert result.used_then_l == pytest.approx(8, abs=0.5)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("time,level_raw,speed_km_h\n2026-03-02T00:00:10Z,100,0\n2026-03-02T00:00:00Z,99,\n", "utf-8")
    samples = samples_from_csv(path)
    assert samples.raw.tolist() == [99, 100]
    assert samples.time_s[0] == 1_772_409_600.0
