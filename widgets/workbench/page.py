"""The workbench: whoever stands at a sensor with a cable finds, reads, sets and calibrates it, and prints its passport.

Nothing here needs an integration. A port that the engine reads is borrowed from it and given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from adapters.bench import Counters, Found, Level, SensorFacts, Traffic
from adapters.errors import AdapterError
from app.clock import utc_now
from app.errors import OperatorError
from app.fuel.captures import read_capture
from app.fuel.profiles import changes_to_write, compare, profile_of
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.page import Page, PageHeader
from widgets.primitives import Card, SegmentedTabs, outline_button
from widgets.workbench.bench_line import BenchLine
from widgets.workbench.connect_card import ConnectCard
from widgets.workbench.live_view import LiveView
from widgets.workbench.passport import Passport, write_passport
from widgets.workbench.settings_view import SettingsView
from widgets.workbench.traffic_view import TrafficView

BENCH = "fuel_monitoring"


class WorkbenchPage(Page):
    key = "workbench"
    title = "Workbench"
    icon = "wrench"
    topics = frozenset({"commands"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        bench = context.services.catalogue.bench(BENCH)
        self.line = BenchLine(context, bench, self)
        self.connect_card = ConnectCard(theme, bench.dialects())
        self.tabs = SegmentedTabs([("live", tr("Live")), ("settings", tr("Settings")), ("traffic", tr("Traffic"))])
        self.live = LiveView(context)
        self.settings = SettingsView(theme)
        self.traffic = TrafficView(context)
        self.passport = outline_button(theme, tr("Passport…"), "printer")
        self.calibrate = outline_button(theme, tr("Calibrate…"), "gauge")
        self.facts: SensorFacts | None = None
        self.level: Level | None = None
        self._scan: asyncio.Task[Any] | None = None
        self._poll: asyncio.Task[Any] | None = None
        self._ports_read = False
        self._lay_out()
        self._connect()
        self._show_line()

    def _lay_out(self) -> None:
        column = self.column()
        subtitle = tr("Find, read, set and calibrate a sensor with a cable; no network and no integration is needed")
        column.addWidget(PageHeader(tr("Workbench"), subtitle, [self.calibrate, self.passport]))
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.connect_card)
        card = Card()
        inner = QVBoxLayout()
        inner.setSpacing(14)
        inner.addWidget(self.tabs)
        self.stack = QStackedWidget()
        for view in (self.live, self.settings, self.traffic):
            self.stack.addWidget(view)
        inner.addWidget(self.stack, 1)
        card.body.addLayout(inner, 1)
        row.addWidget(card, 1)
        column.addLayout(row, 1)

    def _connect(self) -> None:
        card, line = self.connect_card, self.line
        card.open.clicked.connect(lambda: self._start(self._toggle, "open"))
        card.reload.clicked.connect(lambda: self._start(self._read_ports, "ports"))
        card.scan.clicked.connect(self._toggle_scan)
        card.sensor_chosen.connect(self._on_sensor)
        self.tabs.chosen.connect(lambda key: self.stack.setCurrentIndex(("live", "settings", "traffic").index(key)))
        line.traffic.connect(self._on_traffic)
        line.level.connect(self._on_level)
        line.changed.connect(self._show_line)
        self.settings.write_wanted.connect(lambda changes: self._start(lambda: self._write(changes), "write"))
        self.settings.reload_wanted.connect(lambda: self._start(self._read_settings, "settings"))
        self.settings.save_wanted.connect(lambda: self._start(self._save_profile, "profile"))
        self.settings.load_wanted.connect(lambda: self._start(self._load_profile, "profile"))
        self.settings.history_wanted.connect(lambda: self._start(self._show_history, "history"))
        self.traffic.capture_wanted.connect(lambda: self._start(self._toggle_capture, "capture"))
        self.traffic.replay_wanted.connect(lambda: self._start(self._replay, "replay"))
        self.passport.clicked.connect(lambda: self._start(self._passport, "passport"))
        self.calibrate.clicked.connect(lambda: self._start(self._calibrate, "calibrate"))

    async def refresh(self, topics: frozenset[str]) -> None:  # noqa: ARG002 - the store says nothing of cables
        if not self._ports_read:
            self._ports_read = True
            await self._read_ports()

    def table(self) -> DataTable[Any]:
        return self.traffic.table

    def close_page(self) -> None:
        """The port is given back however the page ends."""
        super().close_page()
        if self.line.is_open:
            self.context.tasks.start(self.line.close(), name="close the workbench", owner=self.line)

    # The line

    async def _read_ports(self) -> None:
        self.connect_card.show_ports(await asyncio.to_thread(self.line.bench.ports))

    async def _toggle(self) -> None:
        if self.line.is_open:
            self._stop_polling()
            self._stop_scan()
            await self.line.close()
            return
        card = self.connect_card
        port = card.chosen_port
        if not port:
            self.context.notify("warn", tr("Choose a port, or type one: a path, or socket://host:port."))
            return
        await self.line.open(port, card.chosen_dialect.key, card.chosen_speed)
        dialect = card.chosen_dialect
        if len(dialect.addresses) == 1 or dialect.bus != "rs485":
            card.found.clear()
            first = dialect.addresses[0]
            card.show_found(Found(first, card.chosen_speed, dialect.key, dialect.label))

    def _show_line(self) -> None:
        session = self.line.session
        words = tr("A port that the engine reads is borrowed and given back.")
        if session is not None:
            words = tr("{port} is open.", port=session.port)
            if self.line.lent_by:
                words += " " + tr("“{names}” waits until it is closed.", names=", ".join(self.line.lent_by))
        else:
            self.live.show_closed()
        is_open, is_connected = session is not None, session is not None and session.is_connected
        self.connect_card.show_state(is_open=is_open, is_connected=is_connected, words=words)
        self.traffic.show_capture(None if self.line.capture is None else self.line.capture.lines)
        has_sensor = is_open and self.facts is not None
        self.passport.setEnabled(self.facts is not None)
        self.calibrate.setEnabled(has_sensor)

    def _on_traffic(self, one: Traffic) -> None:
        self.traffic.add(one)
        if one.direction == "note":
            self._show_line()
        if self.line.capture is not None:
            self.traffic.show_capture(self.line.capture.lines)

    # Search

    def _toggle_scan(self) -> None:
        if self._scan is not None:
            self._stop_scan()
            return
        try:
            addresses = self.connect_card.wanted_addresses()
        except ValueError as err:
            self.context.notify("warn", str(err))
            return
        self._stop_polling()
        self.connect_card.found.clear()
        self._scan = self.spawn(self._guarded(lambda: self._search(addresses)), "search")

    def _stop_scan(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None
            self._show_search(None)

    async def _search(self, addresses: list[int]) -> None:
        card = self.connect_card
        self._show_search((0, 1))
        try:
            await self.line.scan(
                addresses, card.wanted_speeds(), card.show_found, lambda n, of: self._show_search((n, of))
            )
        finally:
            self._scan = None
            self._show_search(None)
        if not card.found.count():
            self.context.notify(
                "info", tr("No sensor answered. Try other addresses, every speed, or look at the cable.")
            )

    def _show_search(self, progress: tuple[int, int] | None) -> None:
        card = self.connect_card
        card.scan.setText(tr("Search") if progress is None else tr("Stop"))
        card.progress.setVisible(progress is not None)
        if progress is not None:
            card.progress.setRange(0, max(progress[1], 1))
            card.progress.setValue(progress[0])

    # One sensor

    def _on_sensor(self, found: Found) -> None:
        self._stop_polling()
        self.facts = self.level = None
        self.live.clear()
        self.settings.clear(tr("Reading the settings…"))
        self._show_line()
        self._start(lambda: self._take_sensor(found), "sensor")

    async def _take_sensor(self, found: Found) -> None:
        try:
            self.facts = await self.line.identify(found.address)
        except AdapterError as err:
            self.facts = SensorFacts(found.address, found.dialect)
            self.context.notify("warn", err.why)
        self.live.show_facts(self.facts)
        self._show_line()
        self._poll = self.spawn(self.line.poll(found.address), "poll")
        await self._read_settings()

    def _stop_polling(self) -> None:
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None

    def _on_level(self, level: Level) -> None:
        self.level = level
        self._show_line()  # a cable that was pulled shows in what is read
        self.live.show_level(level, self._counters(level.address))

    def _counters(self, address: int) -> Counters:
        session = self.line.session
        return Counters() if session is None else session.counters().get(address, Counters())

    async def _read_settings(self) -> None:
        facts = self._need_sensor()
        try:
            self.settings.show_settings(await self.line.settings(facts.address))
        except AdapterError as err:
            self.settings.clear(err.why)

    async def _write(self, changes: dict[str, int | str]) -> None:
        facts = self._need_sensor()
        labels = {one.name: (one.label, one.value) for one in self.settings.settings}
        lines = [f"{labels[name][0]}: {labels[name][1]} → {value}" for name, value in changes.items()]
        name = facts.serial or facts.model or str(facts.address)
        if not await ask.confirm(
            self, self.context.theme, tr("Write to sensor {name}?", name=name),
            tr("Each setting is read back and compared; the first that does not hold ends it."), act=tr("Write"),
            detail="\n".join(lines),
        ):  # fmt: skip
            return
        written = await self.line.write(facts, changes)
        await self._read_settings()
        self.settings.show_written(written)
        if all(one.ok for one in written):
            self.context.notify("ok", tr("Written and read back."))
        else:
            self.context.notify(
                "error", tr("A setting did not hold or could not be read back. Nothing behind it was written.")
            )

    async def _save_profile(self) -> None:
        facts = self._need_sensor()
        keep = self.context.doors.dialogs["keep_profile"]
        await keep(self.context, self, profile_of(facts, self.settings.settings))

    async def _load_profile(self) -> None:
        facts = self._need_sensor()
        profile = await self.context.doors.dialogs["choose_profile"](self.context, self, facts.dialect)
        if profile is not None:
            differences = compare(profile, self.settings.settings)
            self.settings.propose(changes_to_write(differences))
            self.settings.show_differences(differences)

    async def _show_history(self) -> None:
        facts = self._need_sensor()
        rows = await self.line.history(facts.address)
        text = "\n".join(f"{when}  {what}: {value}" for when, what, value in rows) or tr("No change is recorded.")
        await ask.tell(self, self.context.theme, tr("History of changes"), tr("What the sensor remembers."), text)

    # Captures

    async def _toggle_capture(self) -> None:
        if self.line.capture is not None:
            self.line.stop_capture()
            self.context.notify("ok", tr("The capture is closed: {path}", path=str(self.line.capture_path)))
            return
        name = f"capture-{utc_now().astimezone(self.context.formats.zone):%Y-%m-%d-%H%M%S}.jsonl"
        path = await ask.save_file(self, tr("Capture to a file"), name, ["Capture (*.jsonl)"])
        if path is not None:
            await asyncio.to_thread(path.unlink, missing_ok=True)  # overwriting was agreed to in the dialog
            self.line.start_capture(path)

    async def _replay(self) -> None:
        path = await ask.open_file(self, tr("Replay a capture"), ["Capture (*.jsonl)", "*"])
        if path is None:
            return
        capture = await asyncio.to_thread(read_capture, path)
        pieces = await asyncio.to_thread(self.line.bench.explain, capture.dialect, capture.traffic)
        self.traffic.show_all(pieces, tr("{name}, {port}", name=path.name, port=capture.port))
        self.tabs.choose("traffic")

    # Papers and the tank

    async def _passport(self) -> None:
        facts = self._need_sensor()
        name = f"passport-{facts.serial or facts.model or facts.address}.pdf".replace("/", "-").replace(" ", "-")
        path = await ask.save_file(self, tr("Save the passport"), name, ["PDF (*.pdf)"])
        if path is not None:
            await self.write_passport(path)

    async def write_passport(self, path: Path) -> None:
        """The page as a PDF. A file that cannot be written is told."""
        facts = self._need_sensor()
        session = self.line.session
        passport = Passport(
            facts=facts,
            settings=self.settings.settings,
            level=self.level,
            counters=self._counters(facts.address),
            table=(),
            port=session.port if session is not None else self.connect_card.chosen_port,
            vehicle="",
            made_at=self.context.formats.time(utc_now()),
        )
        try:
            await asyncio.to_thread(write_passport, passport, path)
        except OSError as err:
            self.context.notify("error", tr("{name} cannot be written: {why}.", name=path.name, why=err.strerror))
            return
        self.context.notify("ok", tr("The passport is saved as {name}.", name=path.name))

    async def _calibrate(self) -> None:
        facts = self._need_sensor()
        name = facts.serial or facts.model or tr("sensor {address}", address=facts.address)
        await self.context.doors.dialogs["calibrate_at_bench"](self.context, self, name, self.line)

    # Helpers

    def _need_sensor(self) -> SensorFacts:
        if self.facts is None:
            raise NoSensor(tr("Choose a sensor that was found first."))
        return self.facts

    def _start(self, act: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self.spawn(self._guarded(act), name)

    async def _guarded(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await act()
        except (AdapterError, OperatorError) as err:
            self.context.notify("error", err.why)


class NoSensor(OperatorError):
    """An act that needs a sensor."""
