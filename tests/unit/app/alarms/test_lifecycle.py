"""One alarm of a key stands at a time; repeats, ends, late pasts; what operators do with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from app.alarms import acts
from app.alarms.errors import AlarmError, NotFound
from app.alarms.findings import Clear, Finding, Raise
from app.alarms.lifecycle import FLAP_MS, apply_findings
from app.alarms.listing import CLEARED, HISTORY, SHELVED, STANDING, AlarmListing, find_alarm, list_alarms, summarise
from app.alarms.words import Kind, Priority
from app.store.changes import topic_versions
from app.store.store import Store
from app.store.tables import Act, Alarm
from tests.helpers.fleet import T0_MS, rows_of

MIN_MS = 60_000
SPEED = Raise("speed:r:v", Kind.SPEED, Priority.LOW, None, T0_MS, "ABC-123: 120 km/h", "Too fast.")
SOS = Raise("sos:v", Kind.SOS, Priority.HIGH, None, T0_MS, "ABC-123: SOS", "The tracker reported: SOS.")

CUT = Raise("power_cut:v", Kind.POWER_CUT, Priority.MEDIUM, None, T0_MS, "ABC-123: power cut", "The tracker reported.")


class Book:
    """Findings and acts on one store, with a clock that the test sets."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_ms = T0_MS

    def tell(self, *found: Finding, now_ms: int | None = None) -> None:
        self.now_ms = now_ms or max(one.at_ms for one in found)
        self.store.write(lambda connection: apply_findings(connection, found, self.now_ms)).result()

    def do(self, act: Any, *arguments: Any, **named: Any) -> Any:
        return self.store.write(lambda connection: act(connection, *arguments, **named)).result()

    def all(self) -> list[AlarmListing]:
        with self.store.read() as connection:
            return list_alarms(connection)

    def one(self) -> AlarmListing:
        (alarm,) = self.all()
        return alarm

    def group(self) -> str:
        return self.one().group(self.now_ms)


@pytest.fixture
def book(store: Store) -> Book:
    return Book(store)


def at(found: Raise, minutes: float) -> Raise:
    return replace(found, at_ms=T0_MS + round(minutes * MIN_MS))


def end(found: Raise, minutes: float) -> Clear:
    return Clear(found.key, T0_MS + round(minutes * MIN_MS), [("Lasted", 1, "span")])


def test_repeats_are_counted_on_the_one_that_stands(book: Book) -> None:
    book.tell(SPEED)
    book.tell(at(SPEED, 3))
    alarm = book.one()
    assert (alarm.repeats, alarm.raised_at_ms, alarm.last_at_ms) == (1, T0_MS, T0_MS + 3 * MIN_MS)
    assert alarm.advice


def test_a_state_found_again_is_no_repeat(book: Book) -> None:
    book.tell(replace(SPEED, is_state=True))
    before = book.one()
    book.tell(replace(at(SPEED, 3), is_state=True))
    assert book.one() == before


def test_cleared_but_not_seen_to_stays_and_comes_back_as_the_same(book: Book) -> None:
    book.tell(SPEED)
    book.tell(end(SPEED, 2))
    assert book.group() == CLEARED
    assert ["Lasted", 1, "span"] in book.one().evidence
    book.tell(at(SPEED, 90))
    assert book.group() == STANDING
    assert book.one().repeats == 1


def test_seen_to_and_over_is_history_and_the_next_one_is_another(book: Book) -> None:
    book.tell(SPEED)
    book.do(acts.acknowledge, [book.one().id], T0_MS + MIN_MS, who="ada")
    assert book.group() == STANDING, "the state goes on"
    book.tell(end(SPEED, 2))
    assert book.group() == HISTORY
    book.tell(at(SPEED, 2 + FLAP_MS / MIN_MS - 1))
    assert book.one().acknowledged_by == "ada", "what flaps was seen to already"
    book.tell(end(SPEED, 7))
    book.tell(at(SPEED, 60))
    assert sorted(alarm.group(book.now_ms) for alarm in book.all()) == [HISTORY, STANDING]


