"""The Qt application before any window: style, fonts, icon, and Qt's own messages into the log."""

from __future__ import annotations

import linecache
import logging
import os
import sys
from collections.abc import Sequence

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from resources.i18n import tr
from widgets.theme import app_icon, load_fonts

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
# What the offscreen platform says at every window, and means nothing.
_NOISE = ("This plugin does not support propagateSizeHints()", "This plugin does not support raise()")
_IS_OURS = "has_console_look"
_log = logging.getLogger("qt")


def make_application(arguments: Sequence[str] = ("biko-console",)) -> QApplication:
    """The application with our look, or the one that exists already, made to look so."""
    _leave_sources_unread()
    os.environ["QT_API"] = "pyside6"  # qasync would take another binding that happens to be installed
    qInstallMessageHandler(_on_qt_message)
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(list(arguments))
    if app.property(_IS_OURS):
        return app  # setting the style again would lay out every widget there is anew
    app.setProperty(_IS_OURS, True)
    app.setApplicationName("biko-console")
    app.setApplicationDisplayName(tr("BIKO depot console"))
    app.setDesktopFileName("biko-console")
    app.setStyle("Fusion")
    app.setFont(load_fonts())
    app.setWindowIcon(app_icon())
    app.setQuitOnLastWindowClosed(False)  # closing a lone dialog would stop the loop under its tasks
    return app


def _leave_sources_unread() -> None:
    """Save 40 MB and a part of the start.

    PySide reads the source of every module that is imported after it, to see whether its ``__feature__`` switches may
    matter there, and the standard library keeps all those lines. Nothing here uses the switches, so each module may
    count as one that leaves them alone. Where a later PySide does this elsewhere, nothing changes but the memory.
    """
    feature = sys.modules.get("shibokensupport.feature")
    if hasattr(feature, "_mod_uses_pyside"):
        setattr(feature, "_mod_uses_pyside", lambda _module: True)  # noqa: B010 - PySide's own, unknown to its types
    linecache.clearcache()


def _on_qt_message(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    level = logging.DEBUG if text.startswith(_NOISE) else _LEVELS.get(kind, logging.WARNING)
    category = context.category if context is not None else None  # type: ignore[redundant-expr]
    _log.log(level, "%s%s", f"{category}: " if category and category != "default" else "", text)
