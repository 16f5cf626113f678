"""Conflicts: the list at the left, the two sides of the chosen one at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.sync.conflict_list import ConflictListing, list_conflicts
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import SegmentedTabs
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.sync import words
from widgets.sync.compare import ComparePanel

MOST_ROWS = 1_000
OPEN, ALL = "open", "all"
LIST_WIDTH = 500


class ConflictsView(QWidget):
    """``changed`` asks the page to read again; ``decided`` and ``undone`` carry the conflict."""

    changed = Signal()
    decided = Signal(object, str, object)
    undone = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self.which = SegmentedTabs([(OPEN, tr("To decide")), (ALL, tr("All"))])
        model = RowsModel[ConflictListing](_columns(context), key=lambda row: row.id)
        self.table = DataTable[ConflictListing](context.theme, model, tr("Conflicts"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "sync.conflicts")
        self.table.set_empty(
            "circle-check",
            tr("No conflicts"),
            tr("Where a field was changed here and at the other side, both values wait here for a decision."),
        )
        self.compare = ComparePanel(context)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        bar = QHBoxLayout()
        bar.addWidget(self.which)
        bar.addStretch(1)
        column.addLayout(bar)
        row = QHBoxLayout()
        row.setSpacing(16)
        card = in_card(self.table)
        card.setMinimumWidth(LIST_WIDTH - 120)
        row.addWidget(card, 5)
        row.addWidget(self.compare, 6)
        column.addLayout(row, 1)
        self.which.chosen.connect(lambda _value: self.changed.emit())
        self.table.selected.connect(self._on_selected)
        self.compare.decided.connect(self._on_decided)
        self.compare.undone.connect(self._on_undone)

    def read(self, connection: Connection) -> list[ConflictListing]:
        """What the list shows; the chosen one stays in it after its decision."""
        state = "" if self.which.value == ALL else OPEN
        rows = list_conflicts(connection, state=state, limit=MOST_ROWS)
        chosen = self.compare.row
        if chosen is not None and all(row.id != chosen.id for row in rows):
            rows += [row for row in list_conflicts(connection, limit=MOST_ROWS) if row.id == chosen.id]
        return rows

    def show_rows(self, rows: Sequence[ConflictListing]) -> None:
        self.table.model.apply(rows)
        chosen = self.compare.row
        if chosen is not None:
            self.compare.show_conflict(next((row for row in rows if row.id == chosen.id), None))
        elif rows:
            self.table.select_key(self.table.model.rows[0].id)

    def select_for(self, outbox_id: str) -> None:
        """Choose the conflict about one change."""
        for row in self.table.model.rows:
            if row.outbox_id == outbox_id:
                self.table.select_key(row.id)

    def _on_selected(self, rows: Sequence[ConflictListing]) -> None:
        if rows:
            self.compare.show_conflict(rows[0])

    def _on_decided(self, keep: str, values: object) -> None:
        if self.compare.row is not None:
            self.decided.emit(self.compare.row, keep, values)

    def _on_undone(self) -> None:
        if self.compare.row is not None:
            self.undone.emit(self.compare.row)


def _columns(context: ConsoleContext) -> list[Column[ConflictListing]]:
    formats = context.formats
    return [
        Column("for", tr("For"), lambda row: row.subject, tooltip=lambda row: plain_tip(row.what), width=280),
        Column("state", tr("State"), lambda row: words.conflict_badge(row)[1], badge=words.conflict_badge, width=108),
        Column(
            "found",
            tr("Found"),
            lambda row: formats.clock(row.detected_at),
            lambda row: -row.detected_at.timestamp(),
            width=112,
            note=formats.zone_name,
            export=lambda row: formats.time(row.detected_at),
        ),
        Column("what", tr("Both values"), lambda row: row.what, width=300, is_shown=False),
        Column("ours_by", tr("Ours by"), lambda row: row.ours_by, width=110, is_shown=False),
        Column("resolved_by", tr("Decided by"), lambda row: row.resolved_by, width=120, is_shown=False),
    ]
