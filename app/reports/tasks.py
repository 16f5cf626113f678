"""What a person has to mend: lines that were refused or held back, each one task until it is accepted or put away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from app.fleet.text import storable
from app.fleet.times import iso
from app.reports.errors import ReportRefused, UnknownReport
from app.security.audit import record_act
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Act, Integration, ReportTask

KIND_WORDS: Mapping[str, str] = {"refused": "Refused", "held": "Held back"}
TASK_WORDS: Mapping[str, str] = {"open": "To do", "done": "Done", "dismissed": "Put away"}


@dataclass(frozen=True, slots=True)
class TaskListing:
    id: str
    integration_id: str
    integration: str
    report_id: str | None
    run_id: str
    kind: str
    subject: str
    why: str
    times: int
    state: str
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    closed_by: str
    comment: str

    @property
    def next_step(self) -> str:
        """What helps, after what was said."""
        if self.kind == "held":
            return "Mend it in the supply system. It goes with the next sending after that was read."
        return "Correct the line in the supply system, or agree on it with whoever refused it; then send again."

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id, "line": self.subject, "kind": self.kind, "why": self.why, "next": self.next_step,
            "to": self.integration, "report": self.report_id, "times": self.times, "state": self.state,
            "opened_at": iso(self.opened_at), "last_at": iso(self.last_at),
            "closed_at": None if self.closed_at is None else iso(self.closed_at), "closed_by": self.closed_by,
            "comment": self.comment,
        }  # fmt: skip


def list_tasks(connection: Connection, *, with_closed: bool = False, report_id: str = "") -> list[TaskListing]:
    """Open tasks first, each the newest first."""
    table = ReportTask
    columns = (
        table.id, table.integration_id, Integration.name.label("integration"), table.report_id, table.run_id,
        table.kind, table.subject, table.why, table.times, table.state, table.opened_at, table.last_at,
        table.closed_at, table.closed_by, table.comment,
    )  # fmt: skip
    query = (
        select(*columns)
        .outerjoin(Integration, Integration.id == table.integration_id)
        .order_by(table.state != "open", table.last_at.desc(), table.id)
    )
    if not with_closed:
        query = query.where(table.state == "open")
    if report_id:
        query = query.where(table.report_id == report_id)
    return [TaskListing(**{**row._mapping, "integration": row.integration or ""}) for row in connection.execute(query)]


def count_open(connection: Connection) -> int:
    query = select(func.count()).select_from(ReportTask.__table__).where(ReportTask.state == "open")
    return int(connection.execute(query).scalar_one())


def note_troubles(
    connection: Connection,
    integration_id: str,
    run_id: str,
    report_id: str | None,
    troubles: Sequence[tuple[str, str, str, str]],
    now: datetime,
) -> int:
    """Open a task for each (row key, subject, kind, why), or renew the one that stands; returns how many are new."""
    if not troubles:
        return 0
    table = ReportTask
    query = select(table.id, table.row_key, table.times).where(
        table.integration_id == integration_id, table.state == "open"
    )
    standing = {row.row_key: row for row in connection.execute(query)}
    version = raise_topic(connection, "reports")
    fresh = []
    for key, subject, kind, why in troubles:
        words = {"kind": kind, "why": redact_text(storable(why, 2_000)), "last_at": now, "run_id": run_id}
        words["changed_version"] = version
        row = standing.get(key)
        if row is not None:
            one = update(table).where(table.id == row.id)
            report = {"report_id": report_id} if report_id is not None else {}
            connection.execute(one.values(times=row.times + 1, **report, **words))
        else:
            fresh.append(
                {
                    "id": new_id(), "integration_id": integration_id, "report_id": report_id, "row_key": key,
                    "subject": storable(subject, 400), "times": 1, "state": "open", "opened_at": now, **words,
                }
            )  # fmt: skip
    if fresh:
        connection.execute(insert(table), fresh)
    return len(fresh)


def close_accepted(connection: Connection, integration_id: str, keys: Sequence[str], now: datetime) -> int:
    """What was accepted needs nobody any more."""
    table = ReportTask
    query = select(table.id, table.row_key).where(table.integration_id == integration_id, table.state == "open")
    wanted = set(keys)
    done = [row.id for row in connection.execute(query) if row.row_key in wanted]
    if not done:
        return 0
    version = raise_topic(connection, "reports")
    values = {"state": "done", "closed_at": now, "closed_by": "a later sending", "changed_version": version}
    for start in range(0, len(done), 500):
        connection.execute(update(table).where(table.id.in_(done[start : start + 500])).values(values))
    return len(done)


def close_task(
    connection: Connection, task_id: str, *, now: datetime, done: bool, comment: str = "", who: str | None = None
) -> None:
    """Somebody has mended it (``done``), or puts it away with a reason. Raises UnknownReport, ReportRefused."""
    table = ReportTask
    row = connection.execute(select(table.subject, table.state).where(table.id == task_id)).one_or_none()
    if row is None:
        raise UnknownReport(f"There is no task {task_id}.")
    if row.state != "open":
        raise ReportRefused(f"{row.subject} is not open any more ({TASK_WORDS[row.state].lower()}).")
    text = storable(comment.strip(), 2_000)
    if not done and not text:
        raise ReportRefused("Say why this needs nothing to be done.", "comment")
    version = raise_topic(connection, "reports")
    state = "done" if done else "dismissed"
    act = record_act(
        connection, what=f"report_task.{'finish' if done else 'dismiss'}", subject=row.subject,
        after={"comment": text}, who=who,
    )  # fmt: skip
    by = connection.execute(select(Act.who).where(Act.id == act)).scalar_one()
    connection.execute(
        update(table)
        .where(table.id == task_id)
        .values(state=state, closed_at=now, closed_by=by, comment=text, changed_version=version)
    )
