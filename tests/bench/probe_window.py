"""The real window in a process of its own, watched: ``python -m tests.bench.probe_window FOLDER SECONDS FILE [PAGE]``.

Opens the map of the data folder, or another page, waits for a line on standard input, then watches for ``SECONDS`` and
writes to ``FILE`` when which fix was painted, how late a precise 16 ms timer fired, and the memory.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop

from app.commands.cli import WindowOptions
from app.commands.session import Session
from app.paths import Paths
from main import Console
from tests.bench.common import rss_mb
from tests.bench.lateness import Lateness
from widgets.app import make_application
from widgets.map.page import MapPage

SETTLE_S = 3.0


class Painted(QObject):
    """When what was given to the map's fleet had been painted: rows of device key, fix time (ms), moment (ns)."""

    def __init__(self, page: MapPage) -> None:
        super().__init__(page)
        self.seen: list[tuple[Any, Any, int]] = []
        self._applied: list[tuple[Any, Any]] = []
        self._apply = page.fleet.apply
        page.fleet.apply = self._note  # type: ignore[method-assign]
        page.map.plot.viewport().installEventFilter(self)

    def _note(self, positions: Any) -> None:
        self._apply(positions)
        self._applied.append((positions["device_key"].copy(), positions["fixed_at_ms"].copy()))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._applied:
            QTimer.singleShot(0, self._on_painted)
        return False

    def _on_painted(self) -> None:
        now_ns = time.time_ns()
        self.seen += [(keys, times, now_ns) for keys, times in self._applied]
        self._applied.clear()

    def columns(self) -> np.ndarray[Any, Any]:
        if not self.seen:
            return np.empty((3, 0), np.int64)
        keys = np.concatenate([keys for keys, _times, _at in self.seen])
        times = np.concatenate([times for _keys, times, _at in self.seen])
        moments = np.concatenate([np.full(len(keys), at, np.int64) for keys, _times, at in self.seen])
        return np.array([keys, times, moments], np.int64)


async def _watch_window(console: Console, seconds: float, file: str) -> None:
    await console.standing.wait()
    while (page := cast("MapPage | None", console.window.made_page("map"))) is None:  # noqa: ASYNC110 - made when first shown
        await asyncio.sleep(0.02)
    painted, late = Painted(page), Lateness()
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.sleep(SETTLE_S)
    late.start()
    await asyncio.sleep(seconds)
    late.stop()
    memory = [rss_mb(os.getpid()), rss_mb(os.getpid(), peak=True)]
    np.savez(file, painted=painted.columns(), late_ms=late.late_ms, memory=memory, shown=len(page.fleet.subjects))
    console.window.exit_event.set()


async def _watch_page(console: Console, page: str, seconds: float, file: str) -> None:
    """Lateness and memory alone, on a page that is not the map."""
    await console.standing.wait()
    while console.window.made_page(page) is None:  # noqa: ASYNC110 - made when first shown
        await asyncio.sleep(0.02)
    late = Lateness()
    await asyncio.to_thread(sys.stdin.readline)
    late.start()
    await asyncio.sleep(seconds)
    late.stop()
    np.savez(file, late_ms=late.late_ms, memory=[rss_mb(os.getpid()), rss_mb(os.getpid(), peak=True)])
    console.window.exit_event.set()


async def _run_window(folder: Path, seconds: float, file: str, page: str, app: QApplication) -> None:
    paths = Paths(folder)
    session = Session(paths=paths, database=paths.store_url, file_vault_only=True)
    console = Console(session, WindowOptions(page=page), app)
    watch = _watch_window(console, seconds, file) if page == "map" else _watch_page(console, page, seconds, file)
    watching = asyncio.ensure_future(watch)
    await console.run()
    await watching


def main() -> None:
    gc.disable()  # as main.open_window: the window looks after it once it stands
    folder, seconds, file = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    page = sys.argv[4] if len(sys.argv) > 4 else "map"
    app = make_application()
    loop = QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(_run_window(folder, seconds, file, page, app))


if __name__ == "__main__":
    main()
