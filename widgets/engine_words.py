"""The engine's state in the words of the window."""

from __future__ import annotations

from collections.abc import Mapping

from app.engine.status import EngineStatus, EngineWord
from resources.i18n import tr
from widgets.theme import Level

_LEVELS: Mapping[EngineWord, Level] = {
    EngineWord.RUNNING: "ok",
    EngineWord.STARTING: "info",
    EngineWord.RESTARTING: "warn",
    EngineWord.NOT_ANSWERING: "error",
    EngineWord.STOPPED: "neutral",
    EngineWord.HELD: "warn",
}


def engine_words(status: EngineStatus, now_ms: int) -> tuple[Level, str, str]:
    """Level, short words and the detail for the foot of the side bar."""
    words = {
        EngineWord.RUNNING: tr("Engine running"),
        EngineWord.STARTING: tr("Engine starting"),
        EngineWord.RESTARTING: tr("Engine restarting"),
        EngineWord.NOT_ANSWERING: tr("Engine not answering"),
        EngineWord.STOPPED: tr("Engine stopped"),
        EngineWord.HELD: tr("Engine held by another"),
    }[status.word]
    if status.word is EngineWord.RESTARTING and status.restart_at_ms is not None:
        seconds = max(0, round((status.restart_at_ms - now_ms) / 1000))
        words = tr("Engine restarts in {seconds} s", seconds=seconds)
    detail = status.detail
    if not detail and status.facts is not None:
        detail = tr("Started as {spoken}.", spoken=status.facts.spoken())
    return _LEVELS[status.word], words, detail
