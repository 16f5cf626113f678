"""Records set aside: unreadable or refused, with why, and a sample of what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from app.store.tables import RejectedRecord
from resources.i18n import tr
from widgets.activity.view import Batch, Detail, View
from widgets.activity.wanted import Wanted
from widgets.activity.words import moment
from widgets.rows_model import Column


@dataclass(frozen=True, slots=True)
class RejectedRow:
    id: int
    at: datetime
    integration_id: str
    record_key: str
    why: str
    sample: str


_COLUMNS = (
    RejectedRecord.id,
    RejectedRecord.at,
    RejectedRecord.integration_id,
    RejectedRecord.record_key,
    RejectedRecord.why,
    RejectedRecord.sample,
)


class RejectedView(View[RejectedRow]):
    key = "rejected"
    title = tr("Set aside")
    topics = frozenset({"logs", "integration_states", "positions"})  # what is set aside has no topic of its own
    empty = (
        "circle-check-big",
        tr("Nothing was set aside"),
        tr("A record that cannot be read or is refused is kept here, and never holds up the others."),
    )

    def columns(self) -> Sequence[Column[RejectedRow]]:
        formats = self.formats
        return (
            Column(
                "time",
                tr("Time"),
                lambda row: moment(formats, row.at),
                lambda row: row.id,
                tooltip=lambda row: formats.time(row.at),
                export=lambda row: formats.time(row.at),
                width=132,
                note=formats.zone_name,
            ),
            Column("integration", tr("Integration"), lambda row: self.names.integration(row.integration_id), width=140),
            Column("record", tr("Record"), lambda row: row.record_key, is_mono=True, width=200),
            Column("id", tr("Number"), lambda row: f"#{row.id}", align="right", is_shown=False, width=90),
            Column("sample", tr("Sample"), lambda row: row.sample, is_mono=True, is_shown=False, width=240),
            Column("why", tr("Why"), lambda row: row.why, tooltip=lambda row: row.why, width=160),
        )

    def key_of(self, row: RejectedRow) -> int:
        return row.id

    def older_than(self, row: RejectedRow) -> int:
        return row.id

    def read(
        self,
        connection: Connection,
        wanted: Wanted,
        *,
        limit: int,
        older: Any = None,
        newest: RejectedRow | None = None,
    ) -> Batch[RejectedRow]:
        record = RejectedRecord
        query = select(*_COLUMNS).order_by(record.id.desc()).limit(limit)
        for word in wanted.words:
            fields = (record.why, record.record_key, record.sample)
            query = query.where(or_(*(field.icontains(word, autoescape=True) for field in fields)))
        if older is not None:
            query = query.where(record.id < older)
        if newest is not None:
            query = query.where(record.id > newest.id)
        if wanted.number is not None:
            query = query.where(record.id == wanted.number)
        if wanted.integration_id is not None:
            query = query.where(record.integration_id == wanted.integration_id)
        if wanted.since is not None:
            query = query.where(record.at >= wanted.since)
        if wanted.until is not None:
            query = query.where(record.at < wanted.until)
        rows = [RejectedRow(*row) for row in connection.execute(query)]
        return Batch(rows, rows[-1].id if len(rows) == limit else None)

    def detail(self, row: RejectedRow) -> Detail:
        return Detail(
            heading=row.why,
            subtitle=row.record_key,
            level="warn",
            word=tr("Set aside"),
            facts=(
                (tr("Time"), self.formats.time(row.at)),
                (tr("Integration"), self.names.integration(row.integration_id)),
                (tr("Record"), row.record_key),
                (tr("Number"), f"#{row.id}"),
            ),
            texts=((tr("Sample"), row.sample),) if row.sample else (),
            acts=(("integration", tr("Integration"), "plug"),),
        )

    def counts(self, connection: Connection) -> Mapping[str, int]:
        record = RejectedRecord
        query = select(record.integration_id, func.count()).group_by(record.integration_id)
        return {str(integration_id): int(count) for integration_id, count in connection.execute(query)}
