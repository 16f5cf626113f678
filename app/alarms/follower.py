"""The follower of alarms: reads what was committed, judges it, and writes alarms and cursor in one transaction.

Nothing is lost or told twice by a kill: whatever was judged but not committed is judged again, from the spells and
places that belong to the cursor in the store. A write that fails makes it forget and load again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection, select, update

from app.alarms.device_alarms import judge_events, newest_event_id
from app.alarms.drains import judge_drains, judge_unsettled
from app.alarms.fence_shapes import changed_fences, read_shapes
from app.alarms.findings import Clear, Finding
from app.alarms.fixes import good_fixes
from app.alarms.folding import fold, see_to_with_cause
from app.alarms.lifecycle import apply_findings
from app.alarms.memory import Upto, load_places, load_spells, load_upto, save_spells, save_upto
from app.alarms.motion import MotionJudge
from app.alarms.outages import judge_outages
from app.alarms.power import PowerWatch
from app.alarms.rule_book import list_rules, write_defaults
from app.alarms.rules import FenceScope, Rule
from app.alarms.silence import judge_silence
from app.alarms.subjects import Subjects, read_subjects
from app.fleet.queries import PAGE_ROWS, positions_since
from app.store.changes import raise_topic, topic_versions
from app.store.store import Store
from app.store.tables import Alarm

LOOK_EVERY_MS = 15_000
"""How often silences, outages and ended shelvings are looked at."""

SAVE_EVERY_MS = 5_000
"""How often a cursor is saved while nothing is found: what lies behind it is judged again after a kill."""

GRACE_MS = 10 * 60_000
"""After a start, or a sleep of the computer, silence is judged only once everybody had time to speak."""

_SET_UP = frozenset({"alarm_rules", "geofences", "devices", "vehicles"})


@dataclass(slots=True)
class _Standing:
    """What is held between two steps; all of it can be loaded again."""

    rules: list[Rule]
    subjects: Subjects
    judge: MotionJudge
    upto: Upto
    saved: Upto
    saved_at_ms: int
    versions: dict[str, int]


class AlarmFollower:
    """A ``Follower`` of app/engine/followers.py."""

    name = "alarms"
    topics = frozenset({"positions", "events", "fuel_events", "integration_states", "integrations", *_SET_UP})

    def __init__(self, *, grace_ms: int = GRACE_MS) -> None:
        self._grace_ms = grace_ms
        self._held: _Standing | None = None
        self._power = PowerWatch()
        self._began_ms = 0
        self._stepped_ms = 0
        self._looked_ms = 0

    def step(self, store: Store, now_ms: int) -> float | None:
        """Judge what is new; the seconds after which it wants to be called although nothing moved. Blocks.

        Raises StoreError when the store refuses; the next call begins where the last commit ended.
        """
        if not 0 <= now_ms - self._stepped_ms < self._grace_ms or not self._stepped_ms:
            self._began_ms = now_ms
        self._stepped_ms = now_ms
        held = self._held
        if held is None:
            held = self._held = self._load(store, now_ms)
        try:
            more = self._judge(store, held, now_ms)
        except BaseException:
            self._held = None  # what was judged and not written must be judged again
            raise
        return 0.0 if more else max(0.1, (self._looked_ms + LOOK_EVERY_MS - now_ms) / 1000)

    def _load(self, store: Store, now_ms: int) -> _Standing:
        store.write(write_defaults).result()
        with store.read() as connection:
            versions = topic_versions(connection)
            upto = load_upto(connection, newest_event_id(connection))
            rules, shapes, subjects = list_rules(connection), read_shapes(connection), read_subjects(connection)
        places = load_places(store, subjects.all, upto.positions)
        with store.read() as connection:
            spells = load_spells(connection, places)
        judge = MotionJudge(rules, shapes, subjects, places, spells)
        self._looked_ms = 0
        held = _Standing(rules, subjects, judge, upto, upto, now_ms - SAVE_EVERY_MS, versions)
        with store.read() as connection:
            self._take_changes(connection, held)
        return held

    def _take_changes(self, connection: Connection, held: _Standing) -> None:
        """Rules and fences that differ from those judged by so far begin anew, and in silence."""
        moved, newest = changed_fences(connection, held.upto.geofences)
        now = {
            rule.id: rule.version for rule in held.rules if rule.is_enabled and isinstance(rule.settings, FenceScope)
        }
        anew = frozenset(one for one, version in now.items() if held.upto.rules.get(one) != version)
        for rule_id in anew:
            held.judge.forget(rule_id)
        held.judge.forget_fences(moved)
        held.judge.begin(anew, frozenset(moved))
        if now != held.upto.rules or newest != held.upto.geofences:
            held.upto = replace(held.upto, rules=now, geofences=newest)

    def _set_up_again(self, connection: Connection, held: _Standing) -> None:
        versions = topic_versions(connection)
        moved = {topic for topic in _SET_UP if versions.get(topic) != held.versions.get(topic)}
        if not moved:
            return
        held.versions = versions
        if "alarm_rules" in moved:
            held.rules = list_rules(connection)
        if moved & {"devices", "vehicles"}:
            held.subjects = read_subjects(connection)
        held.judge.set_up(held.rules, read_shapes(connection), held.subjects)
        self._take_changes(connection, held)

    def _judge(self, store: Store, held: _Standing, now_ms: int) -> bool:
        """One page of everything that is new; True when there is more."""
        with store.read() as connection:
            self._set_up_again(connection, held)
            positions = positions_since(connection, held.upto.positions)
            found: list[Finding] = []
            if len(positions):
                found += held.judge.judge(good_fixes(positions, held.subjects.place_of))
            told, events = judge_events(connection, held.rules, held.subjects, held.upto.events)
            drained, fuel_events = judge_drains(connection, held.rules, held.upto.fuel_events, now_ms)
            found += told + drained
            more = len(positions) == PAGE_ROWS
            newest = int(positions["id"][-1]) if len(positions) else held.upto.positions
            held.upto = replace(held.upto, positions=newest, events=events, fuel_events=fuel_events)
            looks = not more and not 0 <= now_ms - self._looked_ms < LOOK_EVERY_MS
            if looks:
                found += self._look_around(connection, held, now_ms)
        self._write(store, held, found, now_ms, looks=looks)
        if looks:
            self._looked_ms = now_ms
        return more

    def _look_around(self, connection: Connection, held: _Standing, now_ms: int) -> list[Finding]:
        """What no message tells: that there is none."""
        found = judge_outages(connection, held.rules, now_ms)
        found += judge_unsettled(connection, held.rules, now_ms)
        found += self._power.judge(connection)
        found += _orphans(connection, held.rules, now_ms)
        if now_ms - self._began_ms >= self._grace_ms:
            found += judge_silence(connection, held.rules, held.subjects, now_ms)
        return found

    def _write(self, store: Store, held: _Standing, found: Sequence[Finding], now_ms: int, *, looks: bool) -> None:
        dirty = held.judge.dirty
        is_due = held.upto != held.saved and not 0 <= now_ms - held.saved_at_ms < SAVE_EVERY_MS
        if not found and not dirty and not is_due and not looks:
            return
        job = partial(_write, held=held, found=found, now_ms=now_ms, looks=looks)
        store.write(job, rows=1 + len(found) + len(dirty)).result()
        held.judge.dirty = set()
        held.saved, held.saved_at_ms = held.upto, now_ms


def _write(connection: Connection, *, held: _Standing, found: Sequence[Finding], now_ms: int, looks: bool) -> None:
    apply_findings(connection, found, now_ms)
    save_spells(connection, held.judge, held.judge.dirty)
    if held.upto != held.saved:
        save_upto(connection, held.upto)
    if looks:
        _let_time_pass(connection, now_ms)


def _let_time_pass(connection: Connection, now_ms: int) -> None:
    """Shelved alarms whose time is up come back; a cause that is long over explains nothing any more."""
    ended = Alarm.shelved_until_ms <= now_ms
    if connection.execute(select(Alarm.id).where(ended).limit(1)).first() is not None:
        version = raise_topic(connection, "alarms")
        change = update(Alarm).where(ended)
        connection.execute(change.values(shelved_until_ms=None, shelved_reason="", changed_version=version))
    fold(connection, now_ms)
    see_to_with_cause(connection)


def _orphans(connection: Connection, rules: Sequence[Rule], now_ms: int) -> list[Finding]:
    """Alarms of motion whose rule was taken away or switched off: nobody would ever end them."""
    working = {rule.id for rule in rules if rule.is_enabled}
    kinds = ["speed", "fence_enter", "fence_leave", "fence_stay"]
    query = select(Alarm.alarm_key, Alarm.rule_id).where(Alarm.cleared_at_ms.is_(None), Alarm.kind.in_(kinds))
    return [
        Clear(key, now_ms, [("Ended by", "its rule was switched off", "")])
        for key, rule_id in connection.execute(query)
        if rule_id not in working
    ]
