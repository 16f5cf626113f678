"""The icon beside the system's clock: the program's own, with the shape and colour of the worst state."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QMenu, QSystemTrayIcon, QWidget

from resources import resource_text
from resources.i18n import tr
from widgets.primitives import paint_shape
from widgets.theme import Level, Theme, render_svg

SIDE = 64


class Tray(QObject):
    """Nothing is shown where the desktop has no tray; everything else works without it."""

    show_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = QSystemTrayIcon(self)
        self._menu = QMenu(parent)
        self._menu.addAction(tr("Show the console")).triggered.connect(self.show_wanted)
        self._menu.addAction(tr("Close the console")).triggered.connect(self.close_wanted)
        self._icon.setContextMenu(self._menu)
        self._icon.activated.connect(self._on_activated)
        self._icon.messageClicked.connect(self.show_wanted)
        self.set_state("neutral", "")
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._icon.show()

    def set_state(self, level: Level, words: str) -> None:
        """The worst of everything, and its sentence as tool tip."""
        self._icon.setIcon(state_icon(level, self._theme.color(level)))
        self._icon.setToolTip(f"{tr('BIKO depot console')}\n{words}" if words else tr("BIKO depot console"))

    def say(self, title: str, text: str) -> None:
        """A message of the desktop, for what happens while the window is hidden."""
        if self._icon.isVisible():
            self._icon.showMessage(title, text, self._icon.icon())

    def close(self) -> None:
        self._icon.hide()

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.show_wanted.emit()


def state_icon(level: Level, color: QColor) -> QIcon:
    """The program's icon with the state's shape in its lower right corner; quiet states have none."""
    pixmap = QPixmap(render_svg(resource_text("icons/app.svg"), SIDE, 1.0))
    if level in {"warn", "error"}:
        painter = QPainter(pixmap)
        centre = QPointF(SIDE * 0.72, SIDE * 0.72)
        paint_shape(painter, centre, "ok", QColor("#ffffff"), SIDE * 0.56)
        paint_shape(painter, centre, level, color, SIDE * 0.36)
        painter.end()
    return QIcon(pixmap)
