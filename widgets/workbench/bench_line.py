"""The workbench's line: a borrowed port with an open session, its polling, its capture; without a widget in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from adapters.bench import Bench, BenchSession, Found, Level, SensorFacts, SensorSetting, Traffic, Written
from adapters.errors import AdapterError
from app.errors import OperatorError
from app.fuel.captures import CaptureWriter
from app.fuel.lending import PortLoan
from app.fuel.profiles import record_writes
from resources.i18n import tr
from widgets.context import ConsoleContext

KEPT_TRAFFIC = 20_000
POLL_S = 1.0


class BenchLine(QObject):
    """``traffic`` carries one piece, ``level`` a reading, ``changed`` comes when the state moved.

    All acts raise AdapterError or OperatorError with a sentence for the engineer; a port that was pulled leaves the
    session, its capture and its counters as they are.
    """

    traffic = Signal(object)
    level = Signal(object)
    changed = Signal()

    def __init__(self, context: ConsoleContext, bench: Bench, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.bench = bench
        self.session: BenchSession | None = None
        self.dialect = ""
        self.speed = 0
        self.heard: deque[Traffic] = deque(maxlen=KEPT_TRAFFIC)
        self.lent_by: tuple[str, ...] = ()
        self.capture: CaptureWriter | None = None
        self.capture_path: Path | None = None
        self._stack: AsyncExitStack | None = None
        self._stop_watching: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        return self.session is not None

    async def open(self, port: str, dialect: str, speed: int, options: dict[str, str] | None = None) -> None:
        """Borrow the port from the engine where one reads it, and open it. Raises AdapterError, OperatorError."""
        await self.close()
        services = self._context.services
        async with AsyncExitStack() as stack:
            loan = PortLoan(services.store, port, clock=services.clock, tasks=self._context.tasks)
            await stack.enter_async_context(loan)
            self.session = await self.bench.open(port, dialect, speed, options)
            stack.push_async_callback(self.session.close)
            self.lent_by = loan.lent_by
            self._stack = stack.pop_all()
        self.dialect, self.speed = dialect, speed
        self._stop_watching = self.session.watch(self._on_traffic)
        self.changed.emit()

    async def close(self) -> None:
        """Give the port back; what was heard stays."""
        stack, self._stack = self._stack, None
        if stack is None:
            return
        if self._stop_watching is not None:
            self._stop_watching()
        self.stop_capture()
        self.session = None
        try:
            await stack.aclose()
        finally:
            self.lent_by = ()
            self.changed.emit()

    async def scan(
        self, addresses: Sequence[int], speeds: Sequence[int], found: Callable[[Found], None],
        progress: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        """Search until done or cancelled."""
        async for one in self._need().scan(addresses, speeds, progress):
            found(one)

    async def identify(self, address: int) -> SensorFacts:
        return await self._need().identify(address)

    async def settings(self, address: int) -> Sequence[SensorSetting]:
        return await self._need().settings(address)

    async def history(self, address: int) -> Sequence[tuple[str, str, str]]:
        return await self._need().history(address)

    async def write(self, facts: SensorFacts, changes: dict[str, int | str]) -> Sequence[Written]:
        """Write, read back, and keep it in the record of acts."""
        session = self._need()
        written = await session.write(facts.address, changes)
        who = {"address": facts.address, "model": facts.model, "serial": facts.serial}
        await self._context.bridge.write(partial(record_writes, port=session.port, facts=who, written=written))
        return written

    async def poll(self, address: int) -> None:
        """Read a sensor again and again until cancelled; what fails is a reading that says why."""
        while True:
            session = self.session
            if session is not None:
                try:
                    self.level.emit(await session.read(address))
                except (AdapterError, OperatorError) as err:
                    now_s = self._context.services.clock.now_ms() / 1000
                    self.level.emit(Level(now_s, address, None, "", why=err.why))
            await asyncio.sleep(POLL_S)

    def start_capture(self, path: Path) -> None:
        """Write everything that passes to a new file. Raises OperatorError."""
        self.stop_capture()
        session = self._need()
        self.capture = CaptureWriter(
            path, dialect=self.dialect, port=session.port, speed=self.speed, on_fault=self._on_fault
        )
        self.capture_path = path
        self.changed.emit()

    def stop_capture(self) -> None:
        if self.capture is not None:
            self.capture.close()
            self.capture = None
            self.changed.emit()

    def _on_fault(self, why: str) -> None:
        self._context.notify("error", why)

    def _on_traffic(self, one: Traffic) -> None:
        self.heard.append(one)
        if self.capture is not None:
            self.capture.write(one)
        self.traffic.emit(one)

    def _need(self) -> BenchSession:
        if self.session is None:
            raise NotOpen(tr("No port is open. Choose a port and a kind of sensor, then Open."))
        return self.session


class NotOpen(OperatorError):
    """An act that needs an open port."""
