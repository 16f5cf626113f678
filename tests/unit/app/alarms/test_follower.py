"""Silence, outages, trackers' cries and drains, folded under their causes; nothing lost or told twice by a kill."""

from __future__ import annotations

from typing import Any

import pytest

from app.alarms.acts import acknowledge, shelve
from app.alarms.rule_book import change_rule, list_rules
from app.alarms.words import Kind, Priority
from app.clock import from_ms
from app.engine.followers import FOLLOWERS, load_followers
from app.store.errors import StoreError
from app.store.store import Store
from app.store.tables import Alarm
from tests.helpers.alarm_site import HOUR_MS, MIN_MS, AlarmSite
from tests.helpers.fleet import IMEI, OTHER_IMEI, count_of

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def site(sqlite_store: Store) -> AlarmSite:
    made = AlarmSite(sqlite_store)
    made.vehicle("ABC-123", IMEI)
    return made


def settle(site: AlarmSite) -> None:
    """Run for longer than the time after a start in which silence is not judged."""
    for _ in range(5):
        site.step(4 * MIN_MS)


def heard(site: AlarmSite, imei: str = IMEI, speed: float = 0.0) -> None:
    site.arrive(site.fix(imei, site.now_ms, east_m=-200_000 + (site.now_ms - 1_767_225_600_000) / 1e6, speed=speed))
    site.flush_states()


def wait(site: AlarmSite, hours: float) -> None:
    """Let time pass as an engine does that looks around all the time."""
    left_ms = round(hours * HOUR_MS)
    while left_ms > 0:
        site.step(min(left_ms, 9 * MIN_MS))
        left_ms -= 9 * MIN_MS


def test_the_engine_loads_it() -> None:
    assert "alarms" in [follower.name for follower in load_followers(FOLLOWERS)]


def test_a_new_store_has_rules_and_removed_ones_do_not_come_back(site: AlarmSite) -> None:
    site.step()
    with site.store.read() as connection:
        rules = list_rules(connection)
    shares = {priority: sum(rule.priority is priority for rule in rules) for priority in Priority}
    assert shares[Priority.LOW] > shares[Priority.MEDIUM] > shares[Priority.HIGH] == 1
    site.no_rules()
    site.restart()
    site.step()
    with site.store.read() as connection:
        assert list_rules(connection) == []


def test_what_was_there_before_is_history(site: AlarmSite) -> None:
    site.cry(IMEI, "sos", site.now_ms)
    site.step()
    assert site.alarms() == []


def test_sos_is_high_and_repeats_on_itself(site: AlarmSite) -> None:
    site.step()
    for second in (0, 10, 20):
        site.now_ms += 1_000
        site.cry(IMEI, "sos", site.now_ms - 1_000 + second)
    site.step()
    site.restart()
    site.step()
    alarm = site.alarm()
    assert (alarm.priority, alarm.repeats, alarm.title) == ("high", 2, "ABC-123: SOS")
    assert alarm.event_id is not None


def test_only_what_needs_somebody_is_an_alarm(site: AlarmSite) -> None:
    site.step()
    for kind in ("ignition_on", "overspeed", "geofence_enter", "vibration", "low_battery"):
        site.cry(IMEI, kind, site.now_ms)
    site.cry("999999999999999", "sos", site.now_ms)  # a stranger that waits in the inbox
    site.step(MIN_MS)
    assert site.alarms() == []


def test_a_cry_of_yesterday_is_an_event(site: AlarmSite) -> None:
    site.step()
    then = site.now_ms
    site.step(26 * HOUR_MS)
    site.cry(IMEI, "sos", then)
    site.step()
    assert site.alarms(Kind.SOS) == []


