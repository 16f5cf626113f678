"""The supervisor with small child processes that behave like a gateway, well or badly; time runs faster for it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import select

from app.engine.facts import EngineFacts, read_facts
from app.engine.status import EngineStatus, EngineWord
from app.engine.supervisor import Supervisor
from app.paths import Paths
from app.platform import is_process_alive, kill_process
from app.store.store import Store
from app.store.tables import Problem
from app.tasks import Tasks
from tests.helpers.fake_adapter import until
from tests.helpers.stores import make_store_url

FASTER = 20

CHILD = """
import json, os, sys, threading, time
from pathlib import Path
folder, way, started_by = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
facts = folder / "engine.json"
if way == "passphrase":
    (folder / "passphrase").write_text(sys.stdin.readline().strip())
if way == "crash":
    print("the reason of the crash", file=sys.stderr, flush=True)
    sys.exit(3)
draft = folder / "draft"
draft.write_text(json.dumps({"pid": os.getpid(), "version": "1", "store_revision": "1", "started_by": started_by,
                             "started_at_ms": 1, "host": "here"}))
draft.replace(facts)
print("ready", flush=True)
stopping = threading.Event()
threading.Thread(target=lambda: [stopping.set() for line in sys.stdin if line.strip() == "stop"], daemon=True).start()
while not stopping.wait(0.05):
    if way != "silent":
        os.utime(facts)
facts.unlink()
"""


class HurriedClock:
    """Time that runs ``FASTER`` times as fast."""

    def now_ms(self) -> int:
        return round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return time.monotonic() * FASTER

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / FASTER)


@dataclass
class Watch:
    folder: Path
    supervisor: Supervisor
    seen: list[EngineStatus] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)

    def note(self, status: EngineStatus) -> None:
        self.seen.append(status)
        if status.restart_at_ms is not None:
            self.delays_s.append((status.restart_at_ms - HurriedClock().now_ms()) / 1000)

    @property
    def words(self) -> list[EngineWord]:
        return [status.word for status in self.seen]

    def pid(self) -> int:
        facts = self.supervisor.status.facts
        assert facts is not None
        return facts.pid


class Desk:
    """Makes supervisors, and ends what they left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = make_store_url(folder)
        self.tasks = Tasks()
        self.watches: list[Watch] = []

    def command(self, way: str, started_by: str = "console") -> list[str]:
        return [sys.executable, "-S", "-c", CHILD, str(self.folder), way, started_by]

    def watch(self, way: str = "serve", **options: Any) -> Watch:
        watch: Watch
        supervisor = Supervisor(
            self.command(way),
            Paths(self.folder),
            clock=HurriedClock(),
            tasks=self.tasks,
            on_change=lambda status: watch.note(status),  # noqa: PLW0108 - it is made below
            open_store=lambda: Store.open(self.url),
            **options,
        )
        watch = Watch(self.folder, supervisor)
        self.watches.append(watch)
        supervisor.start()
        return watch

    def problems(self) -> list[Any]:
        store = Store.open(self.url)
        try:
            with store.read() as connection:
                query = select(Problem.problem_key, Problem.detail, Problem.fix).where(Problem.cleared_at.is_(None))
                return list(connection.execute(query))
        finally:
            store.close()


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    for watch in desk.watches:
        await watch.supervisor.stop()
    await desk.tasks.close()


async def test_it_starts_a_child_and_stops_it_cleanly(desk: Desk) -> None:
    watch = desk.watch()
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    assert watch.words == [EngineWord.STARTING, EngineWord.RUNNING]
    assert watch.supervisor.status.own
    pid = watch.pid()
    assert os.getpgid(pid) != os.getpgid(0), "Ctrl+C in the terminal of the window must not end it"
    await watch.supervisor.stop()
    assert not is_process_alive(pid)
    assert watch.supervisor.status.word is EngineWord.STOPPED
    assert read_facts(desk.folder / "engine.json") is None, "it was asked, not killed"


async def test_a_killed_child_comes_back(desk: Desk) -> None:
    watch = desk.watch()
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    first = watch.pid()
    kill_process(first)
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING and watch.pid() != first)
    restarting = next(status for status in watch.seen if status.word is EngineWord.RESTARTING)
    assert restarting.restart_at_ms is not None


