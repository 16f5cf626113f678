"""Whenever a demo begins, a journey lies behind it: its theft between start and end, its times in their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.fuel_monitoring.simulator.history import live_through
from adapters.fuel_monitoring.simulator.peer import make_vehicle
from app import demo_fuel, demo_journey

HOURS = (0, 6, 11, 17, 22)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("day", [0, 2, 5, 6])
def test_a_journey_with_a_theft_lies_behind_every_demo(day: int, tmp_path: object) -> None:
    for hour in HOURS:
        until_ms = round((MONDAY + timedelta(days=day, hours=hour, minutes=20)).timestamp() * 1000)
        vehicle = make_vehicle(0, demo_fuel.peer_options(tmp_path, with_past=True))  # type: ignore[arg-type]
        moments = live_through(vehicle, until_ms, demo_fuel.HISTORY_DAYS)
        theft_ms = demo_fuel.theft_ms(until_ms)
        past = demo_journey.past_journey(moments, theft_ms, until_ms)
        assert past is not None, (day, hour)
        assert past.started_ms < theft_ms < past.ended_ms
        assert past.ordered_ms < past.shipped_ms < past.started_ms < past.delivered_ms < past.told_ms < past.ended_ms
        assert past.received_ms < until_ms
        assert past.ended_ms < until_ms
        near = [moment.point for moment in moments if abs(moment.at_ms - past.delivered_ms) <= 10 * 60_000]
        assert all(abs(lat - demo_journey.HOSPITAL[1]) < demo_journey.NEAR_DEG for lat, _lon in near)


def test_no_journey_is_made_up_where_the_lorry_never_was_there() -> None:
    assert demo_journey.past_journey([], 1_000, 2_000) is None
