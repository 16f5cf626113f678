"""Alarms on the map: what stands marks its vehicle as long as it does, and only what deserves a mark."""

from __future__ import annotations

from functools import partial

import pytest

from app.alarms.acts import acknowledge, shelve
from app.alarms.findings import Raise
from app.alarms.lifecycle import apply_findings
from app.alarms.listing import list_alarms
from app.alarms.words import Kind, Priority
from app.fleet.listing import list_devices
from app.store.store import Store
from tests.helpers.alarm_site import AlarmSite
from tests.helpers.fleet import IMEI, OTHER_IMEI
from tests.helpers.stores import sqlite_store
from widgets.map.alarm_marks import SAID_AGAIN_MS, AlarmMarks
from widgets.map.events import Alarm
from widgets.map.fleet import Fleet
from widgets.map.live import read_standing
from widgets.map.states import ALARM_MS, VehicleState

__all__ = ["sqlite_store"]


@pytest.fixture
def site(sqlite_store: Store) -> AlarmSite:
    made = AlarmSite(sqlite_store)
    made.vehicle("ABC-123", IMEI)
    made.vehicle("XYZ-999", OTHER_IMEI)
    made.flush_states()
    return made


def standing(site: AlarmSite) -> dict[int, Alarm]:
    with site.store.read() as connection:
        return read_standing(connection, site.now_ms)


def tell(site: AlarmSite, priority: Priority) -> str:
    vehicle = site.vehicle_id("ABC-123")
    found = Raise("k", Kind.DRAIN, priority, None, site.now_ms, "64 L drained", "Detail.", vehicle_id=vehicle)
    site.write(partial(apply_findings, findings=[found], now_ms=site.now_ms))
    with site.store.read() as connection:
        return list_alarms(connection)[0].id


def test_a_drain_marks_the_trackers_of_its_vehicle_until_somebody_has_seen_to_it(site: AlarmSite) -> None:
    alarm_id = tell(site, Priority.HIGH)
    assert standing(site) == {site.device_key(IMEI): Alarm(site.now_ms, "64 L drained")}
    until = site.now_ms + 60_000
    site.write(partial(shelve, alarm_ids=[alarm_id], until_ms=until, reason="known", now_ms=site.now_ms))
    assert standing(site) == {}
    site.now_ms = until
    assert len(standing(site)) == 1
    site.write(partial(acknowledge, alarm_ids=[alarm_id], now_ms=site.now_ms))
    assert standing(site) == {}


def test_what_is_low_marks_nothing(site: AlarmSite) -> None:
    tell(site, Priority.LOW)
    assert standing(site) == {}


def test_what_stands_does_not_grow_old_and_what_was_cried_does(site: AlarmSite) -> None:
    fleet = Fleet()
    with site.store.read() as connection:
        trackers = list_devices(connection, site.now_ms)
    fleet.load(trackers, 0, site.now_ms)
    one, other = (tracker.key for tracker in sorted(trackers, key=lambda tracker: tracker.key))
    marks = AlarmMarks(fleet)
    marks.standing = {one: Alarm(site.now_ms - 10 * ALARM_MS, "64 L drained")}
    marks.cries = {other: Alarm(site.now_ms, "SOS"), one: Alarm(site.now_ms, "Door")}
    marks.show(site.now_ms)
    fleet.tick(site.now_ms)
    assert set(fleet.state.tolist()) == {VehicleState.ALARM}
    assert marks.of(trackers[:1] if trackers[0].key == one else trackers[1:]) == marks.standing[one]
    later = site.now_ms + ALARM_MS + SAID_AGAIN_MS
    marks.tick(later)
    fleet.tick(later)
    states = dict(zip(fleet.subjects, fleet.state.tolist(), strict=True))
    assert states[site.vehicle_id("ABC-123")] == VehicleState.ALARM
    assert states[site.vehicle_id("XYZ-999")] != VehicleState.ALARM
