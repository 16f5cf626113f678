"""The driven vehicle that the simulators read: nothing comes from nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.fuel_monitoring.simulator.history import Passenger, live_through
from adapters.fuel_monitoring.simulator.peer import simulate
from adapters.fuel_monitoring.simulator.vehicle import (
    FULL_COUNT,
    Deed,
    DrivenVehicle,
    bent_road,
    calibration_rows,
    distance_m,
    height_of,
    share_of,
)
from adapters.records import EngineReading, FuelReading, FuelSensorInfo

ROAD = bent_road(((12.0, 8.5), (11.0, 7.7), (10.5, 7.4)), 3)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 10_000), st.floats(0.2, 1.0), st.floats(1.0, 3.0))
def test_what_is_burnt_and_taken_is_missing_from_the_tank(seed: int, share: float, pace: float) -> None:
    lorry = DrivenVehicle(ROAD, level_l=400 * share, seed=seed, refuels_itself=False)
    lorry.deeds += [Deed("theft", 600, 20, 20.0), Deed("refuel", 3_000, 30)]
    before_l, burnt_l = lorry.level_l, lorry.total_fuel_l
    lorry.advance(7_200, pace)
    burnt_l = lorry.total_fuel_l - burnt_l
    assert lorry.level_l == pytest.approx(min(before_l - burnt_l + 10, 400), abs=31 if before_l > 370 else 0.01)
    assert 0 <= lorry.percent <= 100
    assert 0 <= lorry.count <= FULL_COUNT


def test_it_drives_its_road_and_stands_while_fuel_flows() -> None:
    lorry = DrivenVehicle(ROAD, seed=5)
    lorry.advance(300)
    place, way_m = lorry.point, lorry.odometer_m
    lorry.advance(60)
    assert lorry.speed_km_h > 10
    assert distance_m(place, lorry.point) == pytest.approx(lorry.odometer_m - way_m, rel=0.05)
    lorry.deeds.append(Deed("theft", lorry.time_s + 1, 40, 20.0))
    lorry.advance(10)
    place = lorry.point
    lorry.advance(60)
    assert lorry.point == place
    assert lorry.speed_km_h == 0


@given(st.floats(0, 1))
def test_height_and_share_are_inverse(height: float) -> None:
    assert height_of(share_of(height)) == pytest.approx(height, abs=1e-5)


def test_the_table_turns_counts_into_the_litres_that_are_there() -> None:
    rows = calibration_rows(400)
    counts, litres = [row[0] for row in rows], [row[1] for row in rows]
    assert counts == sorted(set(counts))
    assert (litres[0], litres[-1]) == (0, 400)
    lorry = DrivenVehicle(ROAD, level_l=123.0)
    at = next(at for at in range(len(rows)) if counts[at] >= lorry.count)
    share = (lorry.count - counts[at - 1]) / (counts[at] - counts[at - 1])
    assert litres[at - 1] + share * (litres[at] - litres[at - 1]) == pytest.approx(123.0, abs=1.0)


def test_a_past_is_the_same_for_the_same_vehicle_and_ends_at_work() -> None:
    def life() -> tuple[DrivenVehicle, list[Any]]:
        lorry = DrivenVehicle(ROAD, seed=9)
        return lorry, live_through(lorry, 1_790_000_000_000, 3)

    (one, first), (other, second) = life(), life()
    assert first == second
    assert one.level_l == other.level_l
    assert one.ignition
    assert {moment.ignition for moment in first} == {True, False}
    assert max(moment.at_ms for moment in first) == 1_790_000_000_000
    rider = Passenger(one, first)
    assert rider.point == first[0].point
    rider.advance((first[-1].at_ms - first[0].at_ms) / 1000)
    assert rider.point == one.point


async def test_only_the_past_can_be_asked_for() -> None:
    found: dict[str, Any] = {}
    ports = [
        {"protocol": "lls", "port": "/dev/a", "vehicle": "A", "sensors": "1 = left, 2 = right"},
        {"protocol": "slcan", "port": "/dev/b", "vehicle": "B"},
    ]
    options = {"vehicles": 2, "history_days": 2, "only_history": True, "ports": ports, "until_ms": 1_790_000_000_000}
    async with asyncio.timeout(20):
        await simulate(options, found.update)
    probed, bus = found["history"]
    assert [type(record) for record in probed[:3]] == [FuelSensorInfo, FuelSensorInfo, FuelReading]
    assert {record.sensor for record in probed} == {"lls:/dev/a:1", "lls:/dev/a:2"}
    assert {type(record) for record in bus} == {FuelSensorInfo, FuelReading, EngineReading}
    assert [len(tank["rows"]) for tank in found["tanks"]] == [21, 0]
