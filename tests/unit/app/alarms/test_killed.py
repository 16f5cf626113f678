"""A judge that is killed in the middle of its work, again and again: no alarm lost, none told twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from app.alarms.words import Kind
from app.store.store import Store
from tests.helpers.alarm_site import MIN_MS, AlarmSite
from tests.helpers.depot import ROOT
from tests.helpers.fleet import IMEI, OTHER_IMEI
from tests.helpers.stores import make_store_url

JUDGE = """
import sys
from app.alarms.follower import AlarmFollower
from app.store.store import Store
store, follower, now_ms = Store.open(sys.argv[1]), AlarmFollower(), int(sys.argv[2])
print("judging", flush=True)
while True:
    now_ms += 1_000
    follower.step(store, now_ms)
"""
ROUNDS = 8
KILLS_WITHIN_S = 0.4


def judged(site: AlarmSite) -> list[tuple[str, int, int | None, int]]:
    """What is stored, without the ids that differ from store to store."""
    return sorted((row.title, row.raised_at_ms, row.cleared_at_ms, row.repeats) for row in site.alarms())


def set_up(folder: Path) -> AlarmSite:
    site = AlarmSite(Store.open(make_store_url(folder)))
    site.no_rules()
    for plate, imei in (("ABC-123", IMEI), ("XYZ-999", OTHER_IMEI)):
        site.vehicle(plate, imei)
    site.rule(Kind.SPEED, limit_km_h=100, hold_s=30)
    site.rule(Kind.SOS)
    site.step()
    return site


def feed(site: AlarmSite, number: int) -> None:
    """One round of driving: faster and slower, half an hour after the round before, with two presses of a button."""
    begin = site.now_ms = 1_767_225_600_000 + (number + 1) * 30 * MIN_MS
    for imei in (IMEI, OTHER_IMEI):
        site.drive(imei, [120.0] * 6 + [80.0] * 3 + [130.0] * 5 + [60.0] * 2, from_ms=begin)
    site.now_ms += 4 * MIN_MS
    site.cry(IMEI, "sos", begin)
    site.cry(IMEI, "sos", begin + 60_000)


def test_kills_at_any_moment_change_nothing(tmp_path: Path) -> None:
    calm = set_up(tmp_path / "calm")
    for number in range(ROUNDS):
        feed(calm, number)
        calm.step()
    expected = judged(calm)
    calm.store.close()
    assert len(expected) == 3, "two of speed and one cry, which are not seen to and repeat"
    assert sum(row[3] for row in expected) == 2 * (2 * ROUNDS - 1) + 2 * ROUNDS - 1

    site = set_up(tmp_path / "killed")
    chance = random.Random(7)
    for number in range(ROUNDS):
        feed(site, number)
        command = [sys.executable, "-c", JUDGE, str(site.store.url), str(site.now_ms)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as judge:
            assert judge.stdout is not None
            assert judge.stdout.readline() == "judging\n"
            time.sleep(chance.uniform(0, KILLS_WITHIN_S))  # the moment itself is what is tried here
            judge.kill()
    site.restart()
    site.step()
    found = judged(site)
    site.store.close()
    assert found == expected
