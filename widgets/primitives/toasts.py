"""Short messages at the window's foot: a newer one replaces the older of the same level; errors stay until closed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.primitives.cards import text_label
from widgets.primitives.controls import IconButton
from widgets.theme import Level, Theme

SHOWN_MS = 6_000
WIDTH = 420
MARGIN = 20
_ICONS: dict[Level, str] = {
    "ok": "circle-check",
    "warn": "triangle-alert",
    "error": "circle-alert",
    "info": "info",
    "neutral": "info",
}


class ToastStrip(QWidget):
    """Lies over the lower right corner of ``host`` and follows its size."""

    def __init__(self, theme: Theme, host: QWidget) -> None:
        super().__init__(host)
        self._theme = theme
        self._host = host
        self._toasts: dict[Level, _Toast] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        host.installEventFilter(self)
        self.hide()

    def show_message(self, level: Level, text: str) -> None:
        """Show a plain-text sentence and have screen readers speak it."""
        if level in self._toasts:
            self._remove(level)
        toast = _Toast(self._theme, level, text)
        toast.closed.clicked.connect(lambda: self._remove(level))
        toast.timer.timeout.connect(lambda: self._remove(level))
        self._toasts[level] = toast
        self._column.addWidget(toast)
        self._place()
        self.show()
        self.raise_()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._host, text))

    def messages(self) -> list[tuple[Level, str]]:
        """What is shown, oldest first."""
        return [(level, toast.words.text()) for level, toast in self._toasts.items()]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def _remove(self, level: Level) -> None:
        toast = self._toasts.pop(level, None)
        if toast is None:
            return
        toast.timer.stop()
        self._column.removeWidget(toast)
        toast.hide()
        toast.deleteLater()
        self._place()
        self.setVisible(bool(self._toasts))

    def _place(self) -> None:
        width = min(WIDTH, self._host.width() - 2 * MARGIN)
        self.setFixedWidth(width)
        height = 0
        for toast in self._toasts.values():
            toast.setFixedHeight(toast.heightForWidth(width))
            height += toast.height() + self._column.spacing()
        height = max(0, height - self._column.spacing())
        self.setGeometry(self._host.width() - width - MARGIN, self._host.height() - height - MARGIN, width, height)


class _Toast(QFrame):
    def __init__(self, theme: Theme, level: Level, text: str) -> None:
        super().__init__()
        self.setProperty("toast", "true")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 8, 10)
        row.setSpacing(10)
        icon = QLabel()
        theme.follow(icon, _ICONS[level], level, 18)
        self.words = text_label(text, wrap=True, selectable=True)
        self.words.setAccessibleName(tr("Message: {text}", text=text))
        self.closed = IconButton(theme, "x", tr("Close this message"), color="muted", size=14)
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.words, 1)
        row.addWidget(self.closed, 0, Qt.AlignmentFlag.AlignVCenter)
        self.timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        if level != "error":
            self.timer.start()
