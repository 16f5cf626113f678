"""The last lines of this program's log, for a look without a file manager."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.primitives import IconButton, SearchField, text_label
from widgets.theme import Theme, mono_font

POLL_MS = 500
LINES_SHOWN = 2_000


class LogPanel(QWidget):
    """``lines`` gives the newest lines, oldest first, already without secrets; it is asked only while shown."""

    closed = Signal()

    def __init__(self, theme: Theme, lines: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self._lines = lines
        self._shown: list[str] = []
        self.setProperty("surface", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 8, 8)
        column.setSpacing(6)
        top = QHBoxLayout()
        top.addWidget(text_label(tr("Log"), "card-title"))
        self.search = SearchField(theme, tr("Show lines with…"))
        self.search.setMaximumWidth(320)
        self.search.searched.connect(self._on_searched)
        top.addSpacing(12)
        top.addWidget(self.search, 1)
        top.addStretch(1)
        copy = IconButton(theme, "copy", tr("Copy these lines"), color="muted")
        copy.clicked.connect(self._on_copy_clicked)
        close = IconButton(theme, "x", tr("Hide the log"), color="muted")
        close.clicked.connect(self.closed)
        top.addWidget(copy)
        top.addWidget(close)
        column.addLayout(top)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setProperty("quiet", "true")
        self.text.setFont(mono_font())
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setMaximumBlockCount(LINES_SHOWN)
        self.text.setAccessibleName(tr("Log lines"))
        column.addWidget(self.text, 1)
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._read)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._read()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def _on_searched(self, _text: str) -> None:
        self._shown = []
        self.text.clear()
        self._read()

    def _on_copy_clicked(self) -> None:
        QApplication.clipboard().setText("\n".join(self._shown))

    def _read(self) -> None:
        words = self.search.text().casefold().split()
        lines = [line for line in self._lines() if all(word in line.casefold() for word in words)][-LINES_SHOWN:]
        if lines == self._shown:
            return
        bar = self.text.verticalScrollBar()
        is_at_end = bar.value() >= bar.maximum() - 2
        new = _after(self._shown, lines)
        if new is None:
            self.text.setPlainText("\n".join(lines))
        else:
            self.text.appendPlainText("\n".join(new))
        self._shown = lines
        if is_at_end:
            bar.setValue(bar.maximum())


def _after(shown: list[str], lines: list[str]) -> list[str] | None:
    """The lines that came after those shown, or None where the two do not join."""
    if not shown:
        return None
    last = shown[-1]
    for place in range(len(lines) - 1, -1, -1):
        if lines[place] == last and lines[max(0, place - 5) : place + 1] == shown[-min(6, place + 1) :]:
            return lines[place + 1 :]
    return None
