"""How late a Qt event loop runs; an empty PySide6 window as the baseline of ours.

``python -m tests.bench.lateness SECONDS FILE`` opens that window on a qasync loop, waits for a line on standard
input, watches for ``SECONDS`` and writes lateness and memory to ``FILE``. It loads nothing of ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
from qasync import QEventLoop

from tests.bench.common import rss_mb

TIMER_MS = 16


class Lateness:
    """How late each tick of a precise timer came, in ms after the one before it and its interval."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._due_s = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        self._due_s = time.perf_counter() + TIMER_MS / 1000
        self._timer.start(TIMER_MS)

    def stop(self) -> None:
        self._timer.stop()

    def _on_tick(self) -> None:
        now_s = time.perf_counter()
        self.late_ms.append(max(0.0, (now_s - self._due_s) * 1000))
        self._due_s = now_s + TIMER_MS / 1000


async def _run_bare(seconds: float, file: str) -> None:
    window = QMainWindow()
    window.resize(1280, 800)
    window.show()
    late = Lateness()
    await asyncio.to_thread(sys.stdin.readline)
    late.start()
    await asyncio.sleep(seconds)
    late.stop()
    np.savez(file, late_ms=late.late_ms, memory=[rss_mb(os.getpid()), rss_mb(os.getpid(), peak=True)])


def main() -> None:
    app = QApplication([])
    loop = QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(_run_bare(float(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()
