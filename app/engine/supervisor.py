"""The window's side of the gateway: starts it as a child, adopts a running one, restarts it, stops it at the end.

The engine's life is read from ``engine.json``: its pid says who runs, and its time of change is the heartbeat, which
a full disk cannot stop (docs/decisions/0042). The child's output goes to a file, so that it outlives the window.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from app import platform
from app.engine.commands import STOP, give_command
from app.engine.facts import READY_LINE, STOP_LINE, EngineFacts, end_engine, read_facts
from app.engine.status import EngineStatus, EngineWord
from app.paths import Paths
from app.problems import Issue, clear_problems, raise_problem
from app.security.redaction import redact_text
from app.store.errors import StoreError
from app.store.store import Store
from app.tasks import Tasks

if TYPE_CHECKING:
    from adapters.base import Clock

LOOK_S = 0.25
SILENT_S = 10.0
KILL_S = 60.0
STOP_S = 6.0
STEADY_S = 60.0
"""A child that ran so long was a good one: the next restart is quick again."""
RESTARTS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
MOST_EXITS = 5
WITHIN_S = 300.0
TAKE_OVER_S = 5.0
"""After a service's engine went: it is given time to come back by itself."""

_LAST_LINES = 20
_KINDS = frozenset({"engine"})

_log = logging.getLogger(__name__)


