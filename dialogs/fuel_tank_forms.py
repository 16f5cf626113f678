"""What is asked about tanks and sensors: where a sensor is, what a tank is like, which sensor replaced another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from PySide6.QtCore import QDate, QDateTime, Qt, QTime
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QDateTimeEdit,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection, select

from app.clock import from_ms, to_ms
from app.errors import OperatorError
from app.fleet.vehicles import add_vehicle, find_vehicle
from app.fuel.parameters import CLASSES
from app.fuel.settings import set_vehicle_class
from app.fuel.tank_acts import change_tank, make_tank, replace_in_tank
from app.fuel.tanks import COMBINE, LARGEST_L, SensorListing, TankListing, add_tank, bind_sensor, list_tanks, set_tank
from app.store.tables import Vehicle
from dialogs.fuel_words import buttons_row, problem_label, show_problem, tank_words
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import calm_wheel, exact_height, labelled, outline_button, primary_button, text_label

WIDTH_PX = 460
FUEL_WORDS = {"diesel": "Diesel", "petrol": "Petrol", "other": "Other"}
COMBINE_WORDS = {"average": "Each measures the whole tank: average", "sum": "Each measures a part of it: sum"}


def fuel_box() -> QComboBox:
    box = QComboBox()
    for key, word in FUEL_WORDS.items():
        box.addItem(tr(word), key)
    return box


def capacity_field() -> QDoubleSpinBox:
    """0 for what the calibration says."""
    field = QDoubleSpinBox()
    field.setRange(0, LARGEST_L)
    field.setDecimals(1)
    field.setSuffix(" L")
    field.setSpecialValueText(tr("from the calibration"))
    return field


def plate_field(plates: Sequence[str], plate: str, parent: QWidget) -> QLineEdit:
    """A plate; those that are known are proposed while it is typed."""
    field = QLineEdit(plate)
    field.setMaxLength(40)
    completer = QCompleter(list(plates), parent)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    field.setCompleter(completer)
    return field


def rows(*fields: tuple[str, QWidget]) -> QFormLayout:
    """Labels and fields, each naming the other."""
    form = QFormLayout()
    form.setSpacing(10)
    form.setHorizontalSpacing(16)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for label, field in fields:
        words = text_label(label)
        words.setMinimumHeight(field.sizeHint().height())  # a form sets its labels at the top of the row
        words.setBuddy(field)
        form.addRow(words, calm_wheel(labelled(field, label)))
    return form


def column_of(dialog: QDialog, title: str) -> QVBoxLayout:
    """The layout of a small dialog, with its heading."""
    dialog.setWindowTitle(title)
    dialog.setMinimumWidth(WIDTH_PX)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
    column.setSpacing(12)
    column.addWidget(exact_height(text_label(title, "heading", wrap=True)))
    return column


class TankForm(QDialog):
    """Which vehicle and tank something belongs to; a vehicle or tank that does not exist yet is made.

    What is known of the vehicle and the tank that were named is shown, so that nothing is changed unseen.
    """

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        what: str,
        classes: dict[str, str],
        tanks: Sequence[TankListing],
        tank: TankListing | None = None,
        plate: str = "",
    ) -> None:
        super().__init__(parent)
        self._classes = {_folded(one): name for one, name in classes.items()}
        self._tanks = {(_folded(one.plate), one.name.casefold()): one for one in tanks}
        self.plate = plate_field(list(classes), tank.plate if tank is not None else plate, self)
        self.tank = QLineEdit(tank.name if tank is not None else "")
        self.tank.setPlaceholderText(tr("Empty where there is only one"))
        self.fuel = fuel_box()
        self.capacity = capacity_field()
        self.vehicle_class = QComboBox()
        for name in CLASSES:
            self.vehicle_class.addItem(tr(name.capitalize()), name)
        self.save = primary_button(context.theme, tr("Put into the tank"), "check")
        cancel = outline_button(context.theme, tr("Cancel"))
        column = column_of(self, tr("Put {sensor} into a tank", sensor=what))
        column.addLayout(
            rows(
                (tr("Vehicle's plate"), self.plate), (tr("Vehicle's class"), self.vehicle_class),
                (tr("Tank"), self.tank), (tr("Fuel"), self.fuel), (tr("Capacity"), self.capacity),
            )
        )  # fmt: skip
        column.addLayout(buttons_row(right=(cancel, self.save)))
        self.plate.textChanged.connect(self._on_plate)
        self.tank.textChanged.connect(self._on_tank)
        self.save.setDefault(True)
        self.save.clicked.connect(self.accept)
        cancel.clicked.connect(self.reject)
        self._on_plate()

    def _on_plate(self) -> None:
        plate = _folded(self.plate.text())
        self.save.setEnabled(bool(plate))
        if plate in self._classes:
            self.vehicle_class.setCurrentIndex(max(self.vehicle_class.findData(self._classes[plate]), 0))
        self._on_tank()

    def _on_tank(self) -> None:
        known = self._tanks.get((_folded(self.plate.text()), self.tank.text().strip().casefold()))
        if known is not None:
            self.fuel.setCurrentIndex(max(self.fuel.findData(known.fuel), 0))
            self.capacity.setValue(known.capacity_l or 0)

    def values(self) -> dict[str, Any]:
        return {
            "plate": self.plate.text().strip(),
            "tank_name": self.tank.text().strip(),
            "fuel": self.fuel.currentData(),
            "capacity_l": self.capacity.value() or None,
            "vehicle_class": self.vehicle_class.currentData(),
        }


def vehicle_classes(connection: Connection) -> dict[str, str]:
    """The class of every vehicle by its plate."""
    query = select(Vehicle.plate, Vehicle.vehicle_class).where(Vehicle.removed_at.is_(None)).order_by(Vehicle.plate)
    return {row.plate: row.vehicle_class for row in connection.execute(query)}


def put_into_tank(connection: Connection, sensor: SensorListing, **values: Any) -> None:
    """Make what is missing, change what differs, bind. Raises OperatorError."""
    bind_sensor(connection, sensor.id, tank_for(connection, **values))


def tank_for(
    connection: Connection, plate: str, tank_name: str, fuel: str, capacity_l: float | None, vehicle_class: str
) -> str:
    """The id of a vehicle's tank; both are made where they do not exist. Raises OperatorError."""
    vehicle_id = find_vehicle(connection, plate) or add_vehicle(connection, plate)
    standing = connection.execute(select(Vehicle.vehicle_class).where(Vehicle.id == vehicle_id)).scalar_one()
    if (standing or CLASSES[0]) != vehicle_class:
        set_vehicle_class(connection, vehicle_id, vehicle_class)
    known = [tank for tank in list_tanks(connection, vehicle_id) if tank.name.casefold() == tank_name.casefold()]
    if known:
        set_tank(connection, known[0].id, fuel=fuel, capacity_l=capacity_l)
        return known[0].id
    return add_tank(connection, vehicle_id, name=tank_name, fuel=fuel, capacity_l=capacity_l)


