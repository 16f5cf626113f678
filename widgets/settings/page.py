"""Settings: appearance, time and units, engine, keeping times, data folder, secrets."""

from __future__ import annotations

import asyncio
import zoneinfo
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QWidget
from sqlalchemy import Connection

from app.engine.facts import EngineFacts, read_facts
from app.errors import OperatorError
from app.security.audit import record_act
from app.store.retention import Retention, get_retention, set_retention
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.page import Page, PageHeader
from widgets.primitives import outline_button, text_label
from widgets.settings.rows import SettingRow, card_of, choice, days, switch

ZONES_FIRST = ("Africa/Lagos", "UTC")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the page reads: none of it on the UI thread."""

    retention: Retention
    engine: EngineFacts | None
    store_bytes: int
    secrets: str


class SettingsPage(Page):
    key = "settings"
    title = "Settings"
    icon = "settings"
    topics = frozenset({"facts", "engine"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        column = self.scroll_column()
        column.addWidget(PageHeader(tr("Settings"), tr("How this console looks, what it keeps and where")))
        column.addWidget(self._appearance())
        column.addWidget(self._time_and_units())
        column.addWidget(self._engine())
        column.addWidget(self._keeping())
        column.addWidget(self._places())
        column.addStretch(1)
        self._shown = Retention()
        context.preferences.changed.connect(self._show_preferences)

    async def refresh(self, topics: frozenset[str]) -> None:  # noqa: ARG002 - everything here is read at once
        facts = await self._read_facts()
        self._shown = facts.retention
        for box, value in (
            (self.raw_days, facts.retention.raw_days),
            (self.log_days, facts.retention.logs_days),
            (self.position_days, facts.retention.positions_days),
        ):
            if not box.hasFocus():  # never under the operator's fingers
                box.blockSignals(True)
                box.setValue(value)
                box.blockSignals(False)
        self.store_label.setText(
            tr(
                "{place}, {size}",
                place=self.context.bridge.store.place,
                size=self.context.formats.size(facts.store_bytes),
            )
        )
        self.engine_label.setText(
            tr("Running: {spoken}.", spoken=facts.engine.spoken()) if facts.engine else tr("No engine is running.")
        )
        self.secrets_label.setText(facts.secrets)

    async def _read_facts(self) -> _Facts:
        retention = await self.context.bridge.read(get_retention)
        return await asyncio.to_thread(self._look_around, retention)

    def _look_around(self, retention: Retention) -> _Facts:
        paths = self.context.paths
        size = sum(path.stat().st_size for path in paths.data_dir.glob("store.sqlite*") if path.is_file())
        try:
            secrets = self.context.services.vault.describe()
        except OperatorError as err:
            secrets = err.why
        return _Facts(retention, read_facts(paths.engine_json), size, secrets)

    def _appearance(self) -> QWidget:
        choices = self.context.preferences.choices
        self.theme_box = choice(
            (
                ("system", tr("Like the system")),
                ("light", tr("Light")),
                ("dark", tr("Dark")),
                ("contrast", tr("High contrast")),
            ),
            choices.theme,
        )
        self.theme_box.currentIndexChanged.connect(lambda: self._prefer(theme=self.theme_box.currentData()))
        return card_of(
            tr("Appearance"), [SettingRow(tr("Theme"), tr("Takes effect at once, for this user."), self.theme_box)]
        )

    def _time_and_units(self) -> QWidget:
        choices = self.context.preferences.choices
        zones = [("", tr("This computer's zone")), *((name, name) for name in _zone_names())]
        self.zone_box = choice(zones, choices.time_zone)
        self.zone_box.setMaxVisibleItems(16)
        self.zone_box.currentIndexChanged.connect(lambda: self._prefer(time_zone=self.zone_box.currentData()))
        self.units_box = choice((("metric", tr("Kilometres, km/h")), ("imperial", tr("Miles, mph"))), choices.units)
        self.units_box.currentIndexChanged.connect(lambda: self._prefer(units=self.units_box.currentData()))
        zone_text = tr("Times are stored in UTC and shown in this zone, which is always named.")
        return card_of(
            tr("Time and units"),
            [
                SettingRow(tr("Time zone"), zone_text, self.zone_box),
                SettingRow(
                    tr("Units"), tr("Distances and speeds on every page and in every export as seen."), self.units_box
                ),
            ],
        )

    def _engine(self) -> QWidget:
        self.keep_box = switch(self.context.preferences.choices.keep_engine_running)
        self.keep_box.toggled.connect(lambda on: self._prefer(keep_engine_running=on))
        self.engine_label = text_label("", "muted", wrap=True, selectable=True)
        keep_text = tr(
            "Trackers report day and night. With this on, closing the window leaves the engine that it started at work."
        )
        card = card_of(
            tr("Engine"), [SettingRow(tr("Keep the engine running when the window closes"), keep_text, self.keep_box)]
        )
        card.body.addWidget(self.engine_label)
        return card

    def _keeping(self) -> QWidget:
        self.position_days, self.raw_days, self.log_days = days(400), days(30), days(90)
        self.position_days.valueChanged.connect(lambda n: self._keep(positions_days=n))
        self.raw_days.valueChanged.connect(lambda n: self._keep(raw_days=n))
        self.log_days.valueChanged.connect(lambda n: self._keep(logs_days=n))
        positions = tr("Fixes and events of all vehicles.")
        raw = tr("The bytes behind every position; without them a point can no longer be traced to its frame.")
        logs = tr("The event log, records set aside, finished commands.")
        return card_of(
            tr("How long data is kept"),
            [
                SettingRow(tr("Positions and events"), positions, self.position_days),
                SettingRow(tr("Raw frames"), raw, self.raw_days),
                SettingRow(tr("Logs"), logs, self.log_days),
            ],
        )

    def _places(self) -> QWidget:
        theme = self.context.theme
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.open_folder = outline_button(theme, tr("Open folder"), "folder-open", small=True)
        self.open_folder.clicked.connect(partial(self._open, str(self.context.paths.data_dir)))
        self.open_logs = outline_button(theme, tr("Open logs"), "file-text", small=True)
        self.open_logs.clicked.connect(partial(self._open, str(self.context.paths.logs)))
        row.addWidget(self.open_folder)
        row.addWidget(self.open_logs)
        self.store_label = text_label("", "muted", wrap=True, selectable=True)
        self.secrets_label = text_label("", "muted", wrap=True, selectable=True)
        card = card_of(
            tr("Data folder and secrets"),
            [SettingRow(tr("Data folder"), str(self.context.paths.data_dir), buttons)],
        )
        card.body.addWidget(self.store_label)
        card.body.addSpacing(6)
        card.body.addWidget(self.secrets_label)
        return card

    def _open(self, folder: str) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(folder)):
            self.context.notify("warn", tr("No program here opens folders. The folder is {folder}.", folder=folder))

    def _prefer(self, **values: Any) -> None:
        self._do(self.context.preferences.change(**values), "save preferences")

    def _keep(self, **values: int) -> None:
        wanted = replace(self._shown, **values)
        if wanted != self._shown:
            before, self._shown = self._shown, wanted
            self._do(
                self.context.bridge.write(partial(_save_retention, before=before, after=wanted)), "save keeping times"
            )

    def _do(self, act: Coroutine[Any, Any, Any], name: str) -> None:
        """Run an act; what it could not do is said, and the page shows again what holds."""

        async def run() -> None:
            try:
                await act
            except (OperatorError, ValueError, OSError) as err:
                self.context.notify("error", tr("That was not saved: {why}", why=str(err)))
                self._show_preferences()
                self.request_refresh()

        self.spawn(run(), name)

    def _show_preferences(self) -> None:
        choices = self.context.preferences.choices
        for box, value in (
            (self.theme_box, choices.theme),
            (self.zone_box, choices.time_zone),
            (self.units_box, choices.units),
        ):
            box.blockSignals(True)
            box.setCurrentIndex(max(0, box.findData(value)))
            box.blockSignals(False)
        self.keep_box.blockSignals(True)
        self.keep_box.setChecked(choices.keep_engine_running)
        self.keep_box.blockSignals(False)


def _save_retention(connection: Connection, before: Retention, after: Retention) -> None:
    set_retention(connection, after)
    record_act(
        connection,
        what="retention.set",
        subject=tr("How long data is kept"),
        before={"raw": before.raw_days, "logs": before.logs_days, "positions": before.positions_days},
        after={"raw": after.raw_days, "logs": after.logs_days, "positions": after.positions_days},
    )


def _zone_names() -> list[str]:
    odd = ("Etc/", "SystemV/", "posix", "right")
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(odd))
    return [*ZONES_FIRST, *(name for name in names if name not in ZONES_FIRST)]
