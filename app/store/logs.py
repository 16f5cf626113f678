"""The event log: appending lines, and finding them among millions (docs/decisions/0010).

A search answers newest first. It reads the newest lines directly, where most searches end, and asks the index over
the text's trigrams only for older ones. Both databases compare letters of the ASCII alphabet without case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, insert, select, table
from sqlalchemy import column as sql_column

from app.clock import utc_now
from app.store.changes import raise_topic
from app.store.tables import IntegrationLog

NEWEST = 20_000
"""Lines read directly before the index is asked; a fortieth of a second."""
SCAN = 400_000
"""Lines at which a page ends where no index can help: texts of one or two characters."""

_search = table("integration_logs_search", sql_column("rowid"), sql_column("integration_logs_search"))
_columns = (
    IntegrationLog.id,
    IntegrationLog.integration_id,
    IntegrationLog.event_type,
    IntegrationLog.payload,
    IntegrationLog.created_at,
    IntegrationLog.text,
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One row of ``integration_logs``. ``integration_id`` None is the console itself."""

    id: int
    integration_id: str | None
    event_type: str
    payload: Mapping[str, Any]
    created_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What to look for; everything given must hold.

    ``text``, and each of ``words``, is found anywhere in the sentence; ``since`` is inclusive, ``until`` exclusive,
    both aware; ``id`` is one line's own id. ``integration_id`` "" means the console's own lines.
    """

    text: str = ""
    integration_id: str | None = None
    event_types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    id: int | None = None
    words: Sequence[str] = ()

    @property
    def sought(self) -> list[str]:
        """Everything that the sentence must hold."""
        return [text for text in (given.replace("\x00", "") for given in (self.text, *self.words)) if text]


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines, newest first. ``older_than`` goes into the next call; None: there are no older ones.

    A page may be short, or empty, and still have older ones.
    """

    lines: tuple[LogLine, ...]
    older_than: int | None


def append_log(
    connection: Connection,
    *,
    event_type: str,
    text: str,
    integration_id: str | None = None,
    payload: Mapping[str, Any] | None = None,
    created_at: datetime | None = None,
) -> int:
    """Write one line and raise the topic ``logs``; returns the line's id. ``text`` holds no secret."""
    raise_topic(connection, "logs")
    values = {
        "integration_id": integration_id,
        "event_type": event_type,
        "text": text.replace("\x00", ""),  # PostgreSQL stores no NUL
        "payload": dict(payload or {}),
        "created_at": created_at or utc_now(),
    }
    return connection.execute(insert(IntegrationLog).values(values).returning(IntegrationLog.id)).scalar_one()


