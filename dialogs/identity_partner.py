"""Finding the record that is the same as a given one, among all that are there now."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.identity.kinds import Known, find_records
from app.store.errors import StoreError
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.identity.words import ONE_OF, facts_of, source_word
from widgets.primitives import SearchField, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

FOUND = 200
SIZE = (720, 560)


async def find_partner(
    context: ConsoleContext, parent: QWidget, kind: str, name: str, records: Sequence[Known]
) -> Known | None:
    """Ask which record is the same as these; None when cancelled."""
    dialog = PartnerDialog(context, parent, kind, name, records)
    QTimer.singleShot(0, dialog.search_now)
    return dialog.chosen if await ask.run(dialog) else None


class PartnerDialog(QDialog):
    """``chosen`` is the record that is picked."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, kind: str, name: str, records: Sequence[Known]
    ) -> None:
        super().__init__(parent)
        theme = context.theme
        self._context = context
        self._kind = kind
        self._own = {record.id for record in records}
        self.chosen: Known | None = None
        self.setWindowTitle(tr("Find its partner"))
        self.resize(*SIZE)
        self.search = SearchField(theme, tr("Name or code…"))
        self.search.setText(_first_words(name))
        model = RowsModel[Known](_columns(kind), key=lambda row: row.id)
        self.table = DataTable[Known](theme, model, tr("Records"))
        model.setParent(self.table)
        self.table.set_empty("search", tr("Nothing holds these words"), tr("Try one word of the name, or the code."))
        self.join = primary_button(theme, tr("They are the same"), "check")
        self.join.setEnabled(False)
        self.cancel = outline_button(theme, tr("Cancel"))
        column = QVBoxLayout(self)
        margin = ask.DIALOG_MARGIN
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Which {kind} is the same?", kind=ONE_OF[kind]), "heading"))
        own = ", ".join(f"{record.label} ({source_word(record)})" for record in records[:3])
        column.addWidget(text_label(own, "muted", wrap=True, selectable=True))
        column.addWidget(self.search)
        column.addWidget(in_card(self.table), 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.join)
        column.addLayout(buttons)
        self.search.searched.connect(lambda _text: self.search_now())
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(self._take)
        self.join.clicked.connect(lambda: self._take(self.chosen))
        self.cancel.clicked.connect(self.reject)
        self.search.setFocus()

    def search_now(self) -> None:
        self._context.tasks.start(self._search(self.search.text()), name="find a partner", owner=self)

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    async def _search(self, text: str) -> None:
        limit = FOUND + len(self._own)
        try:
            rows = await self._context.bridge.read(partial(find_records, kind=self._kind, text=text, limit=limit))
        except StoreError as err:
            self._context.notify("warn", err.why)
            return
        if text == self.search.text():
            self.table.model.apply([row for row in rows if row.id not in self._own][:FOUND])

    def _on_selected(self, rows: Sequence[Known]) -> None:
        self.chosen = rows[0] if rows else None
        self.join.setEnabled(bool(rows))

    def _take(self, row: Known | None) -> None:
        if row is not None:
            self.chosen = row
            self.accept()


def _first_words(name: str) -> str:
    """What to look for first: the longest word finds the thing in whatever order its name is written."""
    return max(name.split(), key=len, default="")


def _columns(kind: str) -> list[Column[Known]]:
    return [
        Column("name", tr("Name"), lambda row: row.label, width=300),
        Column("code", tr("Code"), lambda row: row.code, width=110),
        Column("source", tr("System"), source_word, width=130),
        Column("more", tr("More"), lambda row: ", ".join(v for _k, v in facts_of(kind, row)[1:-1] if v), width=140),
    ]
