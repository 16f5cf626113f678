"""Receipts beside refuels: tanks of one stop together, several receipts of one refuel, what a sensor cannot see."""

from __future__ import annotations

import pytest

from app.fuel.days import DayTotal
from app.fuel.events import StoredEvent
from app.fuel.parameters import Parameters
from app.fuel.receipts import StoredReceipt
from app.fuel.three_way import pair
from app.fuel.vehicle_days import VehicleSpan, _together, _totals

MINUTE_MS = 60_000


def refuel(key: str, minute: int, litres: float, tank: str = "t1", *, at_least: bool = False) -> StoredEvent:
    at_ms = minute * MINUTE_MS
    return StoredEvent(
        key, "v", "ABJ-1", tank, tank, "refuel", at_ms, at_ms + 5 * MINUTE_MS, litres, 50, 50 + litres, 0.9, at_least,
        False, False, None, None, "", [], "", "", "", "", None,
    )  # fmt: skip


def receipt(key: str, minute: int, litres: float) -> StoredReceipt:
    return StoredReceipt(key, "v", "ABJ-1", minute * MINUTE_MS, litres, key.upper())


@pytest.mark.parametrize(
    ("receipts", "expected"),
    [
        ([receipt("a", 3, 103)], [("agrees", 103, 100)]),
        ([receipt("a", 3, 120)], [("differs", 120, 100)]),
        ([receipt("a", 60, 100)], [("no_receipt", None, 100), ("no_refuel", 100, None)]),
        ([receipt("a", 2, 60), receipt("b", 4, 41)], [("agrees", 101, 100)]),
        ([receipt("a", 2, 100), receipt("b", 4, 90)], [("agrees", 100, 100), ("no_refuel", 90, None)]),
    ],
)
def test_a_refuel_takes_the_receipts_that_fit_it(
    receipts: list[StoredReceipt], expected: list[tuple[str, float | None, float | None]]
) -> None:
    found = pair([refuel("e", 0, 100)], receipts, 400, Parameters())
    assert [(one.verdict, one.receipt_l, one.sensor_l) for one in found] == expected
    assert sorted(part.id for one in found for part in one.receipts) == [one.id for one in receipts]


def test_two_tanks_filled_at_one_stop_are_one_receipt() -> None:
    events = [refuel("left", 0, 100), refuel("right", 7, 80, "t2"), refuel("later", 600, 50)]
    one, later = pair(events, [receipt("a", 8, 181)], 600, Parameters())
    assert (one.verdict, one.sensor_l, [event.id for event in one.events]) == ("agrees", 180, ["left", "right"])
    assert (later.verdict, later.sensor_l) == ("no_receipt", 50)


def test_a_tank_filled_beyond_its_sensor_does_not_contradict_the_receipt() -> None:
    (more,) = pair([refuel("e", 0, 100, at_least=True)], [receipt("a", 3, 130)], 400, Parameters())
    assert more.verdict == "at_least"
    (less,) = pair([refuel("e", 0, 100, at_least=True)], [receipt("a", 3, 70)], 400, Parameters())
    assert less.verdict == "differs"


def a_day(tank: str, used: float | None, km: float = 200.0, norm: float | None = 60.0) -> DayTotal:
    return DayTotal(tank, "2026-03-01", 100, 60, 20, 5, used, km, 4.0, 90, norm)


def test_litres_of_tanks_add_up_and_the_way_is_driven_once() -> None:
    day = _together("2026-03-01", [a_day("t1", 55), a_day("t2", 10)], 2)
    assert (day.used_l, day.distance_km, day.norm_l, day.engine_h, day.start_l) == (65, 200, 60, 4, 200)
    missing = _together("2026-03-01", [a_day("t1", 55)], 2)
    assert (missing.used_l, missing.start_l, missing.refuelled_l) == (None, None, 20)
    totals = _totals([day, missing])
    assert (totals.used_l, totals.used_km, totals.norm_l, totals.unknown_days) == (65, 200, 60, 1)
    assert (totals.distance_km, totals.refuelled_l) == (400, 60)


def test_a_rate_is_only_told_where_it_is_no_guess() -> None:
    span = VehicleSpan((), _totals([]), 400)
    assert span.per_100_km(60, 200) == 30
    assert span.per_100_km(60, 49) is None
    assert span.per_100_km(19, 200) is None
    assert span.per_100_km(None, 200) is None