def test_a_tracker_that_falls_silent_on_the_way(site: AlarmSite) -> None:
    site.step()
    settle(site)
    heard(site, speed=60)
    last = site.now_ms
    wait(site, 0.9)
    assert site.alarms() == []
    wait(site, 0.2)
    alarm = site.alarm()
    assert (alarm.kind, alarm.priority) == ("tracker_silent", "low")
    assert alarm.raised_at_ms == last + HOUR_MS
    wait(site, 1)
    assert site.alarm().repeats == 0, "silence goes on, it does not repeat"
    heard(site, speed=60)
    site.step(MIN_MS)
    assert site.alarm().cleared_at_ms is not None


def test_what_was_heard_while_the_engine_slept_is_no_silence_any_more(site: AlarmSite) -> None:
    site.rule(Kind.TRACKER_SILENT, after_min=30)
    site.step()
    settle(site)
    heard(site)
    wait(site, 1)
    site.now_ms += HOUR_MS
    heard(site)
    again_ms, site.now_ms = site.now_ms, site.now_ms + HOUR_MS
    site.restart()
    settle(site)
    site.step(MIN_MS)
    alarm = site.alarm()
    assert ["Heard again", again_ms, "at"] in alarm.evidence, "it spoke an hour ago"
    assert (alarm.repeats, alarm.cleared_at_ms) == (1, None), "and is silent once more"


def test_a_rule_that_waits_longer_ends_a_silence_without_a_false_word(site: AlarmSite) -> None:
    site.no_rules()
    rule_id = site.rule(Kind.TRACKER_SILENT, after_min=60)
    site.step()
    settle(site)
    heard(site)
    wait(site, 2)
    assert site.alarm().cleared_at_ms is None
    site.write(lambda connection: change_rule(connection, rule_id, values={"after_min": 600}))
    site.step(MIN_MS)
    alarm = site.alarm()
    assert alarm.cleared_at_ms is not None
    names = [name for name, *_ in alarm.evidence]
    assert "Ended by" in names
    assert "Heard again" not in names, "nobody heard it"


def test_a_parked_one_may_sleep_for_a_day(site: AlarmSite) -> None:
    site.step()
    settle(site)
    heard(site)
    wait(site, 23)
    assert site.alarms() == []
    wait(site, 2)
    assert site.alarm().detail == "Nothing was heard from the tracker of ABC-123 for a day."


def test_after_a_start_everybody_has_time_to_speak(site: AlarmSite) -> None:
    site.step()
    heard(site, speed=60)
    site.now_ms += 5 * HOUR_MS
    site.restart()
    site.step()
    site.step(5 * MIN_MS)
    assert site.alarms() == []
    heard(site, speed=60)
    site.step(6 * MIN_MS)
    assert site.alarms() == []


def test_an_integration_down_explains_its_silent_trackers(site: AlarmSite) -> None:
    site.vehicle("XYZ-999", OTHER_IMEI)
    site.step()
    settle(site)
    for imei in (IMEI, OTHER_IMEI):
        heard(site, imei, speed=60)
    site.phase("retrying", site.now_ms, reason="The line is down. It is tried again.")
    wait(site, 1.5)
    down = site.alarm(Kind.INTEGRATION_DOWN)
    assert down.detail == "The line is down. It is tried again."
    silent = site.alarms(Kind.TRACKER_SILENT)
    assert [row.parent_id for row in silent] == [down.id, down.id]
    site.phase("healthy", site.now_ms)
    heard(site, IMEI)
    site.step(MIN_MS)
    assert site.alarm(Kind.INTEGRATION_DOWN).cleared_at_ms is not None
    wait(site, 0.5)
    rows = {row.title[:7]: row for row in site.alarms(Kind.TRACKER_SILENT)}
    assert rows["ABC-123"].cleared_at_ms is not None
    assert rows["XYZ-999"].parent_id is None, "the line is back for long: this one stands for itself"


def test_seeing_to_the_cause_sees_to_what_is_folded_under_it(site: AlarmSite) -> None:
    site.step()
    settle(site)
    heard(site, speed=60)
    site.phase("error", site.now_ms)
    wait(site, 1.5)
    down = site.alarm(Kind.INTEGRATION_DOWN)
    assert site.write(lambda connection: acknowledge(connection, [down.id], site.now_ms)) == 2


