"""The table of what waits: what, for whom, how far it is, what was answered, when it is tried next."""

from __future__ import annotations

from app.clock import from_ms
from app.sync.listing import OutboxRow
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.sync import words


class OutboxTable(DataTable[OutboxRow]):
    def __init__(self, context: ConsoleContext, title: str, name: str) -> None:
        model = RowsModel[OutboxRow](_columns(context), key=lambda row: row.id)
        super().__init__(context.theme, model, title, multiple=True)
        model.setParent(self)
        self.remember_in(context.ui_state, name)


def _columns(context: ConsoleContext) -> list[Column[OutboxRow]]:
    formats, now_ms = context.formats, context.services.clock.now_ms
    return [
        Column("for", tr("For"), lambda row: row.subject, tooltip=lambda row: plain_tip(row.subject), width=228),
        Column("what", tr("What"), lambda row: row.what, tooltip=lambda row: plain_tip(row.what), width=188),
        Column(
            "state",
            tr("State"),
            lambda row: words.state_badge(row)[1],
            badge=words.state_badge,
            width=138,
        ),
        Column(
            "tries",
            tr("Tries"),
            lambda row: f"{row.tries:,}" if row.tries else "",
            lambda row: row.tries,
            align="right",
            width=54,
            export=lambda row: row.tries,
        ),
        Column(
            "age",
            tr("Age"),
            lambda row: formats.span(max(0.0, now_ms() / 1000 - row.created_at.timestamp())),
            lambda row: -row.created_at.timestamp(),
            tooltip=lambda row: formats.time(row.created_at),
            align="right",
            width=92,
        ),
        Column(
            "next",
            tr("Next try"),
            lambda row: words.next_try(row, formats, from_ms(now_ms())),
            lambda row: row.next_try.timestamp() if row.next_try is not None else None,
            width=104,
        ),
        Column(
            "answer",
            tr("Last answer"),
            lambda row: " ".join(row.last_answer.split()),
            tooltip=lambda row: plain_tip(row.last_answer),
            width=198,
        ),
        Column("integration", tr("Integration"), lambda row: row.integration, width=150, is_shown=False),
        Column("by", tr("By"), lambda row: row.created_by, width=110, is_shown=False),
        Column(
            "made",
            tr("Made"),
            lambda row: formats.clock(row.created_at),
            lambda row: row.created_at.timestamp(),
            width=130,
            is_shown=False,
            note=formats.zone_name,
            export=lambda row: formats.time(row.created_at),
        ),
        Column(
            "seq", tr("Number"), lambda row: f"{row.seq}", lambda row: row.seq, align="right", width=80, is_shown=False
        ),
    ]
