"""Forgetting what is older than the depot keeps, a little at a time, so that nobody waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnClause, ColumnElement, Connection, case, delete, func, select

from app.clock import from_ms
from app.store.changes import raise_topic
from app.store.columns import Base
from app.store.facts import get_fact, set_fact
from app.store.store import Store
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

FACT = "retention"
BATCH = 2_000
"""Rows per transaction; a few milliseconds of the writer."""

LEAST_INBOX_DAYS = 7

CLOCK_FACT = "retention_clock"
ROUND_MS = 3_600_000
"""How often sweeps are made while a program runs."""

_DAY_MS = 86_400_000
_BELIEVED_STEP_MS = 2 * _DAY_MS
_DOUBTED_ROUNDS = 72  # three days of running: whoever works with a wrong date has noticed by then
_PAUSE_S = 0.02
_PATIENCE = 50  # batches of young rows after which the rest is taken to be young, too; more than a wrong clock's worth


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that are kept. ``logs`` also covers rejected records, finished commands, cleared problems, mails that were
    sent or cancelled, and requests of report runs; ``positions`` device events, readings of fuel and engine, alarms
    that are over, and the history of stock. Events and daily totals of fuel, and reports, are kept for good."""

    raw_days: int = 30
    logs_days: int = 90
    positions_days: int = 400


@dataclass(frozen=True, slots=True)
class _Rule:
    """Rows of ``table`` for which ``is_older`` holds go; ``key`` follows their age, except after a wrong clock."""

    table: type[Base]
    key: ColumnClause[Any]
    is_older: Callable[[int], ColumnElement[bool]]
    days: int
    topic: str | None = None


def get_retention(connection: Connection) -> Retention:
    """What the depot chose, or the defaults."""
    fact = get_fact(connection, FACT) or {}
    default = Retention()
    return Retention(
        raw_days=int(fact.get("raw_days", default.raw_days)),
        logs_days=int(fact.get("logs_days", default.logs_days)),
        positions_days=int(fact.get("positions_days", default.positions_days)),
    )


def set_retention(connection: Connection, retention: Retention) -> None:
    """Raises ValueError for less than a day."""
    if min(retention.raw_days, retention.logs_days, retention.positions_days) < 1:
        raise ValueError("at least one day must be kept")
    raise_topic(connection, "facts")
    set_fact(
        connection,
        FACT,
        {
            "raw_days": retention.raw_days,
            "logs_days": retention.logs_days,
            "positions_days": retention.positions_days,
        },
    )


def sweep(store: Store, now_ms: int, stop: threading.Event) -> dict[str, int]:
    """Delete what is too old, batch by batch, until nothing is left or ``stop`` is set; rows deleted per table.

    Blocks; run it in a thread, every :data:`ROUND_MS`. A clock that is suddenly days ahead is not believed at once:
    a wrong date must not cost the depot its data. The newest row of a table always stays, so that its id is never
    given again: a position's link to its raw frame must never lead to another frame. Raises a StoreError where the
    store fails.
    """
    with store.read() as connection:
        retention = get_retention(connection)
    now_ms = store.write(partial(_believed_now, now_ms=now_ms)).result()
    deleted: dict[str, int] = {}
    for rule in _rules(retention):
        deleted[rule.table.__tablename__] = _sweep_table(store, rule, now_ms - rule.days * _DAY_MS, stop)
    return deleted


def doubted_days(connection: Connection, now_ms: int) -> float:
    """By how many days the clock is ahead of what the sweeps believe; 0.0 where it is believed."""
    noted = get_fact(connection, CLOCK_FACT) or {}
    ahead_ms = now_ms - int(noted.get("at_ms", now_ms))
    is_doubted = ahead_ms > _BELIEVED_STEP_MS and int(noted.get("doubted_rounds", 0)) < _DOUBTED_ROUNDS
    return ahead_ms / _DAY_MS if is_doubted else 0.0


def _believed_now(connection: Connection, now_ms: int) -> int:
    """The time by which this round judges what is old; notes it for the next.

    After a long silence of the program the clock leaps as it does when it is set wrongly. So a leap is followed only
    when it has stood for some days of running; until then each round counts for the time that it took.
    """
    noted = get_fact(connection, CLOCK_FACT) or {}
    before_ms, rounds = int(noted.get("at_ms", now_ms)), int(noted.get("doubted_rounds", 0)) + 1
    is_leap = now_ms - before_ms > _BELIEVED_STEP_MS and rounds <= _DOUBTED_ROUNDS
    if is_leap and rounds == 1:
        days = (now_ms - before_ms) / _DAY_MS
        _log.warning("the clock is %.0f days ahead of the last round; old rows are not deleted by it yet", days)
    at_ms = before_ms + ROUND_MS if is_leap else now_ms
    set_fact(connection, CLOCK_FACT, {"at_ms": at_ms, "doubted_rounds": rounds if is_leap else 0})
    return at_ms