def test_what_comes_under_a_seen_cause_and_ends_waits_for_nobody(site: AlarmSite) -> None:
    site.step()
    settle(site)
    heard(site, speed=60)
    site.phase("error", site.now_ms)
    wait(site, 0.2)
    down = site.alarm(Kind.INTEGRATION_DOWN)
    site.write(lambda connection: acknowledge(connection, [down.id], site.now_ms, who="ada"))
    wait(site, 1.3)
    assert site.alarm(Kind.TRACKER_SILENT).parent_id == down.id
    site.phase("healthy", site.now_ms)
    heard(site)
    site.step(MIN_MS)
    silent = site.alarm(Kind.TRACKER_SILENT)
    assert silent.cleared_at_ms is not None
    assert silent.acknowledged_by == "ada", "the cause was seen to; in the list of the cleared nobody would look for it"


def test_a_cut_wire_explains_the_silence_after_it(site: AlarmSite) -> None:
    site.step()
    settle(site)
    heard(site, speed=60)
    site.cry(IMEI, "power_cut", site.now_ms)
    site.flush_states()
    wait(site, 1.2)
    assert site.alarm(Kind.TRACKER_SILENT).parent_id == site.alarm(Kind.POWER_CUT).id
    site.cry(IMEI, "power_restored", site.now_ms)
    site.step(MIN_MS)
    assert site.alarm(Kind.POWER_CUT).cleared_at_ms is not None


@pytest.mark.parametrize("said", [("charging", False, True), ("external_v", 4.1, 12.6)])
def test_power_that_was_seen_to_go_and_come_back_ends_the_cut(site: AlarmSite, said: tuple[str, Any, Any]) -> None:
    name, without, powered = said
    site.step()
    settle(site)
    site.status(IMEI, **{name: powered})
    site.cry(IMEI, "power_cut", site.now_ms)
    site.step(MIN_MS)
    assert site.alarm(Kind.POWER_CUT).cleared_at_ms is None, "what the state says may be older than the cut"
    site.status(IMEI, **{name: without})
    site.step(MIN_MS)
    assert site.alarm(Kind.POWER_CUT).cleared_at_ms is None
    site.status(IMEI, **{name: powered})
    site.step(MIN_MS)
    alarm = site.alarm(Kind.POWER_CUT)
    assert alarm.cleared_at_ms is not None
    assert "Power back" in [name for name, *_ in alarm.evidence]


def test_a_silent_tracker_explains_its_silent_sensor(site: AlarmSite) -> None:
    site.step()
    settle(site)
    heard(site)
    tank = site.tank(site.vehicle_id("ABC-123"))
    site.sensor(tank, site.now_ms)
    serial = site.sensor(tank, site.now_ms, kind="rs485")
    wait(site, 25)
    tracker = site.alarm(Kind.TRACKER_SILENT)
    parents = {row.alarm_key: row.parent_id for row in site.alarms(Kind.SENSOR_SILENT)}
    assert len(parents) == 2
    assert parents.pop(f"sensor_silent:{serial}") is None, "it has a wire of its own"
    assert list(parents.values()) == [tracker.id]


def test_a_sensor_that_the_vehicle_has_left_behind(site: AlarmSite) -> None:
    site.step()
    settle(site)
    tank = site.tank(site.vehicle_id("ABC-123"))
    site.sensor(tank, site.now_ms)
    for _ in range(14):
        heard(site, speed=60)
        wait(site, 0.1)
    assert site.alarm().title == "ABC-123: fuel sensor silent"


def night(site: AlarmSite) -> int:
    """Two in the morning in Lagos, with the clock a little later."""
    site.now_ms = 1_767_225_600_000 + DAY_MS + HOUR_MS + 20 * MIN_MS
    return site.now_ms - 5 * MIN_MS


