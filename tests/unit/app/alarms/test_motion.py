"""Speed and fences from positions of any source, through a real store."""

from __future__ import annotations

import pytest

from app.alarms.rule_book import change_rule, remove_rule
from app.alarms.words import Kind, Priority
from app.store.store import Store
from app.store.tables import AlarmSpell
from tests.helpers.alarm_site import HOUR_MS, MIN_MS, AlarmSite
from tests.helpers.fleet import IMEI, OTHER_IMEI, rows_of

FAST = [120.0] * 8


@pytest.fixture
def site(sqlite_store: Store) -> AlarmSite:
    made = AlarmSite(sqlite_store)
    made.no_rules()
    made.vehicle("ABC-123", IMEI)
    return made


def test_too_fast_for_long_enough_is_an_alarm_that_ends_at_the_limit(site: AlarmSite) -> None:
    site.rule(Kind.SPEED, limit_km_h=100.0, tolerance_km_h=5.0, hold_s=30)
    site.step()
    begin = site.now_ms
    site.step(MIN_MS)
    site.drive(IMEI, [90, 104, 110, 120, 131, 120], from_ms=begin)
    site.step()
    alarm = site.alarm()
    assert alarm.title == "ABC-123: 131 km/h, limit 100", "the highest so far, also where the last is lower"
    assert alarm.raised_at_ms == begin + 50_000, "by the fix that proved 30 s, not by the clock"
    assert alarm.cleared_at_ms is None
    assert alarm.lat is not None
    assert alarm.position_id is not None
    site.step(MIN_MS)
    site.drive(IMEI, [102, 101, 99], from_ms=begin + 60_000)
    site.step()
    alarm = site.alarm()
    assert alarm.cleared_at_ms == begin + 80_000, "within the tolerance it goes on"
    assert ["Highest speed", 131.0, "km/h"] in alarm.evidence


def test_a_moment_of_overtaking_is_none(site: AlarmSite) -> None:
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=30)
    site.step()
    site.drive(IMEI, [90, 120, 120, 90, 120, None, 90], from_ms=site.now_ms)
    site.step(MIN_MS)
    assert site.alarms() == []


def test_flapping_at_the_limit_is_one_alarm_with_repeats(site: AlarmSite) -> None:
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=0)
    site.step()
    begin = site.now_ms
    site.step(2 * MIN_MS)
    site.drive(IMEI, [120, 90] * 5, from_ms=begin)
    site.step()
    assert site.alarm().repeats == 4


def test_doubtful_fixes_raise_nothing(site: AlarmSite) -> None:
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=0)
    fence = site.fence()
    site.rule(Kind.FENCE_ENTER, fences=[fence], hold_s=0)
    site.step()
    at = site.now_ms
    site.arrive(
        site.fix(IMEI, at, east_m=-199_900, speed=120, located=False),
        site.fix(IMEI, at + 1_000, east_m=-199_800, speed=400),
        site.fix(IMEI, at + 2_000, east_m=0, speed=120),  # 200 km away within two seconds
    )
    site.step(MIN_MS)
    assert site.alarms() == []


def test_a_memory_emptied_late_raises_the_past_as_the_past(site: AlarmSite) -> None:
    """The newest fix first, then what happened before: told with its own times, and over."""
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=30)
    site.step()
    begin = site.now_ms
    site.step(3 * HOUR_MS)
    site.arrive(site.fix(IMEI, site.now_ms, east_m=-190_000, speed=40))
    site.step()
    site.drive(IMEI, FAST, from_ms=begin + MIN_MS)
    site.step()
    alarm = site.alarm()
    assert alarm.raised_at_ms == begin + MIN_MS + 30_000
    assert alarm.cleared_at_ms == begin + MIN_MS + 70_000
    assert alarm.acknowledged_at_ms is None
    site.restart()
    site.step()
    assert len(site.alarms()) == 1


def test_the_same_past_from_two_sources_is_told_once(site: AlarmSite) -> None:
    site.vehicle("ABC-123", OTHER_IMEI)
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=30)
    site.step()
    begin = site.now_ms
    site.step(HOUR_MS)
    site.arrive(site.fix(IMEI, site.now_ms, east_m=-190_000, speed=40))
    site.step()
    for imei in (IMEI, OTHER_IMEI):
        site.drive(imei, FAST, from_ms=begin + MIN_MS)
        site.step()
    assert len(site.alarms()) == 1


def test_a_day_old_fix_is_history(site: AlarmSite) -> None:
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=30)
    site.step()
    begin = site.now_ms
    site.step(25 * HOUR_MS)
    site.drive(IMEI, FAST, from_ms=begin)
    site.step()
    assert site.alarms() == []


