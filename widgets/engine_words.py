"""The engine's state in the words of the window, counting down and telling of loss and return once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.engine.status import EngineStatus, EngineWord
from app.versions import program_version
from resources.i18n import tr
from widgets.theme import Level
from widgets.window import ConsoleWindow

if TYPE_CHECKING:
    from adapters.base import Clock

TICK_MS = 500

_LEVELS: Mapping[EngineWord, Level] = {
    EngineWord.RUNNING: "ok",
    EngineWord.STARTING: "info",
    EngineWord.RESTARTING: "warn",
    EngineWord.NOT_ANSWERING: "error",
    EngineWord.STOPPED: "neutral",
    EngineWord.HELD: "ok",
}
_SERVING = frozenset({EngineWord.RUNNING, EngineWord.HELD})


def engine_words(status: EngineStatus, now_ms: int) -> tuple[Level, str, str]:
    """Level, short words and the detail for the foot of the side bar."""
    level, words = _LEVELS[status.word], _words(status, now_ms)
    detail = status.detail
    if not detail and status.facts is not None:
        detail = tr("The engine is {spoken}.", spoken=status.facts.spoken())
    if status.word is EngineWord.STOPPED and status.detail:
        level = "error"
    if status.word is EngineWord.HELD and status.facts is not None and status.facts.version != program_version():
        level = "warn"
        other = tr("This window is version {version}: upgrade the older of the two.", version=program_version())
        detail = f"{detail} {other}"
    return level, words, detail


def _words(status: EngineStatus, now_ms: int) -> str:
    if status.word is EngineWord.RESTARTING and status.restart_at_ms is not None:
        seconds = max(0, -(-(status.restart_at_ms - now_ms) // 1000))
        return tr("Engine restarts in {seconds} s", seconds=seconds)
    return {
        EngineWord.RUNNING: tr("Engine running"),
        EngineWord.STARTING: tr("Engine starting"),
        EngineWord.RESTARTING: tr("Engine restarting"),
        EngineWord.NOT_ANSWERING: tr("Engine not answering"),
        EngineWord.STOPPED: tr("Engine stopped"),
        EngineWord.HELD: tr("Engine runs as a service"),
    }[status.word]


class EngineLine(QObject):
    """Keeps the foot of the window's side bar true to the engine."""

    def __init__(self, window: ConsoleWindow, clock: Clock) -> None:
        super().__init__(window)
        self._window = window
        self._clock = clock
        self._status = EngineStatus(EngineWord.STARTING)
        self._has_served = False
        self._is_lost = False
        self._ticks = QTimer(self, interval=TICK_MS)
        self._ticks.timeout.connect(self._write)

    def show(self, status: EngineStatus) -> None:
        """The engine's state moved."""
        self._status = status
        self._write()
        if status.word is EngineWord.RESTARTING:
            self._ticks.start()
        else:
            self._ticks.stop()
        self._tell(status)

    def close(self) -> None:
        self._ticks.stop()
        self._has_served = False  # it is stopped on purpose from now on

    def _write(self) -> None:
        self._window.set_engine_state(*engine_words(self._status, self._clock.now_ms()))

    def _tell(self, status: EngineStatus) -> None:
        if status.word in _SERVING:
            if self._is_lost:
                self._window.notify("ok", tr("The engine is at work again."))
            self._has_served, self._is_lost = True, False
        elif self._has_served and not self._is_lost and status.word is not EngineWord.STARTING:
            self._is_lost = True
            if status.word is EngineWord.NOT_ANSWERING:
                self._window.notify("warn", tr("The engine does not answer. Nothing that it acknowledged is lost."))
            elif status.word is EngineWord.STOPPED:
                self._window.notify("error", tr("The engine has stopped: {why}", why=status.detail))
            else:
                self._window.notify(
                    "warn", tr("The engine ended unasked and is started again. Nothing that it acknowledged is lost.")
                )
