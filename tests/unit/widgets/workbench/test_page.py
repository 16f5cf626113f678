"""A field engineer at the workbench, against a simulated bus on a pseudo terminal: from the port to the passport."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QPushButton, QSpinBox
from sqlalchemy import select

from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from app.fuel.calibrations import list_calibrations
from app.fuel.captures import read_capture
from app.fuel.tanks import list_tanks
from app.store.tables import Act
from dialogs.calibration import CalibrationDialog, calibrate_at_bench
from dialogs.fuel_tank_forms import TankForm
from tests.helpers.qt import Console, open_dialog, until
from widgets.workbench.page import WorkbenchPage

LEFT = Qt.MouseButton.LeftButton
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals on Windows")


@dataclass
class Desk:
    console: Console
    page: WorkbenchPage
    bus: SensorBus

    async def open(self) -> None:
        card = self.page.connect_card
        card.port.setEditText(self.bus.port)
        QTest.mouseClick(card.open, LEFT)
        await until(lambda: self.page.line.is_open)

    async def search(self) -> None:
        QTest.mouseClick(self.page.connect_card.scan, LEFT)
        await until(lambda: self.page.connect_card.found.count() == 2)
        await until(lambda: not self.page.connect_card.progress.isVisible())

    def press(self, label: str) -> None:
        dialog = open_dialog()
        assert dialog is not None
        (button,) = [one for one in dialog.findChildren(QPushButton) if one.text() == label]
        QTest.mouseClick(button, LEFT)


async def choose_file(path: Path) -> None:
    """Give a file to the file dialog that is open."""

    def found() -> list[QFileDialog]:
        return [one for one in QApplication.topLevelWidgets() if isinstance(one, QFileDialog) and one.isVisible()]

    await until(found)
    dialog = found()[0]
    dialog.setDirectory(str(path.parent))
    (name,) = dialog.findChildren(QLineEdit)
    name.setText(str(path))
    dialog.accept()


@pytest_asyncio.fixture
async def desk(console: Console, tmp_path: Path) -> AsyncIterator[Desk]:
    sensors = [LlsSensor(1, level=lambda: 1500.0), LlsSensor(3, level=lambda: 2500.0)]
    bus = SensorBus.on_pty(sensors, tmp_path / "bus")
    bus.start()
    console.context.doors.dialogs = {"calibrate_at_bench": calibrate_at_bench}
    page = WorkbenchPage(console.context)
    page.resize(1_200, 780)
    page.show()
    await until(lambda: page.refresh_count > 0)
    yield Desk(console, page, bus)
    if page.line.is_open:
        await page.line.close()
    page.hide()
    page.close_page()
    await asyncio.to_thread(bus.stop)


async def test_sensors_are_found_and_read_live(desk: Desk) -> None:
    page = desk.page
    await desk.open()
    assert page.connect_card.state.word == "Open"
    await desk.search()
    await until(lambda: page.live.value.value.text() == "1,500")
    assert page.live.temperature.value.text().endswith("°C")
    assert "100%" in page.live.quality.value.text()
    page.connect_card.found.setCurrentRow(1)
    await until(lambda: page.live.value.value.text() == "2,500")
    desk.bus.faults.silent.add(3)
    await until(lambda: page.live.value.value.text() == "–")
    assert page.live.value.note.text()


async def test_what_was_read_last_does_not_pass_for_a_reading_of_now(desk: Desk) -> None:
    page = desk.page
    await desk.open()
    await desk.search()
    await until(lambda: page.live.value.value.text() == "1,500")
    desk.bus.faults.silent.add(1)
    await until(lambda: "Last read" in page.live.value.note.text())
    assert page.live.value.value.text() == page.live.temperature.value.text() == "–"
    desk.bus.faults.silent.clear()
    await until(lambda: page.live.value.value.text() == "1,500")
    QTest.mouseClick(page.connect_card.open, LEFT)
    await until(lambda: page.live.value.note.text().startswith("The port is closed. Last read"))
    assert page.live.value.value.text() == page.live.temperature.value.text() == "–"


async def test_the_traffics_count_is_that_of_its_list(desk: Desk) -> None:
    page = desk.page
    await desk.open()
    QTest.mouseClick(page.tabs.button("traffic"), LEFT)
    await desk.search()
    await until(lambda: len(page.traffic.model.rows) > 3)
    page._stop_polling()
    QTest.mouseClick(page.traffic.clear_button, LEFT)
    await until(lambda: page.traffic.words.text() == f"{len(page.traffic.model.rows)} pieces")


async def test_a_setting_is_written_read_back_and_recorded(desk: Desk) -> None:
    page = desk.page
    await desk.open()
    await desk.search()
    await until(lambda: "filter" in " ".join(page.settings.fields).lower())
    (name,) = [name for name in page.settings.fields if "filter" in name]
    field = page.settings.fields[name]
    assert isinstance(field, QSpinBox)
    assert not page.settings.write.isEnabled()
    field.setValue(7)
    assert page.settings.write.isEnabled()
    QTest.mouseClick(page.tabs.button("settings"), LEFT)
    QTest.mouseClick(page.settings.write, LEFT)
    await until(lambda: open_dialog() is not None)
    desk.press("Write")
    await until(page.settings.banner.isVisible)
    assert "read back" in page.settings.banner.words.text()
    assert ("ok", "Written and read back.") in desk.console.notes
    acts = await desk.console.context.bridge.read(lambda c: c.execute(select(Act.what)).scalars().all())
    assert "sensor.write" in acts


async def test_traffic_is_shown_captured_and_replayed_also_when_the_cable_is_pulled(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    await desk.open()
    QTest.mouseClick(page.tabs.button("traffic"), LEFT)
    QTest.mouseClick(page.traffic.capture, LEFT)
    path = tmp_path / "capture.jsonl"
    await choose_file(path)
    await until(lambda: page.line.capture is not None)
    await desk.search()
    await until(lambda: len(page.traffic.model.rows) > 6)
    desk.bus.unplug()
    await until(lambda: page.connect_card.state.word == "Unplugged")
    lines = page.line.capture.lines if page.line.capture is not None else 0
    desk.bus.plug()
    await until(lambda: page.connect_card.state.word == "Open")
    await until(lambda: page.line.capture is not None and page.line.capture.lines > lines)
    QTest.mouseClick(page.traffic.capture, LEFT)
    await until(lambda: page.line.capture is None)
    assert len(read_capture(path).traffic) > lines
    QTest.mouseClick(page.traffic.replay, LEFT)
    await choose_file(path)
    await until(lambda: page.traffic.is_paused)
    assert any(row.one.fields for row in page.traffic.model.rows)


async def test_the_passport_is_a_pdf(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    await desk.open()
    await desk.search()
    await until(lambda: page.level is not None and page.passport.isEnabled() and page.settings.settings)
    path = tmp_path / "passport.pdf"
    QTest.mouseClick(page.passport, LEFT)
    await choose_file(path)
    await until(lambda: any("passport" in text for _level, text in desk.console.notes))
    assert path.read_bytes()[:5] == b"%PDF-"
    await page.write_passport(tmp_path / "no" / "where.pdf")
    assert desk.console.notes[-1][0] == "error"


async def test_a_tank_is_calibrated_with_the_cable_alone(desk: Desk) -> None:
    page = desk.page
    await desk.open()
    await desk.search()
    await until(lambda: page.level is not None and page.calibrate.isEnabled())
    QTest.mouseClick(page.calibrate, LEFT)
    await until(lambda: isinstance(open_dialog(), TankForm))
    form = open_dialog()
    assert isinstance(form, TankForm)
    QTest.keyClicks(form.plate, "KAN-1")
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: isinstance(open_dialog(), CalibrationDialog))
    dialog = open_dialog()
    assert isinstance(dialog, CalibrationDialog)
    await until(lambda: dialog.live.text() == "1,500")
    QTest.mouseClick(dialog.take, LEFT)
    dialog.show_reading(desk.console.context.services.clock.now_ms() / 1000, 3000)
    QTest.mouseClick(dialog.take, LEFT)
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)
    (tank,) = await desk.console.context.bridge.read(list_tanks)
    (version,) = await desk.console.context.bridge.read(lambda c: list_calibrations(c, tank.id))
    assert version.table.rows() == [[1500, 0], [3000, 20]]
    assert version.sensor_id is None


async def test_what_cannot_be_opened_is_told(desk: Desk) -> None:
    page = desk.page
    page.connect_card.port.setEditText("/dev/does-not-exist")
    QTest.mouseClick(page.connect_card.open, LEFT)
    await until(lambda: any(level == "error" for level, _text in desk.console.notes))
    assert not page.line.is_open
    page.connect_card.addresses.setText("x")
    page.connect_card.show_state(is_open=True, is_connected=True, words="")
    QTest.mouseClick(page.connect_card.scan, LEFT)
    assert desk.console.notes[-1] == ("warn", "Write the addresses as 1-8,12.")


@pytest.mark.skipif("BIKO_PICTURES" not in os.environ, reason="pictures are made on demand: BIKO_PICTURES=folder")
async def test_pictures_of_every_view(desk: Desk) -> None:
    folder = Path(os.environ["BIKO_PICTURES"])
    page = desk.page
    await desk.open()
    await desk.search()
    await until(lambda: page.level is not None and page.settings.settings)
    await asyncio.sleep(4)
    for theme in ("light", "dark"):
        desk.console.context.theme.set_mode(theme)
        for view in ("live", "settings", "traffic"):
            page.tabs.choose(view)
            await asyncio.sleep(0.5)
            page.grab().save(str(folder / f"workbench-{view}-{theme}.png"))
    await page.write_passport(folder / "passport.pdf")
