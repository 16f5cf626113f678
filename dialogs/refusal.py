"""Why the window does not open: one sentence with the next step, that can be copied."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout

from resources.i18n import tr
from widgets.primitives import primary_button, text_label
from widgets.theme import Theme

MARGIN = 24


class RefusalDialog(QDialog):
    def __init__(self, theme: Theme, why: str) -> None:
        super().__init__()
        self.setWindowTitle(tr("BIKO depot console"))
        self.setMinimumWidth(480)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(16)
        column.addWidget(text_label(tr("The console cannot open"), "heading"))
        column.addWidget(text_label(why, wrap=True, selectable=True))
        row = QHBoxLayout()
        row.addStretch(1)
        close = primary_button(theme, tr("Close"))
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)
