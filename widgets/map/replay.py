"""The clock of a replay: plays a stretch of time faster than it was, and can be set to any moment of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

FRAME_MS = 40
SPEEDS = (10, 60, 300, 1200)


class Replay(QObject):
    """``moved`` carries the time in ms since 1970 UTC; ``playing_changed`` whether it runs."""

    moved = Signal(object)
    playing_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._monotonic = monotonic
        self._start_ms = self._end_ms = self.now_ms = 0
        self.speed = SPEEDS[1]
        self._last = 0.0
        self._timer = QTimer(self, interval=FRAME_MS)
        self._timer.timeout.connect(self.step)

    @property
    def is_playing(self) -> bool:
        return self._timer.isActive()

    def set_range(self, start_ms: int, end_ms: int) -> None:
        """A new stretch; the clock stands at its start."""
        self.pause()
        self._start_ms, self._end_ms = start_ms, max(start_ms, end_ms)
        self.set_time(start_ms)

    def set_time(self, at_ms: int) -> None:
        self.now_ms = min(max(at_ms, self._start_ms), self._end_ms)
        self.moved.emit(self.now_ms)

    def play(self) -> None:
        """Run on, from the start again when it had reached the end."""
        if self._end_ms <= self._start_ms or self.is_playing:
            return
        if self.now_ms >= self._end_ms:
            self.set_time(self._start_ms)
        self._last = self._monotonic()
        self._timer.start()
        self.playing_changed.emit(True)

    def pause(self) -> None:
        if self.is_playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        self.pause() if self.is_playing else self.play()

    def step(self) -> None:
        """Move on by the time that really passed, so that a slow machine skips pictures but keeps the pace."""
        now = self._monotonic()
        passed_ms = (now - self._last) * 1000 * self.speed
        self._last = now
        self.set_time(self.now_ms + round(passed_ms))
        if self.now_ms >= self._end_ms:
            self.pause()