def test_acknowledging_ends_what_tells_of_a_moment(book: Book) -> None:
    book.tell(SOS)
    book.tell(at(SOS, 1))
    book.do(acts.acknowledge, [book.one().id], T0_MS + 2 * MIN_MS)
    assert book.group() == HISTORY
    book.tell(at(SOS, 3))
    assert book.group() == HISTORY, "the same press of the button"
    book.tell(at(SOS, 30))
    assert len(book.all()) == 2


def test_a_power_cut_that_was_seen_to_stands_until_power_is_back(book: Book) -> None:
    book.tell(CUT)
    book.do(acts.acknowledge, [book.one().id], T0_MS + 2 * MIN_MS, who="ada")
    assert book.group() == STANDING
    book.tell(at(CUT, 20))
    assert (book.group(), book.one().repeats, book.one().acknowledged_by) == (STANDING, 1, "ada")
    book.tell(end(CUT, 40))
    assert book.group() == HISTORY


def test_a_power_cut_after_a_quiet_time_is_another(book: Book) -> None:
    book.tell(CUT)
    book.do(acts.acknowledge, [book.one().id], T0_MS + 2 * MIN_MS)
    book.tell(at(CUT, 31))
    new, old = book.all()
    assert (old.group(book.now_ms), new.group(book.now_ms)) == (HISTORY, STANDING)
    assert new.acknowledged_at_ms is None
    with book.store.read() as connection:
        assert summarise(connection, book.now_ms).count == 1, "somebody is told"


def test_who_knows_that_power_is_back_says_so(book: Book) -> None:
    book.tell(CUT)
    assert book.do(acts.end, [book.one().id], T0_MS + 5 * MIN_MS, who="ada") == 1
    assert (book.group(), book.one().acknowledged_by) == (HISTORY, "ada")
    assert book.do(acts.end, [book.one().id], T0_MS + 6 * MIN_MS) == 0
    assert [row.what for row in rows_of(book.store, Act)] == ["alarm.end"]


def test_what_ends_by_itself_is_not_ended_by_hand(book: Book) -> None:
    book.tell(SPEED)
    with pytest.raises(AlarmError, match="ends by itself"):
        book.do(acts.end, [book.one().id], T0_MS + MIN_MS)
    assert book.group() == STANDING


def test_a_higher_priority_asks_again(book: Book) -> None:
    book.tell(SPEED)
    book.do(acts.acknowledge, [book.one().id], T0_MS)
    book.tell(replace(at(SPEED, 1), priority=Priority.HIGH))
    assert book.one().priority == "high"
    assert book.one().acknowledged_at_ms is None


def test_one_thing_of_the_past_has_one_alarm_ever(book: Book) -> None:
    drain = replace(SOS, key="drain:1", kind=Kind.DRAIN, is_once=True)
    book.tell(drain)
    book.tell(replace(at(drain, 5), title="ABC-123: 80 L drained"))
    assert (book.one().title, book.one().repeats) == ("ABC-123: 80 L drained", 0)
    book.do(acts.acknowledge, [book.one().id], T0_MS + 6 * MIN_MS)
    book.tell(at(drain, 600))
    assert book.group() == HISTORY


def test_a_late_past_is_over_and_told_once(book: Book) -> None:
    past = replace(SPEED, at_ms=T0_MS - 60 * MIN_MS, ended_ms=T0_MS - 58 * MIN_MS)
    book.tell(past, now_ms=T0_MS)
    book.tell(past, now_ms=T0_MS)
    assert book.group() == CLEARED
    book.tell(SPEED)
    assert {alarm.group(book.now_ms) for alarm in book.all()} <= {STANDING, CLEARED}


