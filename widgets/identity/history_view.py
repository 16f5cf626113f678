"""What was joined, split, declined and undone, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.identity.listing import ActListing, list_acts
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.identity import words
from widgets.primitives import outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level

MOST_ROWS = 1_000


class HistoryView(QWidget):
    """``undo_wanted`` carries an act, and whether all that was done with it in one go is meant."""

    undo_wanted = Signal(object, bool)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        model = RowsModel[ActListing](_columns(context), key=lambda row: row.id)
        self.table = DataTable[ActListing](context.theme, model, tr("History"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "identity.history")
        self.table.set_empty("history", tr("Nothing was decided yet"), tr("Every decision stands here, to be undone."))
        self.undo = outline_button(context.theme, tr("Undo"), "rotate-ccw")
        self.undo_all = outline_button(context.theme, "", "rotate-ccw")
        self.note = text_label(tr("Choose what to undo."), "small")
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.undo)
        foot.addWidget(self.undo_all)
        foot.addWidget(self.note)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(in_card(self.table), 1)
        column.addLayout(foot)
        self.table.selected.connect(self._on_selected)
        self.undo.clicked.connect(lambda: self._emit(is_batch=False))
        self.undo_all.clicked.connect(lambda: self._emit(is_batch=True))
        self._on_selected([])

    def read(self, connection: Connection, kind: str) -> list[ActListing]:
        return list_acts(connection, kind=kind, limit=MOST_ROWS)

    def show_rows(self, rows: Sequence[ActListing]) -> None:
        self.table.model.apply(rows)
        self._on_selected(self.table.selected_rows())

    def _on_selected(self, rows: Sequence[ActListing]) -> None:
        row = rows[0] if rows else None
        together = [one for one in self.table.model.rows if row and one.batch_id == row.batch_id and not one.is_undone]
        can_undo = row is not None and not row.is_undone
        self.undo.setEnabled(can_undo)
        self.undo_all.setVisible(can_undo and len(together) > 1)
        self.undo_all.setText(trn("Undo {count} act", "Undo all {count} done together", len(together)))
        is_undone = row is not None and row.is_undone
        said = tr("This was undone. To do it again, undo its undoing.") if is_undone else tr("Choose what to undo.")
        self.note.setText("" if can_undo else said)

    def _emit(self, *, is_batch: bool) -> None:
        rows = self.table.selected_rows()
        if rows:
            self.undo_wanted.emit(rows[0], is_batch)


def _columns(context: ConsoleContext) -> list[Column[ActListing]]:
    formats = context.formats

    def state(row: ActListing) -> tuple[Level, str]:
        return ("neutral", tr("Taken back")) if row.is_undone else words.ACTS[row.act]

    return [
        Column("act", tr("Decision"), lambda row: state(row)[1], badge=state, width=130),
        Column("what", tr("What"), lambda row: row.subject, tooltip=lambda row: plain_tip(row.subject), width=520),
        Column("who", tr("Who"), lambda row: row.who, width=150),
        Column(
            "at", tr("When"), lambda row: formats.clock(row.at), lambda row: -row.at.timestamp(), width=150,
            note=formats.zone_name, export=lambda row: formats.time(row.at),
        ),
    ]  # fmt: skip