def test_a_drain_at_night_is_high_and_by_day_as_the_rule_says(site: AlarmSite) -> None:
    vehicle = site.vehicle_id("ABC-123")
    tank = site.tank(vehicle)
    site.step()
    end_ms = night(site)
    site.drain(vehicle, tank, end_ms)
    site.drain(vehicle, tank, end_ms + 12 * HOUR_MS)
    site.drain(vehicle, tank, end_ms + 12 * HOUR_MS, litres=3.0)
    site.step(13 * HOUR_MS)
    assert [(row.priority, row.raised_at_ms) for row in site.alarms()] == [
        ("high", end_ms),
        ("medium", end_ms + 12 * HOUR_MS),
    ]
    assert site.alarms()[0].title == "ABC-123: 60 L drained from Main"


def test_a_drain_that_is_not_settled_waits_and_is_told_when_nothing_follows(site: AlarmSite) -> None:
    vehicle = site.vehicle_id("ABC-123")
    tank = site.tank(vehicle)
    site.step()
    end_ms = night(site)
    event = site.drain(vehicle, tank, end_ms, provisional=True)
    site.step()
    assert site.alarms() == []
    site.step(6 * MIN_MS)
    assert site.alarm().raised_at_ms == end_ms
    site.drain(vehicle, tank, end_ms, id=event, litres=80.0)
    site.step(MIN_MS)
    assert (site.alarm().title, site.alarm().repeats) == ("ABC-123: 80 L drained from Main", 0)
    site.drain(vehicle, tank, end_ms, id=event, withdrawn_at=from_ms(site.now_ms))
    site.step(MIN_MS)
    assert site.alarm().cleared_at_ms is not None


def test_a_drain_that_is_decided_or_old_raises_nothing(site: AlarmSite) -> None:
    vehicle = site.vehicle_id("ABC-123")
    tank = site.tank(vehicle)
    site.step()
    end_ms = night(site)
    site.drain(vehicle, tank, end_ms, decision="false")
    site.drain(vehicle, tank, end_ms - 8 * DAY_MS)
    site.step(MIN_MS)
    assert site.alarms() == []


def test_more_drains_than_a_page_in_one_version(site: AlarmSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.alarms.drains.PAGE", 2)
    vehicle = site.vehicle_id("ABC-123")
    tank = site.tank(vehicle)
    site.step()
    end_ms = night(site)
    for number in range(5):
        site.drain(vehicle, tank, end_ms - number * HOUR_MS)
    for _ in range(5):
        site.step(MIN_MS)
    assert len(site.alarms()) == 5


def test_a_shelved_alarm_comes_back_by_itself(site: AlarmSite) -> None:
    site.step()
    site.cry(IMEI, "sos", site.now_ms)
    site.step(MIN_MS)
    until = site.now_ms + HOUR_MS
    alarm_id = site.alarm().id
    site.write(lambda connection: shelve(connection, [alarm_id], until, "a test", site.now_ms))
    version = site.alarm().changed_version
    site.step(50 * MIN_MS)
    assert site.alarm().shelved_until_ms == until
    site.step(11 * MIN_MS)
    assert site.alarm().shelved_until_ms is None
    assert site.alarm().changed_version > version, "windows are told"


def test_a_write_that_fails_is_judged_again(site: AlarmSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.step()
    site.cry(IMEI, "sos", site.now_ms)
    whole = Store.write

    def full(self: Store, job: Any, **named: Any) -> Any:
        if job.__class__.__name__ == "partial":

            def failing(connection: Any) -> None:
                job(connection)
                raise StoreError("The disk is full.")

            return whole(self, failing, **named)
        return whole(self, job, **named)

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(StoreError):
        site.step(MIN_MS)
    monkeypatch.undo()
    assert count_of(site.store, Alarm) == 0
    site.step()
    site.step(MIN_MS)
    assert (site.alarm().kind, site.alarm().repeats) == ("sos", 0)
