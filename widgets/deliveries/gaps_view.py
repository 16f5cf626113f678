"""Custody gaps: goods that are in nobody's hands as far as the records tell."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.deliveries.gaps import KINDS, Gap, custody_gaps
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import SearchField, offer, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel


class GapsView(QWidget):
    """``journey_wanted`` carries the id of the shipment or batch behind a gap; ``filtered`` asks for a new reading."""

    journey_wanted = Signal(str)
    filtered = Signal()

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        model = RowsModel[Gap](_columns(context), key=_key)
        self.table = DataTable[Gap](context.theme, model, tr("Custody gaps"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "deliveries.gaps")
        self.table.set_empty(
            "circle-check",
            tr("No gap in custody"),
            tr("What was shipped is in a batch, what left was shipped, and what was delivered was received."),
        )
        self.kinds = QComboBox()
        self.kinds.setAccessibleName(tr("Kind of gap"))
        offer(self.kinds, [("", tr("All kinds")), *KINDS.items()])
        self.count = text_label("", "muted")
        bar = QHBoxLayout()
        bar.setSpacing(10)
        self.search = SearchField(context.theme, tr("Shipment, batch, place…"))
        bar.addWidget(self.search)
        bar.addWidget(self.kinds)
        bar.addWidget(self.count)
        bar.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(bar)
        column.addWidget(in_card(self.table), 1)
        self.kinds.activated.connect(lambda _at: self.filtered.emit())
        self.search.searched.connect(model.set_filter)
        model.counted.connect(self._on_counted)
        self.table.activated.connect(self._open)

    def read(self, connection: Connection) -> list[Gap]:
        """Runs off the UI thread."""
        kind = self.kinds.currentData()
        return custody_gaps(connection, self._context.services.clock.now_ms(), kinds=[kind] if kind else ())

    def show_rows(self, gaps: Sequence[Gap]) -> None:
        self.table.model.apply(gaps)

    def _on_counted(self, shown: int, total: int) -> None:
        said = trn("{count} gap, the oldest first", "{count} gaps, the oldest first", shown)
        if shown < total:
            said = tr("{shown} of {total} gaps", shown=shown, total=total)
        self.count.setText(said if total else "")

    def _open(self, gap: Gap) -> None:
        record_id = gap.shipment_id or gap.batch_id
        if record_id:
            self.journey_wanted.emit(record_id)
        else:
            said = tr("{subject} has no journey: neither its shipment nor its batch is known here.",
                      subject=gap.subject)  # fmt: skip
            self._context.notify("info", said)

    async def refresh(self) -> None:
        self.show_rows(await self._context.bridge.read(self.read))

    def close_view(self) -> None:
        self._context.ui_state.unregister("deliveries.gaps")


def _key(gap: Gap) -> tuple[str, str, str, str]:
    return gap.kind, gap.shipment_id, gap.batch_id, gap.subject


def _columns(context: ConsoleContext) -> list[Column[Gap]]:
    formats, now_ms = context.formats, context.services.clock.now_ms

    def age(gap: Gap) -> str:
        return "" if gap.since_ms is None else formats.span(max(0.0, (now_ms() - gap.since_ms) / 1000))

    return [
        Column("kind", tr("Gap"), lambda gap: KINDS[gap.kind], badge=lambda gap: ("error", KINDS[gap.kind]), width=180),
        Column("subject", tr("What"), lambda gap: gap.subject, tooltip=lambda gap: plain_tip(gap.subject), width=300),
        Column("age", tr("For"), age, lambda gap: gap.since_ms, width=90, align="right"),
        Column("detail", tr("What is known"), lambda gap: gap.detail, tooltip=lambda gap: plain_tip(gap.detail),
               width=320),
        Column(
            "next", tr("What closes it"), lambda gap: gap.next_step, tooltip=lambda gap: plain_tip(gap.next_step),
            width=320,
        ),
    ]  # fmt: skip
