"""Runs in the store: what was shown in a dry run, what was asked for, what became of it, and the tasks it left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from adapters.reporting import ExactRequest, Message, Plan, RunResult
from app.clock import to_ms
from app.engine.commands import SEND_REPORT, give_command
from app.fleet.text import storable
from app.fleet.times import iso
from app.reports.checks import check_report, stops
from app.reports.errors import ReportRefused, UnknownReport
from app.reports.periods import local_day
from app.reports.programmes import list_programmes, programme
from app.reports.rows import TakenRow
from app.security.audit import record_act
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import (
    Act,
    Command,
    Integration,
    ReportMessage,
    ReportProgramme,
    ReportRow,
    ReportRun,
    ReportRunRow,
)

RUN_WORDS: Mapping[str, str] = {
    "shown": "Dry run",
    "waiting": "Waits for the engine",
    "running": "Being sent",
    "delayed": "Waits for the line",
    "accepted": "Accepted",
    "partly": "Partly accepted",
    "refused": "Refused",
    "failed": "Not sent",
    "doubtful": "Sent, not confirmed",
    "held": "Not allowed",
    "nothing": "Nothing to send",
}
UNDER_WAY = ("waiting", "running")
DELAYED = "delayed"
"""An operator's sending of which nothing went out: the engine tries again until it does, with the stock of then."""
LONGEST_BODY = 400_000
"""Characters of one body that a dry run keeps; what is longer is cut, and the export of the report has it all."""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class RunListing:
    """One run as lists show it."""

    id: str
    integration_id: str
    integration: str
    report_id: str | None
    subject: str
    is_dry: bool
    trigger: str
    state: str
    detail: str
    progress: Mapping[str, Any]
    approval_code: str
    stores: Sequence[Mapping[str, Any]]
    rows: int
    accepted: int
    refused: int
    held_back: int
    unsent: int
    skipped: int
    created_at: datetime
    created_by: str
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def word(self) -> str:
        return RUN_WORDS.get(self.state, self.state)

    @property
    def unconfirmed(self) -> int:
        """Lines that went out and of which no answer tells what became of them."""
        return sum(int(store.get("unconfirmed", 0)) for store in self.stores)

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "to": self.integration,
            "of": self.subject,
            "report": self.report_id,
            "dry_run": self.is_dry,
            "trigger": self.trigger,
            "state": self.state,
            "detail": self.detail,
            "approval_code": self.approval_code,
            "rows": self.rows,
            "accepted": self.accepted,
            "refused": self.refused,
            "held_back": self.held_back,
            "unconfirmed": self.unconfirmed,
            "unsent": self.unsent,
            "skipped": self.skipped,
            "stores": list(self.stores),
            "created_at": iso(self.created_at),
            "created_by": self.created_by,
            "started_at": None if self.started_at is None else iso(self.started_at),
            "ended_at": None if self.ended_at is None else iso(self.ended_at),
        }


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One request of a run with its answer; of a dry run the whole request."""

    step: str
    store: str
    method: str
    url: str
    headers: Sequence[Sequence[str]]
    body: str
    digest: str
    records: int
    sent_ms: int | None
    took_ms: int | None
    status: int | None
    answer: str

    def as_row(self) -> dict[str, Any]:
        return {
            "step": self.step, "store": self.store, "method": self.method, "url": self.url,
            "headers": {str(name): str(value) for name, value in self.headers}, "body": self.body,
            "digest": self.digest, "records": self.records, "status": self.status, "answer": self.answer,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RowOutcome:
    subject: str
    outcome: str
    why: str
    row_key: str = ""

    def as_row(self) -> dict[str, Any]:
        return {"line": self.subject, "outcome": self.outcome, "why": self.why}


def takers(connection: Connection, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """(id, name) of the integrations that take reports; ``kinds`` are the catalogue's keys of those."""
    table = Integration
    query = select(table.id, table.name).where(table.type.in_(kinds), table.removed_at.is_(None))
    return [(row.id, row.name) for row in connection.execute(query.order_by(table.key))]