def append_logs(connection: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write several lines with one statement; each has ``integration_id``, ``event_type``, ``text``, ``payload`` and
    ``created_at``. Raises the topic ``logs`` once."""
    if lines:
        raise_topic(connection, "logs")
        rows = [{**line, "text": line["text"].replace("\x00", "")} for line in lines]
        connection.execute(insert(IntegrationLog), rows)


def search_logs(
    connection: Connection,
    what: LogFilter,
    *,
    limit: int = 200,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> LogPage:
    """One page of the lines that ``what`` describes, newest first, from below the id ``older_than``.

    ``newer_than`` is the id of a line that is known already, to ask only for what was written since.
    """
    conditions = _conditions(connection, what, older_than)
    if newer_than is not None:
        conditions.append(IntegrationLog.id > newer_than)
    sought = what.sought
    if not sought:
        return _page(_lines(connection, conditions, limit), limit, older_than=None)
    matches = and_(*(IntegrationLog.text.icontains(found, autoescape=True) for found in sought))
    indexed = [found for found in sought if len(found) >= 3]  # the index knows nothing shorter
    floor = _floor(connection, conditions, NEWEST if indexed else SCAN)
    newest = conditions if floor is None else [*conditions, IntegrationLog.id >= floor]
    lines = _lines(connection, [*newest, matches], limit)
    if floor is not None and indexed and len(lines) < limit:
        lines += _older_lines(connection, indexed, floor, [*conditions, matches], limit - len(lines))
        floor = None
    return _page(lines, limit, older_than=floor)


def _page(lines: list[LogLine], limit: int, *, older_than: int | None) -> LogPage:
    return LogPage(tuple(lines), lines[-1].id if lines and len(lines) == limit else older_than)


def _conditions(connection: Connection, what: LogFilter, older_than: int | None) -> list[ColumnElement[bool]]:
    row = IntegrationLog
    conditions: list[ColumnElement[bool]] = []
    if older_than is not None:
        conditions.append(row.id < older_than)
    if what.id is not None:
        conditions.append(row.id == what.id)
    if what.integration_id is not None:
        same = row.integration_id == what.integration_id
        conditions.append(same if what.integration_id else row.integration_id.is_(None))
    if what.event_types:
        conditions.append(row.event_type.in_(what.event_types))
    if what.since is not None or what.until is not None:
        conditions += _within(connection, what.since, what.until)
    return conditions


def _within(connection: Connection, since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Conditions on time, and the bounds of id that they imply, so that reading can begin and end there.

    The clock may have been wrong for a while, so the bounds are the true ones over all lines of the range.
    """
    row = IntegrationLog
    # A function of the column: the range of ids is the quicker way in, whatever the planner believes.
    moment = func.coalesce(row.created_at, row.created_at, type_=row.created_at.type)
    # "+ 0" keeps PostgreSQL from walking the whole key for the first line within the range.
    id_as_value = row.id + 0
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        lowest = connection.execute(select(func.min(id_as_value)).where(row.created_at >= since)).scalar()
        conditions += [moment >= since, row.id >= lowest] if lowest is not None else [false()]
    if until is not None:
        highest = connection.execute(select(func.max(id_as_value)).where(row.created_at < until)).scalar()
        conditions += [moment < until, row.id <= highest] if highest is not None else [false()]
    return conditions


def _floor(connection: Connection, conditions: list[ColumnElement[bool]], count: int) -> int | None:
    """The id of the ``count``-th newest line; None where there are fewer."""
    ids = select(IntegrationLog.id).where(*conditions).order_by(IntegrationLog.id.desc())
    return connection.execute(ids.offset(count - 1).limit(1)).scalar()


def _lines(connection: Connection, conditions: list[ColumnElement[bool]], limit: int) -> list[LogLine]:
    query = select(*_columns).where(*conditions).order_by(IntegrationLog.id.desc()).limit(limit)
    return [LogLine(*row) for row in connection.execute(query)]


def _older_lines(
    connection: Connection, texts: Sequence[str], floor: int, conditions: list[ColumnElement[bool]], limit: int
) -> list[LogLine]:
    """Lines below the id ``floor``, by way of those that hold every trigram of ``texts``."""
    if connection.dialect.name == "postgresql":
        trigrams = func.log_trigrams(IntegrationLog.text)
        holds = [trigrams.op("@>")(func.log_trigrams(text)) for text in texts]
        return _lines(connection, [*conditions, IntegrationLog.id < floor, *holds], limit)
    match = " ".join(_match(text) for text in texts)
    query = (
        select(*_columns)
        .join_from(_search, IntegrationLog, IntegrationLog.id == _search.c.rowid)
        .where(_search.c.integration_logs_search.op("MATCH")(match), _search.c.rowid < floor, *conditions)
        .order_by(_search.c.rowid.desc())
        .limit(limit)
    )
    return [LogLine(*row) for row in connection.execute(query)]


def _match(text: str) -> str:
    """SQLite's query for all trigrams of ``text``. Every third one and the last cover it."""
    starts = {*range(0, len(text) - 2, 3), len(text) - 3}
    return " ".join('"' + text[start : start + 3].replace('"', '""') + '"' for start in sorted(starts))
