"""The log of integrations: runs, lost and returned connections, and what the engine did about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from app.store.logs import LogFilter, LogLine, search_logs
from app.store.tables import Integration, IntegrationLog
from resources.i18n import tr
from widgets.activity.view import Batch, Detail, View
from widgets.activity.wanted import Wanted
from widgets.activity.words import as_json, log_word, moment
from widgets.rows_model import Column

RUNS = ("sync_success", "sync_error", "sync_skipped", "sync_postponed")
ENDED = ("sync_success", "sync_error")
GROUPS: Mapping[str, Sequence[str]] = {
    "": (),
    "runs": RUNS,
    "failures": (
        "sync_error",
        "peer_lost",
        "store_refused",
        "sign_in",
        "misconfigured",
        "unsupported",
        "defect",
    ),
    "connections": ("peer_lost", "peer_returned"),
    "store": ("store_refused", "store_returned", "store_recovered", "clock_jumped"),
}


class LogView(View[LogLine]):
    key = "log"
    title = tr("Log")
    topics = frozenset({"logs"})
    kinds = (
        ("", tr("Every kind")),
        ("runs", tr("Runs")),
        ("failures", tr("Failures")),
        ("connections", tr("Connections")),
        ("store", tr("Store and clock")),
    )
    empty = (
        "scroll-text",
        tr("The log is empty"),
        tr("Every run of an integration, and every loss and return of a connection, is written here."),
    )

    def columns(self) -> Sequence[Column[LogLine]]:
        formats = self.formats
        return (
            Column(
                "time",
                tr("Time"),
                lambda line: moment(formats, line.created_at),
                lambda line: line.id,
                tooltip=lambda line: formats.time(line.created_at),
                export=lambda line: formats.time(line.created_at),
                width=132,
                note=formats.zone_name,
            ),
            Column(
                "kind",
                tr("What"),
                lambda line: log_word(line.event_type)[1],
                badge=lambda line: log_word(line.event_type),
                width=156,
            ),
            Column("integration", tr("Integration"), self._integration, width=140),
            Column("id", tr("Number"), lambda line: f"#{line.id}", align="right", is_shown=False, width=90),
            Column("event_type", tr("Type"), lambda line: line.event_type, is_mono=True, is_shown=False, width=150),
            Column("text", tr("Text"), lambda line: line.text, tooltip=lambda line: line.text, width=160),
        )

    def _integration(self, line: LogLine) -> str:
        return self.names.integration(line.integration_id)

    def key_of(self, row: LogLine) -> int:
        return row.id

    def older_than(self, row: LogLine) -> int:
        return row.id

    def read(
        self, connection: Connection, wanted: Wanted, *, limit: int, older: Any = None, newest: LogLine | None = None
    ) -> Batch[LogLine]:
        if wanted.last_only:
            return Batch(last_runs(connection, wanted))
        what = LogFilter(
            integration_id=wanted.integration_id,
            event_types=GROUPS[wanted.kind],
            since=wanted.since,
            until=wanted.until,
            id=wanted.number,
            words=wanted.words,
        )
        newer = None if newest is None else newest.id
        page = search_logs(connection, what, limit=limit, older_than=older, newer_than=newer)
        return Batch(page.lines, page.older_than)

    def detail(self, row: LogLine) -> Detail:
        level, word = log_word(row.event_type)
        return Detail(
            heading=row.text or word,
            subtitle="",
            level=level,
            word=word,
            facts=(
                (tr("Time"), self.formats.time(row.created_at)),
                (tr("Integration"), self.names.integration(row.integration_id)),
                (tr("Type"), row.event_type),
                (tr("Number"), f"#{row.id}"),
            ),
            texts=((tr("Payload"), as_json(row.payload)),) if row.payload else (),
            acts=(("integration", tr("Integration"), "plug"),) if row.integration_id else (),
        )


def last_runs(connection: Connection, wanted: Wanted) -> list[LogLine]:
    """The last ended run of each integration, newest first, as far as it is wanted."""
    ids = [wanted.integration_id]
    if wanted.integration_id is None:
        ids = list(connection.execute(select(Integration.id)).scalars())
    found = filter(None, (_last_run(connection, one) for one in ids))
    lines = [line for number in found for line in search_logs(connection, LogFilter(id=number)).lines]
    return sorted((line for line in lines if _is_wanted(line, wanted)), key=lambda line: line.id, reverse=True)


def _last_run(connection: Connection, integration_id: str | None) -> int:
    """The number of its last run, 0 without one; one look into the index per kind, where grouping reads every line."""
    log = IntegrationLog
    mine = log.integration_id == integration_id
    queries = [select(func.max(log.id)).where(mine, log.event_type == kind) for kind in ENDED]
    return max(connection.execute(query).scalar() or 0 for query in queries)


def _is_wanted(line: LogLine, wanted: Wanted) -> bool:
    text, types = line.text.casefold(), GROUPS[wanted.kind]
    return (
        all(word.casefold() in text for word in wanted.words)
        and (not types or line.event_type in types)
        and (wanted.number is None or line.id == wanted.number)
        and (wanted.since is None or line.created_at >= wanted.since)
        and (wanted.until is None or line.created_at < wanted.until)
    )