def _rules(keep: Retention) -> tuple[_Rule, ...]:
    raw, log, rejected, command = RawFrameRow, IntegrationLog, RejectedRecord, Command
    problem, position, event = Problem, PositionRow, DeviceEventRow
    fuel, engine, alarm = FuelReadingRow, EngineReadingRow, Alarm
    item, conflict, pushed = OutboxItem, ConflictRow, InboxMessage
    mail = MailMessage
    message, told, span, look = ReportMessage, ReportRunRow, StockSpan, StockLook
    return (
        _Rule(raw, raw.id, lambda ms: raw.received_at_ms < ms, keep.raw_days),
        _Rule(log, log.id, lambda ms: log.created_at < from_ms(ms), keep.logs_days, "logs"),
        _Rule(rejected, rejected.id, lambda ms: rejected.at < from_ms(ms), keep.logs_days),
        _Rule(command, command.id, lambda ms: command.done_at < from_ms(ms), keep.logs_days),
        _Rule(problem, problem.id, lambda ms: problem.cleared_at < from_ms(ms), keep.logs_days),
        # What a peer is not known to have never goes, however old it is.
        _Rule(
            item,
            item.seq,
            lambda ms: item.state.in_(("accepted", "cancelled")) & (item.ended_at < from_ms(ms)),
            keep.logs_days,
            "outbox",
        ),
        _Rule(
            conflict,
            conflict.id,
            lambda ms: (conflict.state == "resolved") & (conflict.resolved_at < from_ms(ms)),
            keep.logs_days,
            "conflicts",
        ),
        _Rule(
            mail,
            mail.seq,
            lambda ms: mail.state.in_(("sent", "cancelled")) & (mail.ended_at < from_ms(ms)),
            keep.logs_days,
            "mail",
        ),
        # A message that comes again is known for a week at least.
        _Rule(
            pushed,
            pushed.key,
            lambda ms: (pushed.state != "waiting") & (pushed.received_at < from_ms(ms)),
            max(keep.raw_days, LEAST_INBOX_DAYS),
            "inbox",
        ),
        _Rule(message, message.id, lambda ms: message.sent_ms < ms, keep.logs_days),
        _Rule(told, told.id, lambda ms: told.day < _day(ms), keep.logs_days),
        # A span that still stands is what later days are compared with.
        _Rule(span, span.id, lambda ms: span.until_on < _day(ms), keep.positions_days),
        _Rule(look, look.id, lambda ms: look.day < _day(ms), keep.positions_days),
        _Rule(
            position, position.id, _both_old(position.received_at_ms, position.fixed_at_ms, keep), keep.positions_days
        ),
        _Rule(event, event.id, _both_old(event.received_at_ms, event.occurred_at_ms, keep), keep.positions_days),
        _Rule(fuel, fuel.id, _both_old(fuel.received_at_ms, fuel.measured_at_ms, keep), keep.positions_days),
        _Rule(engine, engine.id, lambda ms: engine.measured_at_ms < ms, keep.positions_days),
        _Rule(alarm, alarm.id, _is_over_before, keep.positions_days, "alarms"),
    )


def _day(ms: int) -> str:
    return from_ms(ms).date().isoformat()


def _both_old(
    received_ms: ColumnClause[int], happened_ms: ColumnClause[int], keep: Retention
) -> Callable[[int], ColumnElement[bool]]:
    """What arrived while our clock was years behind is as young as its own time says; times to come say nothing."""
    kept_ms = keep.positions_days * _DAY_MS
    return lambda ms: (received_ms < ms) & ((happened_ms < ms) | (happened_ms > ms + kept_ms))


def _is_over_before(ms: int) -> ColumnElement[bool]:
    """Whether an alarm was both over and seen to by then; what still wants somebody stays, however old."""
    return (Alarm.cleared_at_ms < ms) & (Alarm.acknowledged_at_ms < ms)


def _sweep_table(store: Store, rule: _Rule, before_ms: int, stop: threading.Event) -> int:
    """Walk the table from its oldest row, a batch at a time, until only young rows come."""
    deleted, young, after = 0, 0, None
    while young < _PATIENCE and not stop.is_set():
        with store.read() as connection:
            batch = _next_batch(connection, rule, after, before_ms)
        if batch.last is None:
            break
        if batch.old:
            deleted += store.write(partial(_delete, rule, after, batch.last, before_ms), rows=BATCH).result()
        young = 0 if batch.old else young + 1
        after = batch.last
        stop.wait(_PAUSE_S)
    return deleted


@dataclass(frozen=True, slots=True)
class _Batch:
    """``last`` is the greatest key of the batch, None at the end of the table; ``old`` how many of its rows go."""

    last: Any
    old: int


def _next_batch(connection: Connection, rule: _Rule, after: Any, before_ms: int) -> _Batch:
    is_old = case((rule.is_older(before_ms), 1), else_=0).label("is_old")
    rows = select(rule.key.label("key"), is_old).order_by(rule.key).limit(BATCH)
    if after is not None:
        rows = rows.where(rule.key > after)
    batch = rows.subquery()
    last, old = connection.execute(select(func.max(batch.c.key), func.sum(batch.c.is_old))).one()
    return _Batch(last, int(old or 0))


def _delete(rule: _Rule, after: Any, last: Any, before_ms: int, connection: Connection) -> int:
    if rule.topic is not None:
        raise_topic(connection, rule.topic)
    newest = select(func.max(rule.key)).scalar_subquery()
    doomed = delete(rule.table).where(rule.is_older(before_ms), rule.key <= last, rule.key < newest)
    if after is not None:
        doomed = doomed.where(rule.key > after)
    return connection.execute(doomed).rowcount
