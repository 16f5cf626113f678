"""Forgetting what is old, on both databases."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from app.clock import from_ms
from app.store import retention
from app.store.logs import LogFilter, search_logs
from app.store.retention import Retention, get_retention, set_retention, sweep
from app.store.store import Store, topic_versions
from app.store.tables import (
    Alarm,
    Command,
    ConflictRow,
    DeviceEventRow,
    EngineReadingRow,
    FuelReadingRow,
    InboxMessage,
    IntegrationLog,
    MailMessage,
    OutboxItem,
    PositionRow,
    Problem,
    RawFrameRow,
    RejectedRecord,
    ReportMessage,
    ReportRunRow,
    StockLook,
    StockSpan,
)

DAY_MS = 86_400_000
NOW_MS = 1_000 * DAY_MS
TABLES: tuple[type[Any], ...] = (
    RawFrameRow,
    IntegrationLog,
    RejectedRecord,
    Command,
    Problem,
    PositionRow,
    DeviceEventRow,
    FuelReadingRow,
    EngineReadingRow,
    Alarm,
    OutboxItem,
    ConflictRow,
    MailMessage,
    InboxMessage,
    ReportMessage,
    ReportRunRow,
    StockSpan,
    StockLook,
)


def _fill(connection: Connection, ages_days: list[int]) -> None:
    """One row of each table per age, in that order."""
    for number, age in enumerate(ages_days, start=1):
        ms = NOW_MS - age * DAY_MS
        moment = from_ms(ms)
        rows: dict[type[Any], dict[str, Any]] = {
            RawFrameRow: {
                "integration_key": 1,
                "received_at_ms": ms,
                "protocol": "gt02",
                "peer": "",
                "verdict": "ok",
                "data": b"x",
                "reply": b"",
            },
            IntegrationLog: {"event_type": "sync", "payload": {}, "created_at": moment, "text": f"line {age}"},
            RejectedRecord: {"integration_id": "i", "record_key": "k", "why": "w", "sample": "", "at": moment},
            Command: {
                "id": f"{number:036}",
                "name": "sync",
                "payload": {},
                "created_at": moment,
                "done_at": moment,
            },
            Problem: {
                "problem_key": "p",
                "title": "t",
                "detail": "d",
                "fix": "none",
                "since": moment - timedelta(days=1),
                "cleared_at": moment,
            },
            PositionRow: {
                "device_key": 1,
                "fixed_at_ms": ms,
                "received_at_ms": ms,
                "lat": 1.0,
                "lon": 1.0,
                "located": True,
                "marks": 0,
                "clock_offset_s": 0,
                "source": "gt02",
                "key_extra": "",
            },
            DeviceEventRow: {
                "device_key": 1,
                "occurred_at_ms": ms,
                "received_at_ms": ms,
                "kind": "sos",
                "code": "1",
                "text": "",
                "source": "gt02",
                "marks": 0,
                "key_extra": "",
            },
            FuelReadingRow: {"sensor_key": 1, "measured_at_ms": ms, "received_at_ms": ms, "status": "ok"},
            EngineReadingRow: {"sensor_key": 1, "measured_at_ms": ms},
            Alarm: _an_alarm(number, ms, cleared_at_ms=ms, acknowledged_at_ms=ms),
            OutboxItem: _an_item(number, moment),
            ConflictRow: {
                "id": f"{number:036}",
                "integration_id": "i",
                "outbox_id": "o",
                "record": "shipment",
                "record_id": "r",
                "subject": "s",
                "fields": {},
                "ours_at": moment,
                "detected_at": moment,
                "state": "resolved",
                "resolved_at": moment,
            },
            MailMessage: _a_mail(f"{number:036}", moment, "sent"),
            InboxMessage: _a_message(f"m{number}", moment, "done"),
            **_of_reports(number, moment, ms),
        }
        for table, row in rows.items():
            connection.execute(insert(table).values(row))


def _of_reports(number: int, moment: datetime, ms: int) -> dict[type[Any], dict[str, Any]]:
    day = moment.date().isoformat()
    request = {"run_id": "r", "step": "stock", "store": "s", "headers": {}, "digest": "d", "records": 1, "sent_ms": ms}
    told = {
        "run_id": "r",
        "integration_id": "i",
        "row_key": "k",
        "row_hash": "h",
        "outcome": "accepted",
        "subject": "s",
    }
    span = {"integration_id": "i", "facility": "f", "item": f"{number}", "units": 1.0, "from_on": day, "until_on": day}
    look = {"integration_id": "i", "day": day, "read_at": moment, "looked_at": moment}
    return {ReportMessage: request, ReportRunRow: {**told, "day": day}, StockSpan: span, StockLook: look}


def _an_item(number: int, moment: datetime) -> dict[str, Any]:
    """An outbox item that the peer has accepted."""
    names = {"write": "w", "record": "shipment", "record_id": "r", "peer_id": "p", "family": "f", "subject": "s"}
    ids = {"id": f"{number:036}", "key": f"{number:036}", "integration_id": "i", "state": "accepted"}
    return {**names, **ids, "values": {}, "seen": {}, "created_at": moment, "created_by": "ada", "ended_at": moment}


def _a_mail(mail_id: str, moment: datetime, state: str) -> dict[str, Any]:
    words = {"recipient": "ada@depot.example", "template": "invitation", "message_id": f"<{mail_id}@depot.example>"}
    who = {"integration_id": "i", "created_at": moment, "created_by": "ada"}
    return {"id": mail_id, **who, **words, "values": {}, "state": state, "ended_at": moment}


def _a_message(message_id: str, moment: datetime, state: str) -> dict[str, Any]:
    times = {"sent_at": moment, "received_at": moment}
    return {"integration_id": "i", "message_id": message_id, **times, "peer": "", "body": b"{}", "state": state}


def _an_alarm(number: int, ms: int, **other: Any) -> dict[str, Any]:
    words = {"alarm_key": f"sos:{number}", "kind": "sos", "priority": "high", "title": "t", "detail": "d"}
    times = {"raised_at_ms": ms, "last_at_ms": ms}
    return {"id": f"{number:036}", **words, **times, "evidence": [], "comments": [], **other}


def _counts(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return {
            table.__tablename__: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in TABLES
        }


def test_the_defaults_are_the_promised_days(store: Store) -> None:
    with store.read() as connection:
        assert get_retention(connection) == Retention(raw_days=30, logs_days=90, positions_days=400)


def test_what_the_depot_chose_is_kept_and_told(store: Store) -> None:
    chosen = Retention(raw_days=7, logs_days=8, positions_days=9)
    store.write(lambda c: set_retention(c, chosen)).result()
    with store.read() as connection:
        assert get_retention(connection) == chosen
        assert topic_versions(connection) == {"facts": 1}
    with pytest.raises(ValueError, match="at least one day"):
        store.write(lambda c: set_retention(c, Retention(raw_days=0))).result()


def test_each_kind_goes_at_its_own_age(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)  # so that ages meet within and across batches
    store.write(lambda c: _fill(c, [500, 401, 399, 91, 89, 31, 29, 0])).result()
    deleted = sweep(store, NOW_MS, threading.Event())
    assert deleted == {
        "raw_frames": 6,
        "integration_logs": 4,
        "rejected_records": 4,
        "commands": 4,
        "problems": 4,
        "positions": 2,
        "device_events": 2,
        "fuel_readings": 2,
        "engine_readings": 2,
        "alarms": 2,
        "outbox_items": 4,
        "conflicts": 4,
        "mail_messages": 4,
        "inbox_messages": 6,
        "report_messages": 4,
        "report_run_rows": 4,
        "stock_spans": 2,
        "stock_looks": 2,
    }
    assert _counts(store) == {name: 8 - count for name, count in deleted.items()}
    with store.read() as connection:
        lines = search_logs(connection, LogFilter(text="line")).lines
    assert [line.text for line in lines] == ["line 0", "line 29", "line 31", "line 89"]
    assert set(sweep(store, NOW_MS, threading.Event()).values()) == {0}


def test_the_newest_row_stays_so_that_its_id_is_never_given_again(store: Store) -> None:
    store.write(lambda c: _fill(c, [900, 800, 700])).result()
    sweep(store, NOW_MS, threading.Event())
    assert set(_counts(store).values()) == {1}
    store.write(lambda c: _fill(c, [])).result()
    new_frame = insert(RawFrameRow).values(
        integration_key=1, received_at_ms=NOW_MS, protocol="gt02", peer="", verdict="ok", data=b"", reply=b""
    )
    assert store.write(lambda c: c.execute(new_frame.returning(RawFrameRow.id)).scalar_one()).result() == 4


def test_rows_of_a_clock_that_was_wrong_do_not_stop_the_sweep(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    store.write(lambda c: _fill(c, [-9_000] * 1 + [-8_000, -7_000, -6_000, -5_000, 600, 500, 0])).result()
    assert sweep(store, NOW_MS, threading.Event())["positions"] == 2


def test_open_problems_and_waiting_commands_stay_however_old(store: Store) -> None:
    old = from_ms(0)
    problem = insert(Problem).values(problem_key="p", title="t", detail="d", fix="none", since=old)
    command = insert(Command).values(id="c", name="sync", payload={}, created_at=old)
    store.write(lambda c: (c.execute(problem), c.execute(command))).result()
    store.write(lambda c: _fill(c, [0])).result()
    sweep(store, NOW_MS, threading.Event())
    counts = _counts(store)
    assert (counts["problems"], counts["commands"]) == (2, 2)


@pytest.mark.parametrize("over", [{}, {"cleared_at_ms": 0}, {"acknowledged_at_ms": 0}])
def test_alarms_that_want_somebody_stay_however_old(store: Store, over: dict[str, int]) -> None:
    def fill(connection: Connection) -> None:
        for number in (1, 2):
            connection.execute(insert(Alarm).values(_an_alarm(number, 0, **over)))

    store.write(fill).result()
    sweep(store, NOW_MS, threading.Event())
    assert _counts(store)["alarms"] == 2


def test_a_stopped_sweep_deletes_nothing_more(store: Store) -> None:
    store.write(lambda c: _fill(c, [900, 0])).result()
    stop = threading.Event()
    stop.set()
    assert set(sweep(store, NOW_MS, stop).values()) == {0}
    assert set(_counts(store).values()) == {2}


def test_a_clock_that_leaps_years_ahead_deletes_nothing_until_it_has_stood_for_days(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_DOUBTED_ROUNDS", 5)
    store.write(lambda c: _fill(c, [20, 10, 0])).result()
    sweep(store, NOW_MS, threading.Event())
    ahead_ms = NOW_MS + 20 * 365 * DAY_MS
    for _ in range(5):
        assert set(sweep(store, ahead_ms, threading.Event()).values()) == {0}
    assert sweep(store, ahead_ms, threading.Event())["positions"] == 2, "a machine that was away so long must tidy up"


def test_a_leap_that_is_put_right_again_costs_nothing(store: Store) -> None:
    store.write(lambda c: _fill(c, [20, 10, 0])).result()
    for now_ms in (NOW_MS, NOW_MS + 9_999 * DAY_MS, NOW_MS, NOW_MS - 9_999 * DAY_MS, NOW_MS):
        assert set(sweep(store, now_ms, threading.Event()).values()) == {0}
    assert set(_counts(store).values()) == {3}


def test_hours_and_nights_are_no_leap(store: Store) -> None:
    store.write(lambda c: _fill(c, [30, 0])).result()
    assert sweep(store, NOW_MS, threading.Event())["raw_frames"] == 0
    assert sweep(store, NOW_MS + 2 * DAY_MS, threading.Event())["raw_frames"] == 1


@pytest.mark.parametrize(("happened_days_ago", "goes"), [(10, False), (399, False), (401, True), (-9_000, True)])
def test_what_arrived_while_the_clock_was_years_behind_is_as_young_as_it_says(
    store: Store, happened_days_ago: int, goes: bool
) -> None:
    store.write(lambda c: _fill(c, [9_000, 0])).result()
    happened_ms = NOW_MS - happened_days_ago * DAY_MS

    def date(connection: Connection) -> None:
        connection.execute(update(PositionRow).where(PositionRow.id == 1).values(fixed_at_ms=happened_ms))
        connection.execute(update(DeviceEventRow).where(DeviceEventRow.id == 1).values(occurred_at_ms=happened_ms))

    store.write(date).result()
    deleted = sweep(store, NOW_MS, threading.Event())
    assert [deleted["positions"], deleted["device_events"]] == [int(goes)] * 2


def test_a_pushed_message_is_known_for_a_week_and_one_that_waits_for_ever(store: Store) -> None:
    store.write(lambda c: set_retention(c, Retention(raw_days=1))).result()
    rows = [
        _a_message(f"{state}-{age}", from_ms(NOW_MS - age * DAY_MS), state)
        for state in ("done", "refused", "waiting")
        for age in (30, 8, 6, 0)
    ]
    store.write(lambda c: c.execute(insert(InboxMessage), rows)).result()
    sweep(store, NOW_MS, threading.Event())
    with store.read() as connection:
        left = set(connection.execute(select(InboxMessage.message_id)).scalars())
    assert left == {"done-6", "done-0", "refused-6", "refused-0", *(f"waiting-{age}" for age in (30, 8, 6, 0))}


def test_a_mail_goes_when_it_was_sent_or_given_up_and_one_that_wants_somebody_stays(store: Store) -> None:
    rows = [
        _a_mail(f"{state}-{age}", from_ms(NOW_MS - age * DAY_MS), state)
        for state in ("sent", "cancelled", "refused", "doubtful", "waiting")
        for age in (91, 89)
    ]
    store.write(lambda c: c.execute(insert(MailMessage), rows)).result()
    assert sweep(store, NOW_MS, threading.Event())["mail_messages"] == 2
    with store.read() as connection:
        left = set(connection.execute(select(MailMessage.id)).scalars())
    kept = {f"{state}-{age}" for state in ("refused", "doubtful", "waiting") for age in (91, 89)}
    assert left == {"sent-89", "cancelled-89", *kept}