async def test_five_exits_in_five_minutes_raise_a_problem_with_the_last_words(desk: Desk) -> None:
    watch = desk.watch("crash")
    await until(lambda: watch.supervisor.status.word is EngineWord.STOPPED and len(watch.seen) > 2, 20)
    assert watch.words.count(EngineWord.STARTING) == 5
    assert "the reason of the crash" in watch.supervisor.status.detail
    await until(desk.problems)
    (problem,) = desk.problems()
    assert problem.problem_key == "engine"
    assert problem.fix == "start_engine"
    assert "the reason of the crash" in problem.detail
    # The button: it tries again, and success clears the problem.
    watch.supervisor._command = desk.command("serve")
    watch.supervisor.start_again()
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    await until(lambda: not desk.problems())


async def test_the_delays_between_restarts_grow(desk: Desk) -> None:
    watch = desk.watch("crash")
    await until(lambda: watch.words.count(EngineWord.RESTARTING) == 4, 20)
    assert [round(delay_s) for delay_s in watch.delays_s] == [1, 2, 4, 8]


async def test_a_child_that_does_not_answer_is_said_to_and_then_replaced(desk: Desk) -> None:
    watch = desk.watch("silent")
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    first = watch.pid()
    await until(lambda: watch.supervisor.status.word is EngineWord.NOT_ANSWERING)
    assert is_process_alive(first)
    watch.supervisor._command = desk.command("serve")
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING and watch.pid() != first)
    assert not is_process_alive(first)


async def test_a_running_engine_of_a_console_is_adopted_and_a_kept_one_lives_on(desk: Desk) -> None:
    first = desk.watch()
    await until(lambda: first.supervisor.status.word is EngineWord.RUNNING)
    pid = first.pid()
    child = first.supervisor._child
    await first.supervisor.stop(keep=True)
    assert is_process_alive(pid)
    second = desk.watch()
    await until(lambda: second.supervisor.status.word is EngineWord.RUNNING)
    assert second.pid() == pid
    assert not second.supervisor.status.own
    kill_process(pid)
    assert child is not None
    await asyncio.to_thread(child.wait)
    if child.stdin is not None:
        child.stdin.close()
    await until(lambda: second.supervisor.status.word is EngineWord.RUNNING and second.supervisor.status.own)


async def test_the_engine_of_a_service_is_left_alone(desk: Desk) -> None:
    service = await asyncio.create_subprocess_exec(
        *desk.command("serve", "service"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await until(lambda: read_facts(desk.folder / "engine.json"))
    watch = desk.watch()
    await until(lambda: watch.supervisor.status.word is EngineWord.HELD)
    assert "started by a service" in watch.supervisor.status.detail
    await watch.supervisor.stop()
    assert service.returncode is None
    watch.supervisor.start()
    assert service.stdin is not None
    service.stdin.write(b"stop\n")
    await service.wait()
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    assert watch.supervisor.status.own, "when the service's engine has gone, the window's own takes over"


async def test_facts_of_an_engine_that_was_killed_long_ago_do_not_count(desk: Desk) -> None:
    import json
    from dataclasses import asdict

    stale = EngineFacts(os.getpid(), "1", "1", "service", 1, "here")
    facts = desk.folder / "engine.json"
    facts.write_text(json.dumps(asdict(stale)))
    os.utime(facts, (1, 1))
    watch = desk.watch()
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    assert watch.supervisor.status.own


async def test_a_foreign_process_under_the_engines_number_is_never_ended(desk: Desk) -> None:
    """The file is young and names a living process, and the store cannot carry the wish: still it is not ours."""
    stranger = await asyncio.create_subprocess_exec(
        *desk.command("serve"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await until(lambda: read_facts(desk.folder / "engine.json"))
    watch = desk.watch()
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    assert not watch.supervisor.status.own
    desk.url = f"sqlite:///{desk.folder}/nowhere/store.db"
    await watch.supervisor.stop()
    assert stranger.returncode is None
    assert stranger.stdin is not None
    stranger.stdin.write(b"stop\n")
    assert await stranger.wait() == 0


async def test_a_passphrase_reaches_the_child_over_its_input(desk: Desk) -> None:
    watch = desk.watch("passphrase", passphrase="correct horse")
    await until(lambda: watch.supervisor.status.word is EngineWord.RUNNING)
    assert (desk.folder / "passphrase").read_text() == "correct horse"
    assert "correct horse" not in " ".join(watch.supervisor._command)


async def test_a_program_that_cannot_be_started_is_tried_again_and_given_up(desk: Desk) -> None:
    watch = desk.watch()
    watch.supervisor._command = [str(desk.folder / "no-such-program")]
    await until(lambda: watch.supervisor.status.word is EngineWord.STOPPED and len(watch.seen) > 2, 20)
    (problem,) = await until(desk.problems)
    assert "no-such-program" in problem.detail
