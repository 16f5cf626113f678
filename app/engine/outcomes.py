"""What became of a change that was sent, written in one commit with everything that follows from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from adapters.base import Receipt
from adapters.errors import AdapterError, BadReply, Conflict, RecordRejected
from adapters.records import Batch
from app.clock import from_ms
from app.engine.alone import TransactionGone, run_alone
from app.engine.delays import retry_delay_s
from app.engine.inlet import store_batches
from app.engine.journal import log_line
from app.engine.ports import Ports
from app.integrations.rows import Configured
from app.store.changes import raise_topic
from app.store.logs import append_logs
from app.store.tables import OutboxItem
from app.sync.conflicts import note_conflict
from app.sync.records import KINDS
from app.sync.rules import rule_for
from app.sync.sending import Due, write_accepted, write_refused, write_waiting
from app.sync.words import State

PATIENT_TRIES = 3
"""How often a decision by a rule that meets yet another value there is tried at once; then with growing delays."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A change and what came back: the peer's receipt, or why there is none."""

    due: Due
    result: Receipt | Exception

    @staticmethod
    def is_of_the_change(result: Receipt | Exception) -> bool:
        """Whether the peer works and has judged this change."""
        return isinstance(result, (RecordRejected, Conflict))

    @staticmethod
    def is_conflict(result: Receipt | Exception) -> bool:
        return isinstance(result, Conflict)


class AnswerWriter:
    """Writes answers of one integration; a function of a connection, on the writer's thread."""

    def __init__(self, configured: Configured, ports: Ports) -> None:
        self._id = configured.id
        self._name = configured.name
        self._ports = ports
        self._lines: list[dict[str, Any]] = []  # of the answers that are being written

    def write(self, connection: Connection, answers: Sequence[Answer]) -> None:
        """All of them; where our code cannot write one, each by itself, so that it costs no other its own."""
        if not answers:
            return
        try:
            try:
                run_alone(connection, partial(self._write_all, connection, answers))
            except TransactionGone:
                raise
            except Exception:  # noqa: BLE001 - the culprit is found below
                self._ports.sink.forget()
                self._write_one_by_one(connection, answers)
        except TransactionGone as gone:
            raise gone.cause from gone

    def _write_one_by_one(self, connection: Connection, answers: Sequence[Answer]) -> None:
        for answer in answers:
            try:
                run_alone(connection, partial(self._write_all, connection, [answer]))
            except TransactionGone:
                raise
            except Exception:  # noqa: BLE001 - it belongs to this answer alone
                self._ports.sink.forget()
                _log.exception("the outcome of a change for %s could not be written", self._name)
                defect = AdapterError("This program failed to write down what became of it. Report the log of today.")
                self._write_other(connection, answer.due, defect, raise_topic(connection, "outbox"), is_doubtful=True)

    def _write_all(self, connection: Connection, answers: Sequence[Answer]) -> None:
        """Each topic is raised once, first."""
        version = raise_topic(connection, "outbox")
        accepted = {KINDS[one.due.record].topic for one in answers if isinstance(one.result, Receipt)}
        versions = {topic: raise_topic(connection, topic) for topic in sorted(accepted)}
        now = from_ms(self._ports.clock.now_ms())
        self._lines = []
        self._write_accepted(connection, answers, now, version, versions)
        for answer in answers:
            due, result = answer.due, answer.result
            if isinstance(result, Receipt):
                continue
            if isinstance(result, RecordRejected):
                if write_refused(connection, due, result.why, self._id, now, version):
                    self._note(due, "outbox_refused", f"{self._name} refused {due.subject}: {result.why}")
            elif isinstance(result, Conflict):
                self._write_conflict(connection, due, result, now)
            else:
                is_doubtful = not isinstance(result, AdapterError) or isinstance(result, BadReply) or result.is_doubtful
                self._write_other(connection, due, result, version, is_doubtful=is_doubtful)
        append_logs(connection, self._lines)

    def _write_accepted(
        self,
        connection: Connection,
        answers: Sequence[Answer],
        now: datetime,
        version: int,
        versions: Mapping[str, int],
    ) -> None:
        receipts = [(one.due, one.result, _words(one.result)) for one in answers if isinstance(one.result, Receipt)]
        written = write_accepted(connection, [(due, words) for due, _result, words in receipts], now, version, versions)
        for due, receipt, words in receipts:
            if due.seq not in written:
                continue
            if receipt.records:
                now_ms = self._ports.clock.now_ms()
                store_batches(self._ports.sink, connection, self._id, [Batch(tuple(receipt.records))], now_ms)
            self._note(due, "outbox_accepted", f"{self._name} accepted {due.subject}: {words}")

    def _write_conflict(self, connection: Connection, due: Due, error: Conflict, now: datetime) -> None:
        mine = (OutboxItem.seq == due.seq) & (OutboxItem.state == State.SENDING)
        item = connection.execute(select(OutboxItem.__table__).where(mine)).one_or_none()
        if item is None:  # written already
            return
        rule = rule_for(connection, self._ports.catalogue, self._id, due.outgoing.write, due.record)
        later = None
        if due.outgoing.tries >= PATIENT_TRIES:
            later = now + timedelta(seconds=retry_delay_s(due.outgoing.tries, None, self._ports.rng))
        theirs = _theirs(error, due.outgoing.values)
        asked = note_conflict(connection, item, theirs, rule, now=now, next_try=later)
        text = f"{due.subject} was changed here and at {self._name}."
        text += " It waits for a decision." if asked else f" Kept: {rule}, by the rule chosen for it."
        self._note(due, "outbox_conflict", text, {"theirs": theirs, "rule": rule})

    def _write_other(
        self, connection: Connection, due: Due, error: Exception, version: int, *, is_doubtful: bool
    ) -> None:
        """The peer could not be reached or understood, or we failed: it is tried again.

        Where the whole peer fails, the leg has the delay; a record that is answered strangely has one of its own.
        """
        next_try = None
        if isinstance(error, BadReply) or not isinstance(error, AdapterError) or type(error) is AdapterError:
            delay_s = retry_delay_s(due.outgoing.tries + 1, None, self._ports.rng)
            next_try = from_ms(self._ports.clock.now_ms() + round(delay_s * 1000))
        if isinstance(error, AdapterError):
            why = error.why
        else:
            why = f"A defect of this program stopped it ({type(error).__name__}: {error}). Report the log of today."
        write_waiting(connection, due, why, next_try, is_doubtful=is_doubtful, version=version)

    def _note(
        self,
        due: Due,
        event_type: str,
        text: str,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        payload = {
            "outbox_id": due.id,
            "key": due.outgoing.key,
            "write": due.outgoing.write,
            "tries": due.outgoing.tries + 1,
        }
        payload |= {"values": dict(due.outgoing.values), "seen": dict(due.outgoing.seen), **(more or {})}
        now_ms = self._ports.clock.now_ms()
        self._lines.append(log_line(self._id, event_type, text, payload=payload, now_ms=now_ms))


def _words(receipt: Receipt) -> str:
    answer = receipt.answer or "Accepted."
    return f"An earlier try had arrived: {answer}" if receipt.was_applied_before else answer


def _theirs(error: Conflict, values: Mapping[str, Any]) -> dict[str, Any]:
    """The peer's values of the fields in question; where an adapter tells no fields, its words stand for each."""
    if isinstance(error.theirs, Mapping):
        told = {str(field): value for field, value in error.theirs.items() if str(field) in values}
        if told:
            return told
    return {field: str(error.theirs) for field in values}
