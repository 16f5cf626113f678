"""The Integrations page with its dialogs on a real store, and hands that click and type in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QWidget,
)
from sqlalchemy import Connection, insert, select

from adapters.traccar.simulator import TraccarServer, running
from adapters.traccar.simulator_world import World
from app.catalogue import Catalogue
from app.clock import SystemClock, utc_now
from app.engine.facts import ENGINE_FACT
from app.integrations import Desk, IntegrationRow, list_integrations
from app.store.changes import raise_topic
from app.store.facts import set_fact
from app.store.tables import Integration, IntegrationState
from dialogs.diagnostics import diagnostics
from dialogs.integration_settings import IntegrationSettingsDialog, integration_settings
from dialogs.settings_transfer import import_settings
from tests.helpers.qt import Console, open_dialog, until
from widgets.integrations.page import IntegrationsPage

LEFT = Qt.MouseButton.LeftButton


@dataclass
class Depot:
    """The page, and what a test needs to look behind it."""

    console: Console
    page: IntegrationsPage

    @property
    def desk(self) -> Desk:
        return self.console.context.services.desk

    def rows(self) -> list[IntegrationRow]:
        """What is saved, whatever the page shows."""
        with self.console.store.read() as connection:
            return list_integrations(connection)

    def secrets_version(self, integration_id: str) -> int:
        with self.console.store.read() as connection:
            query = select(Integration.secrets_version).where(Integration.id == integration_id)
            return int(connection.execute(query).scalar_one())

    async def settle(self, count: int) -> None:
        """Wait until the page lists so many integrations."""
        await until(lambda: self.page.overview is not None and len(self.page.overview.rows) == count)

    async def write(self, job: Callable[[Connection], Any]) -> Any:
        return await asyncio.wrap_future(self.console.store.write(job))

    async def set_state(self, integration_id: str, phase: str, reason: str = "", **facts: Any) -> None:
        """What an engine would have written."""
        now = utc_now()
        values: dict[str, Any] = {"since": now - timedelta(minutes=4), "detail": {}, **facts}

        def job(connection: Connection) -> None:
            version = raise_topic(connection, "integration_states")
            row = {"integration_id": integration_id, "phase": phase, "reason": reason, "changed_version": version}
            connection.execute(insert(IntegrationState).values({**row, **values}))

        await self.write(job)

    async def settings_dialog(self) -> IntegrationSettingsDialog:
        await until(lambda: isinstance(open_dialog(), IntegrationSettingsDialog))
        dialog = open_dialog()
        assert isinstance(dialog, IntegrationSettingsDialog)
        return dialog


@asynccontextmanager
async def opened_page(console: Console, catalogue: Catalogue | None = None) -> AsyncIterator[Depot]:
    """The page shown at the window's usual size. ``catalogue`` in place of the real one."""
    context = console.context
    if catalogue is not None:
        context.services.__dict__["_catalogue"] = catalogue
    context.doors.dialogs = {
        "integration_settings": integration_settings,
        "diagnostics": diagnostics,
        "import_settings": import_settings,
    }
    page = IntegrationsPage(context)
    page.resize(1072, 800)
    page.show()
    await until(lambda: page.is_ready or console.failures)
    try:
        yield Depot(console, page)
    finally:
        page.hide()
        page.close_page()
        await console.tasks.cancel_owner(page)  # dialogs end before the window that they lie over
        page.deleteLater()


@asynccontextmanager
async def traccar_server(**options: Any) -> AsyncIterator[TraccarServer]:
    """A simulated Traccar server on loopback with a few vehicles."""
    now_ms = time.time_ns() // 1_000_000
    world = World(vehicles=3, interval_s=10, start_ms=now_ms - 60_000, seed=1)
    world.advance(now_ms)
    async with running(world, **options) as server:
        yield server


def set_engine_running(connection: Connection) -> None:
    """The beat of an engine, as every process sees it."""
    set_fact(connection, ENGINE_FACT, {"state": "running", "beat_at_ms": SystemClock().now_ms()})


def click(button: QAbstractButton) -> None:
    assert button.isVisible(), f"{button.text() or button.accessibleName()} is not shown"
    QTest.mouseClick(button, LEFT)


def type_into(dialog: IntegrationSettingsDialog, fields: Mapping[str, str]) -> None:
    """Replace what stands in these fields, key by key."""
    for name, text in fields.items():
        row = dialog.form.name if name == "name" else dialog.form.rows[name]
        assert row.isVisible(), f"the field {name} is not shown"
        box = row.editor.input
        line = box if isinstance(box, QLineEdit) else box.findChild(QLineEdit)
        assert isinstance(line, QLineEdit)
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, text)


def error_at(dialog: IntegrationSettingsDialog, field: str) -> str:
    """What is said below a field."""
    row = dialog.form.name if field == "name" else dialog.form.rows[field]
    return row.error_text


def pick(action: str) -> None:
    """Choose an entry of the menu that is open."""
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu), "no menu is open"
    (found,) = [entry for entry in menu.actions() if entry.objectName() == action]
    assert found.isEnabled()
    found.trigger()
    menu.close()


def texts_of(widget: QWidget) -> str:
    """Everything that can be read in a window, tool tips and accessible words included."""
    found = [widget.windowTitle()]
    for child in [widget, *widget.findChildren(QWidget)]:
        found += [child.toolTip(), child.accessibleName(), child.accessibleDescription(), child.whatsThis()]
        if isinstance(child, QLabel | QAbstractButton | QLineEdit):
            found.append(child.text())
        if isinstance(child, QLineEdit):
            found.append(child.placeholderText())
        if isinstance(child, QPlainTextEdit):
            found.append(child.toPlainText())
        if isinstance(child, QComboBox):
            found += [child.itemText(place) for place in range(child.count())]
    return "\n".join(found)
