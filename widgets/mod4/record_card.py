"""A card with a table of records and the acts on the chosen one, each on or off with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton

from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.primitives import Badge, Card, SearchField, outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Deed(Generic[R]):
    """One act. ``hindrance`` gives the reason why it cannot be done with a row, "" where it can."""

    key: str
    label: str
    icon: str
    hindrance: Callable[[R], str]


@dataclass(frozen=True, slots=True)
class CardText:
    """Title, and what stands in the table while it is empty. ``search`` is the field's hint, "" for none."""

    title: str
    icon: str
    empty: str
    hint: str
    search: str = ""


class RecordCard(Card, Generic[R]):
    """``deed_wanted`` carries an act's key and the row; ``searched`` the text to look for."""

    deed_wanted = Signal(str, object)
    searched = Signal(str)

    def __init__(
        self,
        context: ConsoleContext,
        key: str,
        text: CardText,
        columns: Sequence[Column[R]],
        identity: Callable[[R], Any],
        deeds: Sequence[Deed[R]],
        height: int,
    ) -> None:
        super().__init__(margin=16)
        self.key = key
        self._context = context
        theme = context.theme
        self.deeds = {deed.key: deed for deed in deeds}
        model = RowsModel[R](columns, key=identity)
        self.table = DataTable[R](theme, model, text.title)
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, f"mod4.{key}")
        self.table.set_empty(text.icon, text.empty, text.hint)
        self.table.setFixedHeight(height)
        self.badge = Badge("", "warn")
        self.badge.hide()
        self.search = SearchField(theme, text.search) if text.search else None
        self.buttons: dict[str, QPushButton] = {}
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(text_label(text.title, "card-title"), 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self.badge, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        for deed in deeds:
            button = outline_button(theme, deed.label, deed.icon, small=True)
            button.setEnabled(False)
            button.clicked.connect(lambda _on=False, key=deed.key: self._do(key))
            head.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
            self.buttons[deed.key] = button
        if self.search is not None:
            head.addWidget(self.search)
            self.search.searched.connect(self.searched)
        self.body.addLayout(head)
        self.body.addWidget(self.table)
        self.table.selected.connect(lambda _rows: self.show_deeds())
        self.table.menu_wanted.connect(self._open_menu)

    @property
    def row(self) -> R | None:
        """The chosen one."""
        rows = self.table.selected_rows()
        return rows[0] if rows else None

    def show_rows(self, rows: Sequence[R], badge: str = "") -> None:
        self.table.model.apply(rows)
        self.badge.setText(badge)
        self.badge.setVisible(bool(badge))
        self.show_deeds()

    def show_deeds(self) -> None:
        """Which acts the chosen row allows; the others say why not."""
        row = self.row
        for key, button in self.buttons.items():
            why = "" if row is None else self.deeds[key].hindrance(row)
            button.setEnabled(row is not None and not why)
            button.setToolTip(plain_tip(why))

    def reasons(self, row: R) -> Mapping[str, str]:
        """Why each act cannot be done with a row, "" for those that can."""
        return {key: deed.hindrance(row) for key, deed in self.deeds.items()}

    def _do(self, key: str) -> None:
        row = self.row
        if row is not None:
            self.deed_wanted.emit(key, row)

    def _open_menu(self, row: R, where: QPoint) -> None:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        for key, why in self.reasons(row).items():
            deed = self.deeds[key]
            action = menu.addAction(self._context.theme.icon(deed.icon), deed.label)
            action.setObjectName(key)
            action.setEnabled(not why)
            action.setToolTip(plain_tip(why))
            action.triggered.connect(lambda _on=False, key=key: self.deed_wanted.emit(key, row))
        menu.popup(where)

    def close_card(self) -> None:
        self._context.ui_state.unregister(f"mod4.{self.key}")