def save_dry_run(
    connection: Connection,
    integration_id: str,
    report_id: str | None,
    plan: Plan,
    rows: Sequence[TakenRow],
    *,
    now: datetime,
    who: str | None = None,
) -> str:
    """Keep what a sending would be, to the byte; returns the run's id."""
    held = {row.row.key: row.why_held for row in rows if row.why_held}
    held |= {one.key: one.why for one in plan.held_back}
    count = len(rows) - len(held)
    act = f"{len(plan.requests)} {'request' if len(plan.requests) == 1 else 'requests'}"
    detail = f"{act} with {count} {'line' if count == 1 else 'lines'}; nothing was sent."
    if held:
        detail += f" {len(held)} held back."
    run_id = _insert_run(
        connection, integration_id, report_id, now, who, is_dry=True, state="shown", detail=detail, started_at=now,
        ended_at=now, approval_code=plan.approval_code, rows=len(rows), held_back=len(held),
    )  # fmt: skip
    _insert(connection, ReportMessage, [_request_row(run_id, request, to_ms(now)) for request in plan.requests])
    outcomes = {row.row.key: ("held", held[row.row.key]) for row in rows if row.row.key in held}
    write_rows(connection, run_id, integration_id, rows, outcomes, now, default="planned")
    return run_id


def ask_for_run(
    connection: Connection, integration_id: str, report_id: str | None, *, now: datetime, who: str | None = None
) -> tuple[str, str]:
    """Ask the engine to send; returns the ids of the run and of the command. Raises ReportRefused with what to mend.

    The run stands in the store from now on, so that it cannot be lost; an engine that is ended while it sends leaves
    it in doubt, and says so.
    """
    name = _require_ready(connection, integration_id)
    if report_id is not None:
        _require_checked(connection, report_id, integration_id, now)
    busy = select(ReportRun.id).where(
        ReportRun.integration_id == integration_id, ReportRun.is_dry.is_(False), ReportRun.state.in_(UNDER_WAY)
    )
    if connection.execute(busy.limit(1)).first() is not None:
        raise ReportRefused(f"A sending to {name} is under way already. Wait for its end, then send again.")
    run_id = _delayed_run(connection, integration_id, report_id)
    if run_id is None:
        run_id = _insert_run(connection, integration_id, report_id, now, who, is_dry=False, state="waiting")
    command = give_command(
        connection, SEND_REPORT, now_ms=to_ms(now), integration_id=integration_id, payload={"run": run_id}
    )
    return run_id, command


def _delayed_run(connection: Connection, integration_id: str, report_id: str | None) -> str | None:
    """What waits for the line already, which an operator asks for once more: it waits no longer, and is one still."""
    table = ReportRun
    mine = (table.integration_id == integration_id) & (table.state == DELAYED)
    mine &= table.report_id.is_(None) if report_id is None else table.report_id == report_id
    run_id = connection.execute(select(table.id).where(mine).limit(1)).scalar_one_or_none()
    if run_id is not None:
        change_run(connection, run_id, state="waiting")
    return run_id


def begin_scheduled(connection: Connection, integration_id: str, *, now: datetime) -> str:
    """A run that the schedule asks for."""
    return _insert_run(
        connection, integration_id, None, now, "schedule", is_dry=False, state="waiting", trigger="schedule"
    )


def list_runs(
    connection: Connection, *, integration_id: str = "", report_id: str = "", run_id: str = "", limit: int = 200
) -> list[RunListing]:
    """The newest first."""
    table = ReportRun
    query = (
        select(
            table.__table__, Integration.name.label("integration"), ReportProgramme.name.label("programme"),
            ReportRow.facility, ReportRow.starts_on,
        )
        .outerjoin(Integration, Integration.id == table.integration_id)
        .outerjoin(ReportRow, ReportRow.id == table.report_id)
        .outerjoin(ReportProgramme, ReportProgramme.id == ReportRow.programme_id)
        .order_by(table.created_at.desc(), table.id.desc())
        .limit(limit)
    )  # fmt: skip
    if integration_id:
        query = query.where(table.integration_id == integration_id)
    if report_id:
        query = query.where(table.report_id == report_id)
    if run_id:
        query = query.where(table.id == run_id)
    return [_listing(row) for row in connection.execute(query)]


def run_listing(connection: Connection, run_id: str) -> RunListing:
    """One run. Raises UnknownReport."""
    found = list_runs(connection, run_id=run_id) if run_id else []
    if not found:
        raise UnknownReport(f"There is no sending {run_id}.")
    return found[0]


