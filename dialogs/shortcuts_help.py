"""Every keyboard shortcut, by group, from the one list there is."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.primitives import Badge, primary_button, text_label
from widgets.shortcuts import PAGE_SHORTCUTS, Shortcut
from widgets.theme import Theme

MARGIN = 24


class ShortcutsHelp(QDialog):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        self.resize(520, 620)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Keyboard shortcuts"), "heading"))
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        host = QWidget()
        host.setProperty("surface", "clear")
        grid = QGridLayout(host)
        grid.setContentsMargins(0, 0, 8, 0)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(0, 1)
        row = 0
        for group, shortcuts in groupby(Shortcut, key=lambda shortcut: shortcut.group):
            grid.addWidget(text_label(tr(group), "muted"), row, 0)
            row += 1
            for shortcut in shortcuts:
                if shortcut in PAGE_SHORTCUTS[1:]:
                    continue  # the first row of them stands for all
                first, last = PAGE_SHORTCUTS[0], PAGE_SHORTCUTS[-1]
                keys = shortcut.label if shortcut is not first else f"{first.label} … {last.label}"
                meaning = shortcut.meaning if shortcut is not first else "First to tenth page of the side bar"
                grid.addWidget(text_label(tr(meaning)), row, 0)
                grid.addWidget(Badge(keys), row, 1, Qt.AlignmentFlag.AlignRight)
                row += 1
        grid.setRowStretch(row, 1)
        area.setWidget(host)
        column.addWidget(area, 1)
        column.addWidget(text_label(tr("Tab moves between parts, the arrow keys move within them."), "small"))
        close = primary_button(theme, tr("Close"))
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        column.addLayout(buttons)