class Supervisor:
    """Keeps one engine running for the data folder. Everything happens on the loop that calls :meth:`start`.

    ``command`` starts the gateway of this data folder as a console's child, e.g. ``[python, "main.py", "--data-dir",
    …, "gateway", "--started-by", "console", "--passphrase-on-stdin"]``: the first line on the child's standard input
    is the ``passphrase``, empty where the vault opens without.
    """

    def __init__(
        self,
        command: Sequence[str],
        paths: Paths,
        *,
        clock: Clock,
        tasks: Tasks,
        on_change: Callable[[EngineStatus], None],
        passphrase: str = "",
        open_store: Callable[[], Store] | None = None,
    ) -> None:
        self._command = list(command)
        self._paths = paths
        self._clock = clock
        self._tasks = tasks
        self._on_change = on_change
        self._passphrase = passphrase
        self._open_store = open_store or partial(Store.open, paths.store_url)
        self._status = EngineStatus(EngineWord.STOPPED)
        self._child: subprocess.Popen[bytes] | None = None
        self._exits: deque[float] = deque()
        self._quick_exits = 0
        self._refusal = ""
        self._wish = asyncio.Event()

    @property
    def status(self) -> EngineStatus:
        return self._status

    @property
    def output_file(self) -> Path:
        """What the child printed since its last start."""
        return self._paths.logs / "engine-output.log"

    def start(self) -> None:
        """Begin to supervise; nothing happens where that is so already."""
        if not self._tasks.of(self):
            self._tasks.start(self._run(), name="engine supervisor", owner=self)

    def start_again(self, passphrase: str | None = None) -> None:
        """The operator's button after too many exits, or while a restart is awaited; with what opens the vault."""
        if passphrase is not None:
            self._passphrase = passphrase
        self._exits.clear()
        self._quick_exits = 0
        self._wish.set()

    async def stop(self, *, keep: bool = False) -> None:
        """End supervision, and the engine with it unless ``keep``; a service's engine is always left alone."""
        await self._tasks.cancel_owner(self)
        child, self._child = self._child, None
        facts = self._status.facts
        if keep:
            return
        if child is not None:
            await asyncio.to_thread(_stop_child, child)
        elif facts is not None and facts.started_by == "console":
            await self._stop_adopted(facts)
        self._show(EngineStatus(EngineWord.STOPPED))

    async def _run(self) -> None:
        while True:
            other = self._living()
            if other is None:
                await self._live_with_child()
            else:
                await self._watch(other)
            if other is not None and other.started_by != "console":
                await self._clock.sleep(TAKE_OVER_S)
            elif self._living() is None:
                await self._wait_before_restart()

    # -- our own child --------------------------------------------------------------------------------------------

    async def _live_with_child(self) -> None:
        """Start a child and watch it until it ends."""
        self._show(EngineStatus(EngineWord.STARTING, own=True))
        self._refusal = ""
        try:
            self._child = child = self._spawn()
        except OSError as err:
            self._refusal = f"The gateway cannot be started: {err.strerror or err} ({err.filename})."
            _log.error("%s", self._refusal)
            self._note_exit(0.0)
            return
        began_s = self._clock.monotonic()
        pulse = _Pulse(self._paths.engine_json, self._clock)
        while child.poll() is None:
            facts = read_facts(self._paths.engine_json)
            if facts is not None and facts.pid == child.pid:
                self._judge_child(child, facts, pulse.silent_s())
            await self._clock.sleep(LOOK_S)
        self._child = None
        _close_input(child)
        _log.warning("the engine ended unasked (exit status %s)", child.returncode)
        self._note_exit(self._clock.monotonic() - began_s)

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._paths.logs.mkdir(parents=True, exist_ok=True)
        with self.output_file.open("wb") as output:
            child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=output, stderr=output, **platform.own_group()
            )
        if child.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already; its last words say why
                child.stdin.write(self._passphrase.encode() + b"\n")
                child.stdin.flush()
        return child

    def _judge_child(self, child: subprocess.Popen[bytes], facts: EngineFacts, silent_s: float) -> None:
        if silent_s >= KILL_S:
            _log.error("the engine has not answered for %.0f s and is ended", silent_s)
            child.kill()
        elif silent_s >= SILENT_S:
            self._show(EngineStatus(EngineWord.NOT_ANSWERING, _silence(KILL_S), facts, own=True))
        elif self._status.word is not EngineWord.STARTING or READY_LINE in self._output():
            if self._status.word is EngineWord.STARTING:
                self._tasks.start(self._clear_problem(), name="engine problem", owner=self)
            self._show(EngineStatus(EngineWord.RUNNING, facts=facts, own=True))

    def _note_exit(self, lived_s: float) -> None:
        now_s = self._clock.monotonic()
        self._exits.append(now_s)
        while self._exits and now_s - self._exits[0] > WITHIN_S:
            self._exits.popleft()
        self._quick_exits = 1 if lived_s >= STEADY_S else self._quick_exits + 1

    async def _wait_before_restart(self) -> None:
        self._wish.clear()
        last = self.last_words()
        if len(self._exits) >= MOST_EXITS:
            detail = f"The engine ended {len(self._exits)} times within {WITHIN_S / 60:.0f} min. {last}".strip()
            self._show(EngineStatus(EngineWord.STOPPED, detail))
            await self._raise_problem(detail)
            await self._wish.wait()
            return
        delay_s = RESTARTS_S[min(max(self._quick_exits, 1), len(RESTARTS_S)) - 1]
        at_ms = self._clock.now_ms() + round(delay_s * 1000)
        self._show(EngineStatus(EngineWord.RESTARTING, last, restart_at_ms=at_ms, own=True))
        until_s = self._clock.monotonic() + delay_s
        while self._clock.monotonic() < until_s and not self._wish.is_set():
            await self._clock.sleep(min(LOOK_S, delay_s))

    def last_words(self) -> str:
        """The last lines that the child printed, without its ``ready``; or why there is no child."""
        if self._refusal:
            return self._refusal
        lines = [line for line in self._output() if line != READY_LINE]
        return redact_text("\n".join(lines[-_LAST_LINES:]))

    def _output(self) -> list[str]:
        try:
            return self.output_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    # -- an engine that somebody else started ---------------------------------------------------------------------

    def _living(self) -> EngineFacts | None:
        """Who runs the engine now; facts that a killed engine left behind do not count."""
        facts = read_facts(self._paths.engine_json)
        if facts is None or not platform.is_process_alive(facts.pid):
            return None
        try:
            age_s = time.time() - self._paths.engine_json.stat().st_mtime
        except OSError:
            return None
        return facts if abs(age_s) < SILENT_S else None

    async def _watch(self, facts: EngineFacts) -> None:
        """Show an engine that is not our child until it ends."""
        adopted = facts.started_by == "console"
        word = EngineWord.RUNNING if adopted else EngineWord.HELD
        detail = f"The engine is {facts.spoken()}."
        pulse = _Pulse(self._paths.engine_json, self._clock)
        while read_facts(self._paths.engine_json) == facts and platform.is_process_alive(facts.pid):
            if pulse.silent_s() >= SILENT_S:
                self._show(EngineStatus(EngineWord.NOT_ANSWERING, f"{detail} {_silence(None)}", facts))
            else:
                self._show(EngineStatus(word, detail, facts))
            await self._clock.sleep(LOOK_S)

    async def _stop_adopted(self, facts: EngineFacts) -> None:
        try:
            await asyncio.to_thread(self._write, partial(give_command, name=STOP, now_ms=self._clock.now_ms()))
        except StoreError as err:
            _log.warning("the running engine cannot be asked to stop through the store: %s", err)
            if not end_engine(facts):
                return
        until_s = self._clock.monotonic() + STOP_S
        while platform.is_process_alive(facts.pid):
            if self._clock.monotonic() > until_s:
                _log.warning("the running engine did not stop within %.0f s of being asked", STOP_S)
                return
            await self._clock.sleep(LOOK_S)

    # -- words to the window and the store ------------------------------------------------------------------------

    async def _raise_problem(self, detail: str) -> None:
        issue = Issue("engine", "The engine ends again and again", detail, "start_engine")
        await self._note(partial(raise_problem, integration_id=None, issue=issue, now_ms=self._clock.now_ms()))

    async def _clear_problem(self) -> None:
        await self._note(partial(clear_problems, integration_id=None, kinds=_KINDS, now_ms=self._clock.now_ms()))

    async def _note(self, note: Callable[[Connection], object]) -> None:
        try:
            await asyncio.to_thread(self._write, note)
        except StoreError as err:
            _log.warning("what happened to the engine cannot be noted in the store: %s", err)

    def _write(self, job: Callable[[Connection], object]) -> None:
        """Blocks. The store is opened for these rare moments only: it may not exist before the first engine ran."""
        store = self._open_store()
        try:
            store.write(job).result(STOP_S)
        finally:
            store.close()

    def _show(self, status: EngineStatus) -> None:
        if status != self._status:
            self._status = status
            self._on_change(status)