def messages_of(connection: Connection, run_id: str) -> list[MessageRow]:
    """A run's requests in their order."""
    table = ReportMessage
    query = select(table.__table__).where(table.run_id == run_id).order_by(table.id)
    return [
        MessageRow(
            row.step, row.store, row.method, row.url, row.headers, row.body, row.digest, row.records, row.sent_ms,
            row.took_ms, row.status, row.answer,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def rows_of(connection: Connection, run_id: str, outcomes: Sequence[str] = ()) -> list[RowOutcome]:
    """What became of a run's lines; ``outcomes`` narrows them, e.g. to refused and held."""
    table = ReportRunRow
    query = select(table.subject, table.outcome, table.why, table.row_key).where(table.run_id == run_id)
    if outcomes:
        query = query.where(table.outcome.in_(outcomes))
    return [RowOutcome(*row) for row in connection.execute(query.order_by(table.id))]


def begin_run(connection: Connection, run_id: str, now: datetime) -> RunListing:
    """The engine takes a run up. Raises UnknownReport, ReportRefused where it is not waiting any more."""
    run = run_listing(connection, run_id)
    if run.state not in ("waiting", DELAYED) or run.is_dry:
        raise ReportRefused(f"This sending is not waiting any more ({run.word.lower()}).")
    change_run(connection, run_id, state="running", started_at=now)
    return replace(run, state="running", started_at=now)


def note_progress(connection: Connection, run_id: str, progress: Mapping[str, Any]) -> None:
    change_run(connection, run_id, progress=dict(progress))


def end_run(connection: Connection, run_id: str, state: str, detail: str, *, now: datetime, **counts: Any) -> None:
    """How a run ended; ``counts`` are columns of it."""
    change_run(connection, run_id, state=state, detail=redact_text(storable(detail, 4_000)), ended_at=now, **counts)


def write_messages(connection: Connection, run_id: str, result: RunResult) -> None:
    """Every request of a run with its hash, status and an excerpt of the answer."""
    messages = [_message_row(run_id, message) for store in result.stores for message in store.messages]
    _insert(connection, ReportMessage, messages)


def write_rows(
    connection: Connection,
    run_id: str,
    integration_id: str,
    rows: Iterable[TakenRow],
    outcomes: Mapping[str, tuple[str, str]],
    now: datetime,
    *,
    default: str = "unsent",
) -> None:
    """What became of each line; those that ``outcomes`` does not name get ``default``."""
    day = local_day(to_ms(now)).isoformat()
    found = []
    for row in rows:
        outcome, why = outcomes.get(row.row.key, (default, ""))
        found.append(
            {
                "run_id": run_id, "integration_id": integration_id, "row_key": row.row.key[:64], "row_hash": row.hash,
                "day": day, "outcome": outcome, "subject": storable(row.subject, 400),
                "why": redact_text(storable(why, 2_000)),
            }
        )  # fmt: skip
    _insert(connection, ReportRunRow, found)


def close_left_over_runs(connection: Connection, now: datetime) -> list[str]:
    """At the engine's start: what was under way is in doubt, what nobody waits for any more did not happen.

    Returns the ids of the runs that are in doubt.
    """
    table = ReportRun
    left = connection.execute(
        select(table.id, table.state, table.report_id).where(table.is_dry.is_(False), table.state.in_(UNDER_WAY))
    ).all()
    if not left:
        return []
    waiting = select(Command.payload).where(
        Command.name == SEND_REPORT, Command.done_at.is_(None), Command.taken_at.is_(None)
    )
    asked = {str(payload.get("run")) for payload in connection.execute(waiting).scalars()}
    doubted = []
    for row in left:
        if row.state == "running":
            doubted.append(row.id)
            detail = (
                "The engine was ended while this was being sent, so some of it may have been taken. Send again: lines "
                "that were taken are told once more, with what is held now."
            )
            change_run(connection, row.id, state="doubtful", detail=detail, ended_at=now)
            if row.report_id is not None:
                version = raise_topic(connection, "reports")
                connection.execute(
                    update(ReportRow)
                    .where(ReportRow.id == row.report_id)
                    .values(sent_at=now, sent_how="call", is_doubtful=True, answer=detail, changed_version=version)
                )
        elif row.id not in asked:
            detail = "No engine was running to send this. Nothing was sent; send it again."
            change_run(connection, row.id, state="failed", detail=detail, ended_at=now)
    return doubted


def _require_ready(connection: Connection, integration_id: str) -> str:
    table = Integration
    row = connection.execute(
        select(table.name, table.enabled).where(table.id == integration_id, table.removed_at.is_(None))
    ).one_or_none()
    if row is None:
        raise ReportRefused(
            "No integration takes these reports. Choose one in the programme's settings, or export the report."
        )
    if not row.enabled:
        raise ReportRefused(f"{row.name} is disabled. Enable it on the page Integrations, then send again.")
    if not any(one.reports_to == integration_id for one in list_programmes(connection, only_on=True)):
        raise ReportRefused(f"No programme reports to {row.name}. Choose it in a programme's settings.")
    return str(row.name)


def _require_checked(connection: Connection, report_id: str, integration_id: str, now: datetime) -> None:
    row = connection.execute(select(ReportRow.programme_id).where(ReportRow.id == report_id)).one_or_none()
    if row is None:
        raise UnknownReport(f"There is no report {report_id}. “reports list” shows those that there are.")
    if programme(connection, row.programme_id).reports_to != integration_id:
        raise ReportRefused("This report goes to another integration. Look at its programme's settings.")
    found = stops(check_report(connection, report_id, local_day(to_ms(now))))
    if found:
        first = found[0]
        of = f"{first.item}: " if first.item else ""
        more = f" There are {len(found) - 1} more findings." if len(found) > 1 else ""
        raise ReportRefused(f"The report is not ready to be sent. {of}{first.what} {first.next_step}{more}")


def _insert_run(
    connection: Connection,
    integration_id: str,
    report_id: str | None,
    now: datetime,
    who: str | None,
    *,
    is_dry: bool,
    state: str,
    trigger: str = "operator",
    **values: Any,
) -> str:
    run_id = new_id()
    version = raise_topic(connection, "report_runs")
    name = connection.execute(select(Integration.name).where(Integration.id == integration_id)).scalar_one_or_none()
    by = who or ""
    if trigger == "operator":
        act = record_act(
            connection, what="report.dry_run" if is_dry else "report.send", subject=name or integration_id,
            after={"run": run_id, "report": report_id}, who=who,
        )  # fmt: skip
        by = _who_of(connection, act)
    connection.execute(
        insert(ReportRun).values(
            id=run_id, integration_id=integration_id, report_id=report_id, is_dry=is_dry, trigger=trigger, state=state,
            progress={}, stores=[], created_at=now, created_by=by, changed_version=version, **values,
        )
    )  # fmt: skip
    return run_id


def _who_of(connection: Connection, act_id: int) -> str:
    return str(connection.execute(select(Act.who).where(Act.id == act_id)).scalar_one())


def change_run(connection: Connection, run_id: str, **values: Any) -> None:
    version = raise_topic(connection, "report_runs")
    connection.execute(update(ReportRun).where(ReportRun.id == run_id).values(**values, changed_version=version))


def _insert(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _PAGE):
        connection.execute(insert(table), list(rows[start : start + _PAGE]))


def _request_row(run_id: str, request: ExactRequest, made_ms: int) -> dict[str, Any]:
    """Nothing was sent; the time is that of the dry run, by which it is forgotten."""
    return {
        "run_id": run_id, "step": request.step, "store": request.store[:200], "method": request.method,
        "url": redact_text(request.url), "headers": [list(pair) for pair in request.headers],
        "body": storable(request.body_text, LONGEST_BODY), "digest": request.digest, "records": len(request.records),
        "sent_ms": made_ms,
    }  # fmt: skip


def _message_row(run_id: str, message: Message) -> dict[str, Any]:
    return {
        "run_id": run_id, "step": message.step, "store": message.store[:200], "headers": [], "digest": message.digest,
        "records": message.records, "sent_ms": message.sent_ms, "took_ms": message.took_ms, "status": message.status,
        "answer": redact_text(storable(message.answer, 4_000)),
    }  # fmt: skip


def _listing(row: Any) -> RunListing:
    if row.report_id is None:
        subject = "Stock of all programmes that go there"
    else:
        subject = f"{row.programme or 'A report'}, from {row.starts_on or '?'}"
    return RunListing(
        id=row.id,
        integration_id=row.integration_id,
        integration=row.integration or "",
        report_id=row.report_id,
        subject=subject,
        is_dry=row.is_dry,
        trigger=row.trigger,
        state=row.state,
        detail=row.detail,
        progress=row.progress,
        approval_code=row.approval_code,
        stores=row.stores,
        rows=row.rows,
        accepted=row.accepted,
        refused=row.refused,
        held_back=row.held_back,
        unsent=row.unsent,
        skipped=row.skipped,
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
