"""Tanks and the sensors in them: which there are, what each is in, how it is calibrated, replaced and removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.errors import OperatorError
from app.fuel.calibrations import list_calibrations
from app.fuel.tank_acts import History, sensor_history, tank_history
from app.fuel.tanks import (
    SensorListing,
    TankListing,
    bind_sensor,
    list_sensors,
    list_tanks,
    remove_sensor,
    remove_tank,
    rename_sensor,
)
from dialogs.fuel_tank_forms import (
    FUEL_WORDS,
    ReplaceForm,
    TankForm,
    TankSettingsForm,
    put_into_tank,
    vehicle_classes,
)
from dialogs.fuel_words import buttons_row, problem_label, show_problem, tank_words, value_words
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING, Formats
from widgets.primitives import SearchField, SegmentedTabs, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, HEIGHT_PX, ACTS_PX = 1_040, 600, 176
SENSORS, TANKS = "sensors", "tanks"
_TOPICS = frozenset({"fuel_sensors", "tanks", "vehicles", "calibrations"})


async def fuel_tanks(context: ConsoleContext, parent: QWidget, vehicle_id: str | None = None) -> None:
    """Open the dialog; everything in it is saved at once."""
    dialog = TanksDialog(context, parent)
    await dialog.reload()
    dialog.select_vehicle(vehicle_id)
    await ask.run(dialog)


class TanksDialog(QDialog):
    """Two lists, each with its acts beside it. It follows the store: sensors appear while it is open."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._plate = ""
        self.by_id: dict[str, TankListing] = {}
        self.calibrated: dict[str, int] = {}
        self.labels: dict[str, str] = {}
        self.setWindowTitle(tr("Tanks and sensors"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme = context.theme
        self.tabs = SegmentedTabs([(SENSORS, tr("Sensors")), (TANKS, tr("Tanks"))])
        self.search = SearchField(theme, tr("Plate, tank or sensor…"))
        self.model = RowsModel[SensorListing](self._sensor_columns(), key=lambda row: row.id)
        self.table = DataTable(theme, self.model, tr("Fuel sensors"))
        self.model.setParent(self.table)
        self.table.set_empty(
            "inbox", tr("No sensor yet"),
            tr("A sensor appears here with its first reading: add Fuel Monitoring and choose its port and address."),
        )  # fmt: skip
        tank_model = RowsModel[TankListing](self._tank_columns(), key=lambda row: row.id)
        self.tanks = DataTable(theme, tank_model, tr("Tanks"))
        tank_model.setParent(self.tanks)
        self.tanks.set_empty("fuel", tr("No tank yet"), tr("Add one, or put a sensor into one: it is made with it."))
        self.bind = primary_button(theme, tr("Put into a tank…"), "fuel")
        self.calibrate = outline_button(theme, tr("Calibrate…"), "gauge")
        self.versions = outline_button(theme, tr("Calibrations…"), "history")
        self.replace = outline_button(theme, tr("Replace…"), "arrow-left-right")
        self.rename = outline_button(theme, tr("Rename…"), "pencil")
        self.take_out = outline_button(theme, tr("Take out…"), "log-out")
        self.remove = outline_button(theme, tr("Remove…"), "trash-2")
        self.add_tank = primary_button(theme, tr("Add a tank…"), "plus")
        self.change_tank = outline_button(theme, tr("Change…"), "pencil")
        self.tank_versions = outline_button(theme, tr("Calibrations…"), "history")
        self.remove_tank = outline_button(theme, tr("Remove…"), "trash-2")
        self.problem = problem_label()
        self.close_button = outline_button(theme, tr("Close"))
        self._lay_out()
        self._connect()
        self._enable()

    def done(self, result: int) -> None:
        self._context.bridge.changed.disconnect(self._on_changed)
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Tanks and sensors"), "heading"))
        words = tr("A vehicle's litres are the sum of its tanks. A sensor gives litres once it has a calibration.")
        column.addWidget(text_label(words, "muted", wrap=True))
        bar = QHBoxLayout()
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        bar.addWidget(self.search)
        column.addLayout(bar)
        self.stack = QStackedWidget()
        acts = (self.bind, self.calibrate, self.versions, self.rename, self.replace, self.take_out, self.remove)
        self.stack.addWidget(_pane(self.table, acts))
        self.stack.addWidget(_pane(self.tanks, (self.add_tank, self.change_tank, self.tank_versions, self.remove_tank)))
        column.addWidget(self.stack, 1)
        column.addWidget(self.problem)
        column.addLayout(buttons_row(right=(self.close_button,)))

    def _connect(self) -> None:
        for table in (self.table, self.tanks):
            table.selected.connect(lambda _rows: self._enable())
        self.tabs.chosen.connect(lambda key: self.stack.setCurrentIndex((SENSORS, TANKS).index(key)))
        self.search.searched.connect(self._on_search)
        self.table.activated.connect(lambda _row: self._start(self._calibrate if self._row_tank() else self._bind))
        self.tanks.activated.connect(lambda _row: self._start(self._change_tank))
        acts: tuple[tuple[QPushButton, Callable[[], Awaitable[Any]]], ...] = (
            (self.bind, self._bind), (self.calibrate, self._calibrate), (self.versions, self._versions),
            (self.rename, self._rename), (self.replace, self._replace), (self.take_out, self._take_out),
            (self.remove, self._remove), (self.add_tank, self._add_tank), (self.change_tank, self._change_tank),
            (self.tank_versions, self._tank_versions), (self.remove_tank, self._remove_tank),
        )  # fmt: skip
        for button, act in acts:
            button.clicked.connect(partial(self._start, act))
        self.close_button.clicked.connect(self.accept)
        self._context.bridge.changed.connect(self._on_changed)

    def _sensor_columns(self) -> list[Column[SensorListing]]:
        formats = self._context.formats
        return [
            Column("sensor", tr("Sensor"), lambda row: row.label, width=170, tooltip=lambda row: row.unique_id),
            Column("model", tr("Model"), lambda row: row.model or row.kind, width=100),
            Column("vehicle", tr("Vehicle"), lambda row: row.plate or NOTHING, width=110),
            Column("tank", tr("Tank"), self._tank_words, width=100),
            Column("value", tr("Reading"), lambda row: _reading_words(row, formats),
                   lambda row: row.last_value, align="right", width=100),
            Column("age", tr("Heard"), lambda row: formats.ago(row.last_ms), lambda row: row.last_ms, width=96),
            Column("table", tr("Calibration"), lambda row: self._calibration_badge(row)[1],
                   badge=self._calibration_badge, width=110),
        ]  # fmt: skip

    def _tank_columns(self) -> list[Column[TankListing]]:
        number = self._context.formats.number
        return [
            Column("vehicle", tr("Vehicle"), lambda row: row.plate, width=120),
            Column("tank", tr("Tank"), lambda row: row.name or NOTHING, width=130),
            Column("fuel", tr("Fuel"), lambda row: tr(FUEL_WORDS.get(row.fuel, row.fuel)), width=90),
            Column("capacity", tr("Capacity"), lambda row: NOTHING if row.capacity_l is None else
                   f"{number(row.capacity_l)} L", lambda row: row.capacity_l, align="right", width=96),
            Column("sensors", tr("Sensors"), self._sensor_words, lambda row: len(row.sensors), width=200,
                   tooltip=self._sensor_words),
            Column("combine", tr("Together"), lambda row: (tr("Average") if row.combine == "average" else tr("Sum"))
                   if len(row.sensors) > 1 else NOTHING, width=90),
        ]  # fmt: skip

    def _tank_words(self, row: SensorListing) -> str:
        tank = self.by_id.get(row.tank_id or "")
        return NOTHING if tank is None else tank.name or tr("Tank")

    def _sensor_words(self, row: TankListing) -> str:
        return ", ".join(self.labels.get(one, one) for one in row.sensors) or NOTHING

    def _calibration_badge(self, row: SensorListing) -> tuple[Any, str]:
        tank = self.by_id.get(row.tank_id or "")
        if tank is None:
            return "info", tr("Waiting")
        version = self.calibrated.get(row.id)
        if version:
            return "ok", tr("Version {number}", number=version)
        if row.unit == "litres" or (row.unit == "percent" and tank.capacity_l):
            return "ok", tr("Not needed")
        return "warn", tr("Missing")

    async def reload(self) -> None:
        def read(connection: Connection) -> tuple[list[SensorListing], list[TankListing], dict[str, int]]:
            sensors, tanks = list_sensors(connection), list_tanks(connection)
            units = {one.id: one.unit for one in sensors}
            versions: dict[str, int] = {}
            for tank in tanks:
                for one in list_calibrations(connection, tank.id):
                    if one.valid_to_ms is None:
                        for sensor_id in [one.sensor_id] if one.sensor_id else tank.sensors:
                            if units.get(sensor_id) == one.unit:
                                versions[sensor_id] = one.version
            return sensors, tanks, versions

        sensors, tanks, self.calibrated = await self._context.bridge.read(read)
        self.by_id = {tank.id: tank for tank in tanks}
        self.labels = {one.id: one.label for one in sensors}
        self.model.apply(sensors)
        self.tanks.model.apply(tanks)
        self.model.redraw()
        self.tanks.model.redraw()
        self.tabs.set_label(SENSORS, tr("Sensors  {count}", count=len(sensors)))
        self.tabs.set_label(TANKS, tr("Tanks  {count}", count=len(tanks)))
        self._enable()

    def select_vehicle(self, vehicle_id: str | None) -> None:
        """Choose the first sensor that waits, else the first of a vehicle; and the vehicle's tank."""
        own = [tank for tank in self.by_id.values() if tank.vehicle_id == vehicle_id]
        ids = {tank.id for tank in own}
        waiting = [row for row in self.model.rows if row.tank_id is None]
        for row in [*waiting, *(row for row in self.model.rows if row.tank_id in ids)][:1]:
            self.table.select_key(row.id)
        for tank in own[:1]:
            self._plate = tank.plate
            self.tanks.select_key(tank.id)

    def _row(self) -> SensorListing | None:
        rows: Sequence[SensorListing] = self.table.selected_rows()
        return rows[0] if len(rows) == 1 else None

    def _row_tank(self) -> TankListing | None:
        row = self._row()
        return None if row is None else self.by_id.get(row.tank_id or "")

    def _tank(self) -> TankListing | None:
        rows: Sequence[TankListing] = self.tanks.selected_rows()
        return rows[0] if len(rows) == 1 else None

    def _enable(self) -> None:
        has_row, has_tank = self._row() is not None, self._row_tank() is not None
        for button in (self.bind, self.rename, self.remove):
            button.setEnabled(has_row)
        for button in (self.take_out, self.calibrate, self.versions, self.replace):
            button.setEnabled(has_tank)
        for button in (self.change_tank, self.tank_versions, self.remove_tank):
            button.setEnabled(self._tank() is not None)

    def _on_search(self, text: str) -> None:
        self.model.set_filter(text)
        self.tanks.model.set_filter(text)

    def _on_changed(self, topics: frozenset[str]) -> None:
        if topics & _TOPICS:
            self._context.tasks.start(self._reload_or_tell(), name="tanks", owner=self)

    def _start(self, act: Callable[[], Awaitable[Any]], *_checked: object) -> None:
        show_problem(self.problem, "")
        self._context.tasks.start(self._guarded(act), name="tanks", owner=self)

    async def _guarded(self, act: Callable[[], Awaitable[Any]]) -> None:
        try:
            await act()
        except OperatorError as err:
            show_problem(self.problem, err.why)
        await self._reload_or_tell()

    async def _reload_or_tell(self) -> None:
        try:
            await self.reload()
        except OperatorError as err:
            show_problem(self.problem, err.why)

    # Acts on a sensor

    async def _bind(self) -> None:
        row = self._row()
        if row is None:
            return
        classes = await self._context.bridge.read(vehicle_classes)
        plate = str(row.settings.get("vehicle") or "")
        form = TankForm(self._context, self, row.label, classes, tuple(self.by_id.values()), self._row_tank(), plate)
        if await ask.run(form):
            await self._context.bridge.write(partial(put_into_tank, sensor=row, **form.values()))

    async def _calibrate(self) -> None:
        row, tank = self._row(), self._row_tank()
        if row is not None and tank is not None:
            await self._context.doors.dialogs["calibrate"](self._context, self, row, tank)

    async def _versions(self) -> None:
        tank = self._row_tank()
        if tank is not None:
            await self._context.doors.dialogs["calibration_history"](self._context, self, tank)

    async def _rename(self) -> None:
        row = self._row()
        if row is None:
            return
        name = await ask.text(
            self, self._context.theme, tr("Rename the sensor"),
            tr("What people call it. Empty: {id}, as its source calls it.", id=row.unique_id), value=row.name,
            act=tr("Rename"),
        )  # fmt: skip
        if name is not None:
            await self._context.bridge.write(partial(rename_sensor, sensor_id=row.id, name=name))

    async def _replace(self) -> None:
        row = self._row()
        if row is None:
            return
        waiting = [one for one in await self._context.bridge.read(list_sensors) if one.tank_id is None]
        if not waiting:
            await ask.tell(
                self, self._context.theme, tr("No other sensor waits"),
                tr("Connect the new sensor first. It appears in this list with its first reading; then replace "
                   "{sensor} by it.", sensor=row.label),
            )  # fmt: skip
            return
        await ask.run(ReplaceForm(self._context, self, row, waiting))

    async def _take_out(self) -> None:
        row = self._row()
        if row is not None and await ask.confirm(
            self, self._context.theme,
            tr("Take {sensor} out of {tank}?", sensor=row.label, tank=tank_words(row.plate, row.tank)),
            tr("What it measured so far stays. What it measures from now on belongs to no tank."), act=tr("Take out"),
        ):  # fmt: skip
            await self._context.bridge.write(partial(bind_sensor, sensor_id=row.id, tank_id=None))

    async def _remove(self) -> None:
        row = self._row()
        if row is None:
            return
        history = await self._context.bridge.read(partial(sensor_history, sensor=row))
        place = tank_words(row.plate, row.tank)
        stays = tr("What it measured stays in the history of its tanks.") if history.readings else ""
        if await ask.confirm(
            self, self._context.theme, tr("Remove {sensor}?", sensor=row.label),
            " ".join(part for part in (
                tr("It leaves {tank} and this list; when it reports again, it waits like a new one.", tank=place)
                if place else tr("It leaves this list; when it reports again, it waits like a new one."), stays,
            ) if part),
            act=tr("Remove the sensor"), destructive=True, detail=self._measured(history),
        ):  # fmt: skip
            await self._context.bridge.write(partial(remove_sensor, sensor_id=row.id))

    # Acts on a tank

    async def _add_tank(self) -> None:
        tank = self._tank()
        plates = list(await self._context.bridge.read(vehicle_classes))
        form = TankSettingsForm(self._context, self, plates, plate=self._plate if tank is None else tank.plate)
        await ask.run(form)

    async def _change_tank(self) -> None:
        tank = self._tank()
        if tank is not None:
            await ask.run(TankSettingsForm(self._context, self, (), tank))

    async def _tank_versions(self) -> None:
        tank = self._tank()
        if tank is not None:
            await self._context.doors.dialogs["calibration_history"](self._context, self, tank)

    async def _remove_tank(self) -> None:
        tank = self._tank()
        if tank is None:
            return
        history = await self._context.bridge.read(partial(tank_history, tank_id=tank.id))
        said = [tr("It leaves this list and the vehicle's litres.")]
        if tank.sensors:
            said.append(
                trn("Its sensor waits for another tank.", "Its {count} sensors wait for another tank.",
                    len(tank.sensors))
            )  # fmt: skip
        if history.readings:
            said.append(
                tr(
                    "Its levels, daily totals and reports are not shown any more, and this cannot be taken back; its "
                    "refuels and drains stay in the list of events."
                )
            )
        if await ask.confirm(
            self, self._context.theme, tr("Remove the tank {tank}?", tank=tank_words(tank.plate, tank.name)),
            " ".join(said), act=tr("Remove the tank"), destructive=True, detail=self._measured(history),
        ):  # fmt: skip
            await self._context.bridge.write(partial(remove_tank, tank_id=tank.id))

    def _measured(self, history: History) -> str:
        """The history in one line for each thing; "" where there is none."""
        if not history.readings:
            return tr("Nothing was measured in a tank yet.")
        formats = self._context.formats
        lines = [
            tr("{count} from {first} to {last}", count=trn("{count} reading", "{count} readings", history.readings),
               first=formats.date(history.first_ms), last=formats.date(history.last_ms)),
        ]  # fmt: skip
        if history.events:
            lines.append(trn("{count} refuel or drain", "{count} refuels and drains", history.events))
        if history.calibrations:
            lines.append(trn("{count} version of the calibration", "{count} versions of the calibration",
                             history.calibrations))  # fmt: skip
        return "\n".join(lines)


def _pane(table: DataTable[Any], acts: Sequence[QPushButton]) -> QWidget:
    """A list with its acts in a column beside it."""
    pane = QWidget()
    row = QHBoxLayout(pane)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(16)
    row.addWidget(in_card(table), 1)
    column = QVBoxLayout()
    column.setSpacing(8)
    for button in acts:
        button.setFixedWidth(ACTS_PX)
        column.addWidget(button)
    column.addStretch(1)
    row.addLayout(column)
    return pane


def _reading_words(row: SensorListing, formats: Formats) -> str:
    if row.last_value is None:
        return row.last_status.replace("_", " ") or NOTHING
    return value_words(row.last_value, row.unit, formats)