class _Pulse:
    """How long a file's time of change has stood still, by the steady clock."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._seen: int | None = None
        self._since_s = clock.monotonic()

    def silent_s(self) -> float:
        try:
            now = self._path.stat().st_mtime_ns
        except OSError:
            now = None
        if now != self._seen:
            self._seen, self._since_s = now, self._clock.monotonic()
        return self._clock.monotonic() - self._since_s


def _silence(kill_s: float | None) -> str:
    after = f" After {kill_s:.0f} s it is ended and started anew." if kill_s is not None else ""
    return f"The engine has not answered for more than {SILENT_S:.0f} s.{after}"


def _stop_child(child: subprocess.Popen[bytes]) -> None:
    """Ask, insist, end. Blocks for a few seconds at most."""
    try:
        if child.stdin is not None:
            child.stdin.write(f"{STOP_LINE}\n".encode())
            child.stdin.flush()
    except OSError:
        _log.debug("the engine does not read its input any more")
    for insist, patience_s in ((child.terminate, STOP_S), (child.kill, 2.0)):
        try:
            child.wait(patience_s)
            break
        except subprocess.TimeoutExpired:
            _log.warning("the engine did not stop within %.0f s of being asked", patience_s)
            insist()
    else:
        child.wait(STOP_S)
    _close_input(child)


def _close_input(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        try:
            child.stdin.close()
        except OSError:
            _log.debug("the engine's input was gone already")