def test_shelved_with_time_and_reason_and_taken_back(book: Book) -> None:
    book.tell(SPEED)
    alarm_id = book.one().id
    until = T0_MS + 60 * MIN_MS
    book.do(acts.shelve, [alarm_id], until, "test drive", T0_MS)
    assert book.group() == SHELVED
    book.tell(end(SPEED, 1))
    book.tell(at(SPEED, 50))
    assert book.group() == SHELVED, "put off is put off"
    assert book.one().repeats == 1
    assert book.one().group(until) == STANDING, "it comes back at its time"
    assert book.do(acts.unshelve, [alarm_id]) == 1
    assert book.group() == STANDING


@pytest.mark.parametrize(
    ("until_min", "reason", "field"), [(60, "  ", "reason"), (0, "why", "until"), (60 * 24 * 32, "why", "until")]
)
def test_shelving_needs_a_reason_and_a_sensible_time(book: Book, until_min: int, reason: str, field: str) -> None:
    book.tell(SPEED)
    with pytest.raises(AlarmError) as refused:
        book.do(acts.shelve, [book.one().id], T0_MS + until_min * MIN_MS, reason, T0_MS)
    assert refused.value.field == field
    assert book.one().shelved_until_ms is None


def test_comments_and_the_one_who_takes_care(book: Book) -> None:
    book.tell(SPEED)
    alarm_id = book.one().id
    book.do(acts.comment, [alarm_id], " called the driver ", T0_MS, who="ada")
    book.do(acts.assign, [alarm_id], "Musa", who="ada")
    assert book.do(acts.assign, [alarm_id], "Musa") == 0
    assert book.one().comments == [{"at_ms": T0_MS, "who": "ada", "text": "called the driver"}]
    assert book.one().assigned_to == "Musa"
    with pytest.raises(AlarmError, match="Write something"):
        book.do(acts.comment, [alarm_id], "\n", T0_MS)
    with pytest.raises(NotFound):
        book.do(acts.assign, ["no such"], "Musa")


def test_every_act_is_recorded_and_raises_the_topic(book: Book) -> None:
    book.tell(SPEED)
    alarm_id = book.one().id
    with book.store.read() as connection:
        before = topic_versions(connection)["alarms"]
    book.do(acts.acknowledge, [alarm_id], T0_MS)
    book.do(acts.shelve, [alarm_id], T0_MS + MIN_MS, "why", T0_MS)
    book.do(acts.unshelve, [alarm_id])
    book.do(acts.assign, [alarm_id], "Musa")
    book.do(acts.comment, [alarm_id], "said", T0_MS)
    recorded = [(row.what, row.subject) for row in rows_of(book.store, Act)]
    verbs = ["acknowledge", "shelve", "unshelve", "assign", "comment"]
    assert recorded == [(f"alarm.{verb}", SPEED.title) for verb in verbs]
    (row,) = rows_of(book.store, Alarm)
    assert row.changed_version == before + 5


def test_the_summary_counts_what_wants_somebody(book: Book) -> None:
    book.tell(SPEED, SOS, replace(SPEED, key="speed:r:w"))

    def summary(connection: Connection) -> Any:
        return summarise(connection, book.now_ms)

    with book.store.read() as connection:
        found = summary(connection)
    assert (found.low, found.medium, found.high, found.worst, found.lately) == (2, 0, 1, "high", 3)
    (sos,) = [alarm for alarm in book.all() if alarm.kind == "sos"]
    book.do(acts.acknowledge, [sos.id], T0_MS)
    (other,) = [alarm for alarm in book.all() if alarm.alarm_key == "speed:r:w"]
    book.do(acts.shelve, [other.id], T0_MS + MIN_MS, "why", T0_MS)
    with book.store.read() as connection:
        found = summary(connection)
        assert find_alarm(connection, sos.id[-8:]).id == sos.id
        with pytest.raises(NotFound):
            find_alarm(connection, "%")
    assert (found.count, found.worst) == (1, "low")
    assert [one[2] for one in found.newest] == [SPEED.title]