def test_entering_staying_and_leaving(site: AlarmSite) -> None:
    fence = site.fence("Depot", radius_m=500)
    site.rule(Kind.FENCE_ENTER, fences=[fence], hold_s=60, margin_m=50)
    site.rule(Kind.FENCE_LEAVE, Priority.MEDIUM, fences=[fence], hold_s=60, margin_m=50)
    site.rule(Kind.FENCE_STAY, fences=[fence], hold_s=60, longer_min=30)
    site.step()
    begin = site.now_ms

    def be(minute: float, east_m: float) -> None:
        site.now_ms = begin + round(minute * MIN_MS) + 1_000
        site.arrive(site.fix(IMEI, begin + round(minute * MIN_MS), east_m=east_m))
        site.step()

    for minute, east_m in ((190, -20_000), (201, -3_000), (202, 100), (202.5, 100)):
        be(minute, east_m)
    assert site.alarms() == [], "not yet for a minute"
    be(203.2, 0)
    assert site.alarm().title == "ABC-123 entered Depot"
    for minute in range(204, 245, 5):
        be(minute, 520)  # wanders within the margin: still inside
    assert site.alarm(Kind.FENCE_STAY).title == "ABC-123 stays in Depot"
    assert site.alarm(Kind.FENCE_STAY).raised_at_ms == begin + 234 * MIN_MS
    be(250, 3_000)
    assert site.alarms(Kind.FENCE_LEAVE) == []
    be(251.5, 4_000)
    assert site.alarm(Kind.FENCE_LEAVE).priority == "medium"
    assert site.alarm(Kind.FENCE_ENTER).cleared_at_ms is not None
    assert site.alarm(Kind.FENCE_STAY).cleared_at_ms is not None
    be(260, 100)
    be(262, 100)
    assert site.alarm(Kind.FENCE_LEAVE).cleared_at_ms == begin + 262 * MIN_MS
    assert site.alarm(Kind.FENCE_ENTER).repeats == 1, "not seen to yet: the same alarm once more"


def test_who_was_inside_before_the_rule_has_not_entered(site: AlarmSite) -> None:
    fence = site.fence()
    site.step(4 * HOUR_MS)
    site.arrive(site.fix(IMEI, site.now_ms))
    site.step()
    site.rule(Kind.FENCE_ENTER, fences=[fence], hold_s=0)
    site.rule(Kind.FENCE_LEAVE, fences=[fence], hold_s=0)
    site.step(MIN_MS)
    site.arrive(site.fix(IMEI, site.now_ms, east_m=10))
    site.step()
    assert site.alarms() == []
    site.step(10 * MIN_MS)
    site.arrive(site.fix(IMEI, site.now_ms, east_m=2_000))
    site.step()
    assert site.alarm().kind == "fence_leave"


def test_limits_of_fences_hold_inside_them_alone(site: AlarmSite) -> None:
    site.fence("Village", radius_m=2_000, limit=50.0)
    site.fence("Town", radius_m=1_000, limit=30.0)
    site.rule(Kind.SPEED, limit="fence", hold_s=0, tolerance_km_h=5)
    site.step(4 * HOUR_MS)
    for east_m in (-5_000, -1_500, 0):
        site.step(5 * MIN_MS)
        site.arrive(site.fix(IMEI, site.now_ms, east_m=east_m, speed=52.0 if east_m == -1_500 else 40.0))
        site.step()
    assert site.alarm().title == "ABC-123: 40 km/h, limit 30", "the strictest fence that holds"


def test_only_the_chosen_vehicles(site: AlarmSite) -> None:
    other = site.vehicle("XYZ-999", OTHER_IMEI)
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=0, vehicles=[other])
    site.step()
    for imei in (IMEI, OTHER_IMEI):
        site.drive(imei, [120.0], from_ms=site.now_ms)
    site.step(MIN_MS)
    assert site.alarm().vehicle_id == other


def test_a_kill_between_the_fixes_of_a_spell_loses_and_doubles_nothing(site: AlarmSite) -> None:
    fence = site.fence()
    site.rule(Kind.FENCE_ENTER, fences=[fence], hold_s=60)
    site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=60)
    site.step(4 * HOUR_MS)
    begin = site.now_ms
    for second in range(0, 130, 10):
        site.now_ms = begin + second * 1000 + 500
        site.arrive(site.fix(IMEI, begin + second * 1000, east_m=10 + second, speed=120.0))
        site.restart()
        site.step()
    assert site.alarm(Kind.FENCE_ENTER).raised_at_ms == site.alarm(Kind.SPEED).raised_at_ms == begin + 60_000
    assert [row.repeats for row in site.alarms()] == [0, 0]


def test_a_rule_that_goes_ends_its_alarms_and_forgets(site: AlarmSite) -> None:
    rule = site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=0)
    site.step()
    site.drive(IMEI, FAST, from_ms=site.now_ms)
    site.step(MIN_MS)
    assert site.alarm().cleared_at_ms is None
    site.write(lambda connection: remove_rule(connection, rule))
    site.step(MIN_MS)
    assert site.alarm().cleared_at_ms is not None
    assert rows_of(site.store, AlarmSpell) == []


def test_a_changed_rule_begins_anew(site: AlarmSite) -> None:
    rule = site.rule(Kind.SPEED, limit_km_h=100.0, hold_s=3_000)
    site.step()
    site.drive(IMEI, FAST, from_ms=site.now_ms)
    site.step(MIN_MS)
    assert len(rows_of(site.store, AlarmSpell)) == 1
    site.write(lambda connection: change_rule(connection, rule, values={"limit_km_h": 150.0}))
    site.step(MIN_MS)
    assert rows_of(site.store, AlarmSpell) == []
    assert site.alarms() == []
