"""Settings: operator, appearance, time and units, engine, keeping times, data folder, secrets."""

from __future__ import annotations

import asyncio
import zoneinfo
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QTime, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QWidget
from sqlalchemy import Connection

from app import platform
from app.engine.facts import EngineFacts, read_facts
from app.errors import OperatorError
from app.security.audit import record_act
from app.store.retention import Retention, get_retention, set_retention
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.page import Page, PageHeader
from widgets.primitives import labelled, outline_button, primary_button, text_label
from widgets.settings.mail import MailCard, read_mail
from widgets.settings.operator import OperatorCard
from widgets.settings.rows import SettingRow, card_of, choice, days, switch, time_of_day

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
    topics = frozenset({"facts", "engine", "mail", "outbox"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._kept = Retention()
        column = self.scroll_column()
        column.addWidget(PageHeader(tr("Settings"), tr("How this console looks, what it keeps and where")))
        self.operator = OperatorCard(context, self._do)
        column.addWidget(self.operator.card)
        column.addWidget(self._appearance())
        column.addWidget(self._time_and_units())
        column.addWidget(self._alarms())
        self.mail = MailCard(context, self, self._do)
        column.addWidget(self.mail.card)
        column.addWidget(self._engine())
        column.addWidget(self._keeping())
        column.addWidget(self._places())
        column.addStretch(1)
        context.preferences.changed.connect(self._show_preferences)

    async def refresh(self, topics: frozenset[str]) -> None:  # noqa: ARG002 - everything here is read at once
        facts = await self._read_facts()
        self.mail.show(await self.context.bridge.read(read_mail))
        if self._entered() == self._kept:  # never over what somebody is just entering
            self._show_keeping(facts.retention)
        self._kept = facts.retention
        self._on_days_changed()
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
        engine = read_facts(paths.engine_json)
        if engine is not None and not platform.is_process_alive(engine.pid):
            engine = None
        return _Facts(retention, engine, size, secrets)

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

    def _alarms(self) -> QWidget:
        choices = self.context.preferences.choices
        self.sound_box = choice(
            (("all", tr("For every alarm")), ("high", tr("For those of high priority")), ("none", tr("Never"))),
            choices.alarm_sound,
        )
        self.sound_box.currentIndexChanged.connect(lambda: self._prefer(alarm_sound=self.sound_box.currentData()))
        self.quiet_from, self.quiet_to = time_of_day(choices.quiet_from), time_of_day(choices.quiet_to)
        self.quiet_from.editingFinished.connect(self._prefer_quiet)
        self.quiet_to.editingFinished.connect(self._prefer_quiet)
        hours = QWidget()
        row = QHBoxLayout(hours)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (
            labelled(self.quiet_from, tr("Quiet hours begin")),
            text_label(tr("to")),
            labelled(self.quiet_to, tr("Quiet hours end")),
        ):
            row.addWidget(widget)
        sound = tr("Each sound is also a flash of the line in the side bar and a message.")
        quiet = tr("Only alarms of high priority are heard then. The same time twice means no quiet hours.")
        return card_of(
            tr("Alarms"),
            [SettingRow(tr("Sound"), sound, self.sound_box), SettingRow(tr("Quiet hours"), quiet, hours)],
        )

    def _prefer_quiet(self) -> None:
        first, last = (box.time().toString("HH:mm") for box in (self.quiet_from, self.quiet_to))
        choices = self.context.preferences.choices
        if (first, last) != (choices.quiet_from, choices.quiet_to):  # also told when the focus only passes by
            self._prefer(quiet_from=first, quiet_to=last)

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
        for box in (self.position_days, self.raw_days, self.log_days):
            box.valueChanged.connect(self._on_days_changed)
        positions = tr("Fixes, events and past alarms of all vehicles.")
        raw = tr("The bytes behind every position; without them a point can no longer be traced to its frame.")
        logs = tr("The event log, records set aside, finished commands.")
        self.save_days = primary_button(self.context.theme, tr("Save"))
        self.save_days.clicked.connect(lambda: self._do(self._save_keeping(), "save keeping times"))
        self.undo_days = outline_button(self.context.theme, tr("Undo"))
        self.undo_days.clicked.connect(lambda: self._show_keeping(self._kept))
        self._days_buttons = QWidget()
        row = QHBoxLayout(self._days_buttons)
        row.setContentsMargins(0, 8, 0, 0)
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(self.undo_days)
        row.addWidget(self.save_days)
        self._days_buttons.hide()
        card = card_of(
            tr("How long data is kept"),
            [
                SettingRow(tr("Positions and events"), positions, self.position_days),
                SettingRow(tr("Raw frames"), raw, self.raw_days),
                SettingRow(tr("Logs"), logs, self.log_days),
            ],
        )
        card.body.addWidget(self._days_buttons)
        return card

    def _entered(self) -> Retention:
        return Retention(self.raw_days.value(), self.log_days.value(), self.position_days.value())

    def _show_keeping(self, retention: Retention) -> None:
        self.raw_days.setValue(retention.raw_days)
        self.log_days.setValue(retention.logs_days)
        self.position_days.setValue(retention.positions_days)

    def _on_days_changed(self) -> None:
        self._days_buttons.setVisible(self._entered() != self._kept)

    async def _save_keeping(self) -> None:
        """Less is kept only after it was said what that deletes."""
        before, after = self._kept, self._entered()
        lost = [
            tr("{what} older than {days} days", what=what, days=now)
            for what, was, now in (
                (tr("Positions and events"), before.positions_days, after.positions_days),
                (tr("Raw frames"), before.raw_days, after.raw_days),
                (tr("Logs"), before.logs_days, after.logs_days),
            )
            if now < was
        ]
        if lost and not await ask.confirm(
            self,
            self.context.theme,
            tr("Keep less?"),
            tr("Within the next hour this is deleted for good, on every screen and in every export:"),
            act=tr("Keep less"),
            detail="\n".join(lost),
            destructive=True,
        ):
            return
        await self.context.bridge.write(partial(_save_retention, before=before, after=after))
        self._kept = after
        self._on_days_changed()
        self.context.notify("ok", tr("Saved. The engine keeps data by the new times."))

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
            (self.sound_box, choices.alarm_sound),
        ):
            box.blockSignals(True)
            box.setCurrentIndex(max(0, box.findData(value)))
            box.blockSignals(False)
        self.quiet_from.setTime(QTime.fromString(choices.quiet_from, "HH:mm"))
        self.quiet_to.setTime(QTime.fromString(choices.quiet_to, "HH:mm"))
        self.keep_box.blockSignals(True)
        self.keep_box.setChecked(choices.keep_engine_running)
        self.keep_box.blockSignals(False)
        self.operator.show_choice()


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
