"""The table of the calibration wizard: readings and litres, however they came, as cells that can be corrected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from app.fuel.errors import FuelError
from resources.i18n import tr

ROW_HEIGHT_PX = 34


class TankRows(QTableWidget):
    """Two columns. Cells are texts until they are asked for as numbers."""

    def __init__(self, unit: str) -> None:
        super().__init__(0, 2)
        reading = tr("Reading") if unit == "counts" else tr("Reading, {unit}", unit=unit)
        self.setHorizontalHeaderLabels([reading, tr("Litres")])
        for place in (0, 1):
            heading = self.horizontalHeaderItem(place)
            if heading is not None:
                heading.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT_PX)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAccessibleName(tr("The tank's table"))

    def cells(self) -> list[list[str]]:
        """What stands in the table, as it is written there."""
        items = [[self.item(at, place) for place in (0, 1)] for at in range(self.rowCount())]
        return [[item.text() if item is not None else "" for item in row] for row in items]

    def numbers(self) -> list[list[float]]:
        """The rows as numbers. Raises FuelError naming a cell that is none."""
        return [[_number(text, at) for text in row] for at, row in enumerate(self.cells(), start=1)]

    def show_numbers(self, rows: Sequence[Sequence[float]]) -> None:
        """Replace all rows, without a word about it."""
        was_blocked = self.blockSignals(True)
        self.setRowCount(0)
        for row in rows:
            self._append([f"{value:.12g}" for value in row[:2]])
        self.blockSignals(was_blocked)

    def add_empty(self) -> None:
        """A row to type in, its first cell open."""
        was_blocked = self.blockSignals(True)
        at = self._append(["", ""])
        self.blockSignals(was_blocked)
        self.setCurrentCell(at, 0)
        self.setFocus()
        self.edit(self.model().index(at, 0))

    def chosen_rows(self) -> list[int]:
        return sorted({index.row() for index in self.selectedIndexes()})

    def _append(self, texts: Sequence[str]) -> int:
        at = self.rowCount()
        self.setRowCount(at + 1)
        for place, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(at, place, item)
        return at


def _number(text: str, row: int) -> float:
    try:
        return float(text.replace(",", ".").replace(" ", ""))
    except ValueError:
        raise FuelError(tr("Row {row}: “{text}” is not a number.", row=row, text=text[:20])) from None
