"""Choosing some of many by ticking them: the vehicles and the fences that a rule is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from resources.i18n import tr, trn
from widgets.primitives import SearchField, labelled, text_label
from widgets.theme import Theme

LIST_HEIGHT_PX = 164
_ID = Qt.ItemDataRole.UserRole.value


class Picker(QWidget):
    """All of them, or the ticked ones. What was chosen and is gone meanwhile stays chosen, named by its id."""

    changed = Signal()

    def __init__(self, theme: Theme, title: str, all_words: str, entries: Sequence[tuple[str, str]]) -> None:
        """``entries`` are (id, name) pairs."""
        super().__init__()
        self.setAccessibleName(title)
        self.every = QRadioButton(all_words)
        self.some = QRadioButton(tr("Only these"))
        self.count = text_label("", "small")
        self.search = SearchField(theme, tr("Find…"))
        self.list = QListWidget()
        group = QButtonGroup(self)
        group.addButton(self.every)
        group.addButton(self.some)
        self.every.setChecked(True)
        labelled(self.list, title)
        self.list.setFixedHeight(LIST_HEIGHT_PX)
        self.list.setProperty("ticks", "true")
        for key, name in entries:
            self._add(key, name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(text_label(title, "strong"))
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(self.every)
        row.addWidget(self.some)
        row.addWidget(self.count)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self.search)
        column.addWidget(self.list)
        self.some.toggled.connect(self._on_toggled)
        self.search.searched.connect(self._on_searched)
        self.list.itemChanged.connect(self._on_ticked)
        self._on_toggled()

    def value(self) -> list[str]:
        """The ids that are ticked; none for all."""
        if self.every.isChecked():
            return []
        return [str(item.data(_ID)) for item in self._items() if item.checkState() == Qt.CheckState.Checked]

    def set_value(self, ids: Iterable[str]) -> None:
        wanted = list(ids)
        known = {str(item.data(_ID)) for item in self._items()}
        for one in wanted:
            if one not in known:
                self._add(one, tr("{id} (not there any more)", id=one))
        for item in self._items():
            is_wanted = item.data(_ID) in wanted
            item.setCheckState(Qt.CheckState.Checked if is_wanted else Qt.CheckState.Unchecked)
        (self.some if wanted else self.every).setChecked(True)
        self._on_ticked()

    def fault(self) -> str:
        """What is wrong with the choice, "" for nothing."""
        return tr("Tick at least one, or choose all.") if self.some.isChecked() and not self.value() else ""

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(at) for at in range(self.list.count())]

    def _add(self, key: str, name: str) -> None:
        item = QListWidgetItem(name)
        item.setData(_ID, key)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Unchecked)
        self.list.addItem(item)

    def _on_toggled(self, *_on: object) -> None:
        is_some = self.some.isChecked()
        self.search.setVisible(is_some and self.list.count() > 8)
        self.list.setVisible(is_some)
        self._on_ticked()

    def _on_ticked(self, *_item: object) -> None:
        count = len(self.value())
        self.count.setText(trn("{count} chosen", "{count} chosen", count) if self.some.isChecked() else "")
        self.changed.emit()

    def _on_searched(self, text: str) -> None:
        wanted = text.casefold().split()
        for item in self._items():
            name = item.text().casefold()
            item.setHidden(not all(word in name for word in wanted))
