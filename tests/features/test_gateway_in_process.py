"""The same engine on the window's Qt loop, for sites that forbid child processes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from app.catalogue import Catalogue
from app.clock import SystemClock
from app.engine.held import HeldStore
from app.engine.host import EngineHost
from app.engine.phases import Phase
from app.security.vault import MemoryVault
from app.tasks import Tasks
from tests.helpers.depot import Depot, Tracker
from tests.helpers.fake_adapter import until


def test_the_engine_serves_trackers_on_the_qt_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication
    from qasync import QEventLoop

    application = QApplication.instance() or QApplication([])
    loop = QEventLoop(application)
    asyncio.set_event_loop(loop)
    try:
        with Depot(tmp_path) as depot:
            trackers_id, port = depot.add_trackers()
            loop.run_until_complete(_serve(depot, trackers_id, port))
            assert depot.serials() == [1, 2, 3]
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _serve(depot: Depot, trackers_id: str, port: int) -> None:
    clock, tasks = SystemClock(), Tasks()
    held = await asyncio.to_thread(HeldStore.take, depot.paths, clock, started_by="in-process")
    host = EngineHost(held, Catalogue.load(), MemoryVault(), clock=clock, tasks=tasks)
    ready = asyncio.Event()
    running = tasks.start(host.run(lambda _states: ready.set()), name="engine", owner="test")
    try:
        await asyncio.wait_for(ready.wait(), 20)

        def talk() -> None:
            with Tracker(port) as tracker:
                for serial in (1, 2, 3):
                    tracker.send(serial)
                    assert tracker.wait_for_answer()

        await asyncio.to_thread(talk)
        await until(lambda: host.engine.states[trackers_id].phase is not Phase.STARTING)
    finally:
        host.stop()
        await running
        await tasks.close()
        await asyncio.to_thread(held.close)
