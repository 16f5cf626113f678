"""The window's supervisor with the real gateway: a killed engine comes back, and serves the same trackers."""

from __future__ import annotations

from pathlib import Path

from app.clock import SystemClock
from app.engine.status import EngineStatus, EngineWord
from app.engine.supervisor import Supervisor
from app.platform import is_process_alive, kill_process
from app.tasks import Tasks
from tests.helpers.depot import Depot, Tracker
from tests.helpers.fake_adapter import until


async def test_a_killed_engine_comes_back_and_stops_with_its_window(tmp_path: Path) -> None:
    with Depot(tmp_path) as depot:
        _, port = depot.add_trackers()
        seen: list[EngineStatus] = []
        tasks = Tasks()
        supervisor = Supervisor(
            depot.gateway_command("--started-by", "console"),
            depot.paths,
            clock=SystemClock(),
            tasks=tasks,
            on_change=seen.append,
        )
        supervisor.start()
        await until(lambda: supervisor.status.word is EngineWord.RUNNING, 60)
        first = supervisor.status.facts
        assert first is not None
        with Tracker(port) as tracker:
            tracker.send(1)
            assert tracker.wait_for_answer()
        kill_process(first.pid)
        await until(
            lambda: supervisor.status.word is EngineWord.RUNNING and supervisor.status.facts not in (None, first), 60
        )
        with Tracker(port) as tracker:
            tracker.send(2)
            assert tracker.wait_for_answer()
        assert depot.serials() == [1, 2]
        second = supervisor.status.facts
        assert second is not None
        await supervisor.stop()
        assert not is_process_alive(second.pid)
        assert EngineWord.RESTARTING in [status.word for status in seen]
        await tasks.close()
