"""Choosing the batch that a shipment travels in, by name, day, driver or plate."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.deliveries.batches import BatchFilter, BatchListing, page_of_batches
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.deliveries import words
from widgets.primitives import SearchField, exact_height, labelled, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

SIZE_PX = (760, 560)
MOST = 200
"""The newest days; whoever looks for an earlier batch types its name, driver or plate."""
MOST_CHARS = 2_000


async def choose_batch(
    context: ConsoleContext, parent: QWidget, title: str, taken: tuple[str, ...] = ()
) -> tuple[str, str] | None:
    """(id of the row, reason) of the batch that was chosen, None when cancelled. ``taken`` are not offered."""
    dialog = ChooseBatchDialog(context, parent, title, taken)
    await dialog.refresh()
    try:
        chosen = await ask.run(dialog)
    finally:
        context.tasks.cancel_owner(dialog)
    batch = dialog.batch
    return (batch.id, dialog.reason()) if chosen and batch is not None else None


class ChooseBatchDialog(QDialog):
    """The newest first; Enter or a double click on a row chooses it."""

    def __init__(self, context: ConsoleContext, parent: QWidget, title: str, taken: tuple[str, ...]) -> None:
        super().__init__(parent)
        self._context, self._taken = context, frozenset(taken)
        theme = context.theme
        self.setWindowTitle(tr("Join with a batch"))
        self.resize(*SIZE_PX)
        self.search = SearchField(theme, tr("Batch, driver, plate…"))
        model = RowsModel[BatchListing](_columns(), key=lambda row: row.id)
        self.table = DataTable[BatchListing](theme, model, tr("Batches"))
        model.setParent(self.table)
        self.table.set_empty("route", tr("No batch found"), tr("No other batch is known, or none fits the search."))
        self.why = QLineEdit()
        self.why.setMaxLength(MOST_CHARS)
        self.why.setPlaceholderText(tr("May stay empty"))
        self.join = primary_button(theme, tr("Join"), "plus")
        self.cancel = outline_button(theme, tr("Cancel"))
        self._lay_out(title)
        self.search.searched.connect(self._on_searched)
        self.table.selected.connect(lambda rows: self.join.setEnabled(bool(rows)))
        self.table.activated.connect(lambda _row: self.accept())
        self.join.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        for button in (self.join, self.cancel):  # Enter in the search searches
            button.setAutoDefault(False)
        self.join.setEnabled(False)
        self.search.setFocus()

    def _lay_out(self, title: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(10)
        column.addWidget(text_label(title, "heading", wrap=True))
        meaning = tr("What is joined by hand is never touched by the rules, and can be taken back.")
        column.addWidget(exact_height(text_label(meaning, "muted", wrap=True)))
        column.addWidget(self.search)
        column.addWidget(in_card(self.table), 1)
        name = tr("Why (for the record)")
        labelled(self.why, name)
        label = text_label(name, "strong")
        label.setBuddy(self.why)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(label)
        row.addWidget(self.why, 1)
        row.addWidget(self.cancel)
        row.addWidget(self.join)
        column.addLayout(row)

    @property
    def batch(self) -> BatchListing | None:
        rows = self.table.selected_rows()
        return rows[0] if rows else None

    def reason(self) -> str:
        return " ".join(self.why.text().split())

    def _on_searched(self, _text: str) -> None:
        self._context.tasks.start(self.refresh(), name="search batches", owner=self)

    async def refresh(self) -> None:
        """Read the batches that the search asks for."""
        await self._context.quietly(self._read)

    async def _read(self) -> None:
        text = self.search.text()
        wanted = BatchFilter(words=tuple(text.split()))
        rows, _further = await self._context.bridge.read(partial(page_of_batches, wanted=wanted, limit=MOST))
        if text == self.search.text():
            self.table.model.apply(row for row in rows if row.id not in self._taken)


def _columns() -> list[Column[BatchListing]]:
    return [
        Column("day", tr("Day"), lambda row: row.scheduled_on or "", width=100),
        Column("name", tr("Batch"), lambda row: row.name, width=190),
        Column("state", tr("State"), lambda row: words.stage_pill(row)[1], badge=words.stage_pill, width=110),
        Column("driver", tr("Driver"), lambda row: row.driver_name, width=140),
        Column("plate", tr("Vehicle"), lambda row: row.plate, width=110),
        Column("source", tr("Told by"), lambda row: row.source, width=140, is_shown=False),
    ]
