"""Tanks and the sensors in them: put a sensor that waits into a tank, take it out, calibrate it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection

from app.errors import OperatorError
from app.fleet.vehicles import add_vehicle, find_vehicle, list_vehicles
from app.fuel.calibrations import list_calibrations
from app.fuel.parameters import CLASSES
from app.fuel.settings import set_vehicle_class
from app.fuel.tanks import SensorListing, TankListing, add_tank, bind_sensor, list_sensors, list_tanks, set_tank
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING
from widgets.primitives import calm_wheel, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, HEIGHT_PX = 900, 520


async def fuel_tanks(context: ConsoleContext, parent: QWidget, vehicle_id: str | None = None) -> None:
    """Open the dialog; everything in it is saved at once."""
    dialog = TanksDialog(context, parent)
    await dialog.reload()
    dialog.select_vehicle(vehicle_id)
    await ask.run(dialog)


class TanksDialog(QDialog):
    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self.tanks: dict[str, TankListing] = {}
        self.calibrated: dict[str, int] = {}
        self.setWindowTitle(tr("Tanks and sensors"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme = context.theme
        self.model = RowsModel[SensorListing](self._columns(), key=lambda row: row.id)
        self.table = DataTable(theme, self.model, tr("Fuel sensors"))
        self.model.setParent(self.table)
        self.table.set_empty(
            "inbox", tr("No sensor yet"),
            tr("A sensor appears here with its first reading: add Fuel Monitoring and choose its port and address."),
        )  # fmt: skip
        self.bind = primary_button(theme, tr("Put into a tank…"), "fuel")
        self.take_out = outline_button(theme, tr("Take out"), "log-out")
        self.calibrate = outline_button(theme, tr("Calibrate…"), "gauge")
        self.close_button = outline_button(theme, tr("Close"))
        self._lay_out()
        self.table.selected.connect(lambda _rows: self._enable())
        self.table.activated.connect(lambda _row: self._start(self._calibrate if self._row_tank() else self._bind))
        self.bind.clicked.connect(lambda: self._start(self._bind))
        self.take_out.clicked.connect(lambda: self._start(self._take_out))
        self.calibrate.clicked.connect(lambda: self._start(self._calibrate))
        self.close_button.clicked.connect(self.accept)
        self._enable()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Tanks and sensors"), "heading"))
        column.addWidget(
            text_label(
                tr("A vehicle's litres are the sum of its tanks. A sensor gives litres once it has a calibration."),
                "muted",
                wrap=True,
            )
        )
        column.addWidget(in_card(self.table), 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        for button in (self.bind, self.calibrate, self.take_out):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        column.addLayout(buttons)

    def _columns(self) -> list[Column[SensorListing]]:
        formats = self._context.formats
        return [
            Column("sensor", tr("Sensor"), lambda row: row.label, width=170, tooltip=lambda row: row.unique_id),
            Column("model", tr("Model"), lambda row: row.model or row.kind, width=110),
            Column("vehicle", tr("Vehicle"), lambda row: row.plate or NOTHING, width=110),
            Column("tank", tr("Tank"), self._tank_words, width=120),
            Column("value", tr("Reading"), _value_words, lambda row: row.last_value, align="right", width=120),
            Column("age", tr("Heard"), lambda row: formats.ago(row.last_ms), lambda row: row.last_ms, width=96),
            Column("table", tr("Calibration"), self._calibration_words, badge=self._calibration_badge, width=120),
        ]

    def _tank_words(self, row: SensorListing) -> str:
        tank = self.tanks.get(row.tank_id or "")
        return NOTHING if tank is None else tank.name or tr("Tank")

    def _calibration_words(self, row: SensorListing) -> str:
        return self._calibration_badge(row)[1]

    def _calibration_badge(self, row: SensorListing) -> tuple[Any, str]:
        if row.tank_id is None:
            return "info", tr("Waiting")
        version = self.calibrated.get(row.id)
        if version:
            return "ok", tr("Version {number}", number=version)
        if row.unit == "litres" or (row.unit == "percent" and self.tanks[row.tank_id].capacity_l):
            return "ok", tr("Not needed")
        return "warn", tr("Missing")

    async def reload(self) -> None:
        def read(connection: Connection) -> tuple[list[SensorListing], list[TankListing], dict[str, int]]:
            tanks = list_tanks(connection)
            versions: dict[str, int] = {}
            for tank in tanks:
                for one in list_calibrations(connection, tank.id):
                    for sensor_id in [one.sensor_id] if one.sensor_id else tank.sensors:
                        versions[sensor_id] = one.version
            return list_sensors(connection), tanks, versions

        sensors, tanks, self.calibrated = await self._context.bridge.read(read)
        self.tanks = {tank.id: tank for tank in tanks}
        self.model.apply(sensors)
        self.model.redraw()
        self._enable()

    def select_vehicle(self, vehicle_id: str | None) -> None:
        """Choose the first sensor that waits, else the first of a vehicle."""
        rows = self.model.rows
        own = {tank.id for tank in self.tanks.values() if tank.vehicle_id == vehicle_id}
        waiting = [row for row in rows if row.tank_id is None]
        for row in [*waiting, *(row for row in rows if row.tank_id in own)][:1]:
            self.table.select_key(row.id)

    def _row(self) -> SensorListing | None:
        rows = self.table.selected_rows()
        return rows[0] if len(rows) == 1 else None

    def _row_tank(self) -> TankListing | None:
        row = self._row()
        return None if row is None else self.tanks.get(row.tank_id or "")

    def _enable(self) -> None:
        has_row, has_tank = self._row() is not None, self._row_tank() is not None
        self.bind.setEnabled(has_row)
        self.take_out.setEnabled(has_tank)
        self.calibrate.setEnabled(has_tank)

    def _start(self, act: Callable[[], Any]) -> None:
        self._context.tasks.start(self._guarded(act), name="tanks", owner=self)

    async def _guarded(self, act: Callable[[], Any]) -> None:
        try:
            await act()
        except OperatorError as err:
            self._context.notify("error", err.why)
        await self.reload()

    async def _bind(self) -> None:
        row = self._row()
        if row is None:
            return
        plates = [one.plate for one in await self._context.bridge.read(list_vehicles)]
        form = TankForm(
            self._context, self, row.label, plates, self._row_tank(), str(row.settings.get("vehicle") or "")
        )
        if await ask.run(form):
            await self._context.bridge.write(partial(put_into_tank, sensor=row, **form.values()))

    async def _take_out(self) -> None:
        row = self._row()
        if row is not None and await ask.confirm(
            self, self._context.theme, tr("Take the sensor out of its tank?"),
            tr("What it measured so far stays. What it measures from now on belongs to no tank."), act=tr("Take out"),
        ):  # fmt: skip
            await self._context.bridge.write(partial(bind_sensor, sensor_id=row.id, tank_id=None))

    async def _calibrate(self) -> None:
        row, tank = self._row(), self._row_tank()
        if row is not None and tank is not None:
            await self._context.doors.dialogs["calibrate"](self._context, self, row, tank)


class TankForm(QDialog):
    """Which vehicle and tank something belongs to; a vehicle or tank that does not exist yet is made."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        what: str,
        plates: list[str],
        tank: TankListing | None = None,
        plate: str = "",
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Put into a tank"))
        self.setMinimumWidth(440)
        self.plate = QLineEdit(tank.plate if tank is not None else plate)
        completer = QCompleter(plates, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.plate.setCompleter(completer)
        self.tank = QLineEdit(tank.name if tank is not None else "")
        self.tank.setPlaceholderText(tr("Empty where there is only one"))
        self.fuel = QComboBox()
        for key, label in (("diesel", tr("Diesel")), ("petrol", tr("Petrol")), ("other", tr("Other"))):
            self.fuel.addItem(label, key)
        self.capacity = QDoubleSpinBox()
        self.capacity.setRange(0, 100_000)
        self.capacity.setSuffix(" L")
        self.capacity.setSpecialValueText(tr("from the calibration"))
        self.vehicle_class = QComboBox()
        for name in CLASSES:
            self.vehicle_class.addItem(tr(name.capitalize()), name)
        if tank is not None:
            self.fuel.setCurrentIndex(max(self.fuel.findData(tank.fuel), 0))
            self.capacity.setValue(tank.capacity_l or 0)
        self.save = primary_button(context.theme, tr("Put into the tank"), "check")
        cancel = outline_button(context.theme, tr("Cancel"))
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Put {sensor} into a tank", sensor=what), "heading", wrap=True))
        form = QFormLayout()
        form.setSpacing(10)
        for label, field in (
            (tr("Vehicle's plate"), self.plate), (tr("Vehicle's class"), self.vehicle_class), (tr("Tank"), self.tank),
            (tr("Fuel"), self.fuel), (tr("Capacity"), self.capacity),
        ):  # fmt: skip
            field.setAccessibleName(label)
            form.addRow(label, calm_wheel(field))
        column.addLayout(form)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        column.addLayout(row)
        self.plate.textChanged.connect(lambda text: self.save.setEnabled(bool(text.strip())))
        self.save.setEnabled(bool(self.plate.text().strip()))
        self.save.setDefault(True)
        self.save.clicked.connect(self.accept)
        cancel.clicked.connect(self.reject)

    def values(self) -> dict[str, Any]:
        return {
            "plate": self.plate.text().strip(),
            "tank_name": self.tank.text().strip(),
            "fuel": self.fuel.currentData(),
            "capacity_l": self.capacity.value() or None,
            "vehicle_class": self.vehicle_class.currentData(),
        }


def put_into_tank(connection: Connection, sensor: SensorListing, **values: Any) -> None:
    """Make what is missing, change what differs, bind. Raises OperatorError."""
    bind_sensor(connection, sensor.id, tank_for(connection, **values))


def tank_for(
    connection: Connection, plate: str, tank_name: str, fuel: str, capacity_l: float | None, vehicle_class: str
) -> str:
    """The id of a vehicle's tank; both are made where they do not exist. Raises OperatorError."""
    vehicle_id = find_vehicle(connection, plate) or add_vehicle(connection, plate)
    set_vehicle_class(connection, vehicle_id, vehicle_class)
    known = [tank for tank in list_tanks(connection, vehicle_id) if tank.name.casefold() == tank_name.casefold()]
    if known:
        set_tank(connection, known[0].id, fuel=fuel, capacity_l=capacity_l)
        return known[0].id
    return add_tank(connection, vehicle_id, name=tank_name, fuel=fuel, capacity_l=capacity_l)


def _value_words(row: SensorListing) -> str:
    if row.last_value is None:
        return row.last_status.replace("_", " ") or NOTHING
    return f"{row.last_value:,.1f} {row.unit}" if row.unit != "counts" else f"{row.last_value:,.0f}"