class _SavingDialog(QDialog):
    """A small form that is accepted once its job is done; a refusal is shown in it and nothing is lost."""

    def __init__(self, context: ConsoleContext, parent: QWidget, title: str, verb: str) -> None:
        super().__init__(parent)
        self._context = context
        self.problem = problem_label()
        self.save = primary_button(context.theme, verb, "check")
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self.column = column_of(self, title)

    def finish(self) -> None:
        """Add the last lines; called once the fields stand."""
        self.column.addWidget(self.problem)
        self.column.addStretch(1)
        self.column.addLayout(buttons_row(right=(self.cancel, self.save)))
        self.save.setDefault(True)
        self.save.clicked.connect(lambda: self._context.tasks.start(self._save(), name="tanks", owner=self))
        self.cancel.clicked.connect(self.reject)

    def job(self) -> Any:
        """What is written. Raises OperatorError."""
        raise NotImplementedError

    async def _save(self) -> None:
        self.save.setEnabled(False)
        try:
            await self._context.bridge.write(self.job())
        except OperatorError as err:
            show_problem(self.problem, err.why)
            self.save.setEnabled(True)
            return
        self.accept()


class TankSettingsForm(_SavingDialog):
    """A new tank, or what one is like."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        plates: Sequence[str],
        tank: TankListing | None = None,
        plate: str = "",
    ) -> None:
        title = tr("Add a tank") if tank is None else tr("Tank {tank}", tank=tank_words(tank.plate, tank.name))
        super().__init__(context, parent, title, tr("Add the tank") if tank is None else tr("Save"))
        self._tank = tank
        self.plate = plate_field(plates, plate if tank is None else tank.plate, self)
        self.plate.setPlaceholderText(tr("A vehicle that does not exist yet is made"))
        self.plate.setEnabled(tank is None)
        self.name = QLineEdit("" if tank is None else tank.name)
        self.name.setMaxLength(200)
        self.name.setPlaceholderText(tr("Empty where there is only one"))
        self.fuel = fuel_box()
        self.capacity = capacity_field()
        self.combine = QComboBox()
        for key in COMBINE:
            self.combine.addItem(tr(COMBINE_WORDS[key]), key)
        if tank is not None:
            self.fuel.setCurrentIndex(self.fuel.findData(tank.fuel))
            self.capacity.setValue(tank.capacity_l or 0)
            self.combine.setCurrentIndex(self.combine.findData(tank.combine))
        self.column.addLayout(
            rows(
                (tr("Vehicle's plate"), self.plate), (tr("Name"), self.name), (tr("Fuel"), self.fuel),
                (tr("Capacity"), self.capacity), (tr("Several sensors"), self.combine),
            )
        )  # fmt: skip
        note = tr("Another capacity, or another way to combine sensors, computes the tank's events and totals anew.")
        self.column.addWidget(exact_height(text_label(note, "small", wrap=True)))
        self.finish()
        self.plate.textChanged.connect(lambda text: self.save.setEnabled(bool(text.strip())))
        self.save.setEnabled(bool(self.plate.text().strip()))
        (self.plate if tank is None and not plate else self.name).setFocus()

    def job(self) -> Any:
        values: dict[str, Any] = {
            "name": self.name.text(),
            "fuel": str(self.fuel.currentData()),
            "capacity_l": self.capacity.value() or None,
            "combine": str(self.combine.currentData()),
        }
        if self._tank is None:
            return partial(make_tank, vehicle=self.plate.text().strip(), **values)
        return partial(change_tank, tank_id=self._tank.id, **values)


class ReplaceForm(_SavingDialog):
    """Which of the waiting sensors took the place of one, and when."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, old: SensorListing, waiting: Sequence[SensorListing]
    ) -> None:
        super().__init__(context, parent, tr("Replace {sensor}", sensor=old.label), tr("Replace the sensor"))
        self._old = old
        formats = context.formats
        self.sensor = QComboBox()
        for one in waiting:
            parts = (one.label, one.model, tr("heard {age}", age=formats.ago(one.last_ms)))
            self.sensor.addItem(" · ".join(part for part in parts if part), one.id)
        self._now_ms = context.services.clock.now_ms()
        now = from_ms(self._now_ms).astimezone(formats.zone)
        shown = QDateTime(QDate(now.year, now.month, now.day), QTime(now.hour, now.minute))
        self.at = QDateTimeEdit(shown)
        self.at.setMaximumDateTime(shown)
        self.at.setDisplayFormat("yyyy-MM-dd HH:mm")
        words = tr(
            "What {sensor} measured in {tank} until then stays as it is, and its calibration ends. The new sensor "
            "measures the tank from then on and needs a calibration of its own.",
            sensor=old.label, tank=tank_words(old.plate, old.tank),
        )  # fmt: skip
        self.column.addWidget(exact_height(text_label(words, "muted", wrap=True)))
        when = tr("Replaced at ({zone})", zone=formats.zone_name(now))
        self.column.addLayout(rows((tr("New sensor"), self.sensor), (when, self.at)))
        self.finish()
        self.sensor.setFocus()

    def at_ms(self) -> int:
        """Milliseconds since 1970 UTC of the time that was entered; now where it was left as it was."""
        date, time = self.at.date(), self.at.time()
        if self.at.dateTime() == self.at.maximumDateTime():
            return self._now_ms
        zone = self._context.formats.zone
        return to_ms(datetime(date.year(), date.month(), date.day(), time.hour(), time.minute(), tzinfo=zone))

    def job(self) -> Any:
        new_id = str(self.sensor.currentData())
        return partial(replace_in_tank, old_id=self._old.id, new_id=new_id, at_ms=self.at_ms())


def _folded(plate: str) -> str:
    return "".join(plate.split()).casefold()
