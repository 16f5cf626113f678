"""One value of a tracker as a fuel sensor: which attribute, in which unit, read how, and what that gives now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QGridLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection

from app.errors import OperatorError
from app.fleet.listing import DeviceListing, list_devices
from app.fuel.mappings import (
    LOOKED_AT,
    MOST_MEDIAN,
    MappingListing,
    Message,
    Preview,
    Reading,
    Suggestion,
    add_mapping,
    change_mapping,
    newest_messages,
    preview_of,
    suggestions_of,
)
from app.fuel.tanks import TankListing, add_tank, list_tanks
from dialogs.fuel_words import above, buttons_row, problem_label, show_problem, tank_words, unit_box, value_words
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import Banner, calm_wheel, exact_height, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, SEEN_PX = 680, 190
_NEW_TANK = "new tank"


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen from."""

    trackers: tuple[DeviceListing, ...]
    tanks: tuple[TankListing, ...]


def read_choices(connection: Connection, now_ms: int) -> Choices:
    """Trackers on vehicles first, by plate; every tank."""
    trackers = sorted(
        list_devices(connection, now_ms, phones=False),
        key=lambda one: (one.vehicle is None, one.vehicle or "", one.unique_id),
    )
    return Choices(tuple(trackers), tuple(list_tanks(connection)))


class MappingForm(QDialog):
    """Accepted once it is saved; a refusal is shown here and nothing is lost."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, choices: Choices, mapping: MappingListing | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._choices = choices
        self._mapping = mapping
        self._messages: Sequence[Message] = ()
        self._asked = ""
        theme = context.theme
        title = (
            tr("Add a fuel value from a tracker")
            if mapping is None
            else tr("Change how {attribute} of {tracker} is read", attribute=mapping.reading.attribute,
                    tracker=mapping.vehicle or mapping.tracker)
        )  # fmt: skip
        self.setWindowTitle(title)
        self.setFixedWidth(WIDTH_PX)
        self.tracker = QComboBox()
        for one in choices.trackers:
            self.tracker.addItem(_tracker_words(one), one.id)
        model = RowsModel[Suggestion](self._columns(), key=lambda row: row.attribute)
        self.seen = DataTable(theme, model, tr("Values seen in the tracker's messages"))
        model.setParent(self.seen)
        self.attribute = QLineEdit()
        self.attribute.setMaxLength(100)
        self.attribute.setPlaceholderText(tr("for example fuelLevel or adc1"))
        self.unit = unit_box()
        self.scale, self.offset = QLineEdit("1"), QLineEdit("0")
        self.median = QSpinBox()
        self.median.setRange(1, MOST_MEDIAN)
        self.median.setSpecialValueText(tr("none, each value counts"))
        self.median.setPrefix(tr("of the newest "))
        self.ignition = QCheckBox(tr("Only while the ignition is on"))
        self.tank = QComboBox()
        self.meaning = Banner(theme, "info", "")
        self.problem = problem_label()
        self.save = primary_button(theme, tr("Add the value") if mapping is None else tr("Save"), "check")
        self.cancel = outline_button(theme, tr("Cancel"))
        self._lay_out(title)
        self._give(mapping)
        self.tracker.currentIndexChanged.connect(self._on_tracker)
        self.seen.selected.connect(self._on_seen)
        for line in (self.attribute, self.scale, self.offset):
            line.textChanged.connect(self._preview)
        for box in (self.unit, self.tank):
            box.currentIndexChanged.connect(self._preview)
        self.median.valueChanged.connect(self._preview)
        self.ignition.toggled.connect(self._preview)
        self.save.clicked.connect(lambda: self._spawn(self._save(), "save"))
        self.cancel.clicked.connect(self.reject)
        self.save.setDefault(True)
        self._on_tracker()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _columns(self) -> list[Column[Suggestion]]:
        number = self._context.formats.number
        return [
            Column("attribute", tr("Attribute"), lambda row: row.attribute, width=150),
            Column("newest", tr("Newest"), lambda row: number(row.newest, 2), lambda row: row.newest, align="right",
                   width=90),
            Column("range", tr("Least to most"), lambda row: f"{number(row.least, 2)} – {number(row.most, 2)}",
                   lambda row: row.most - row.least, width=130),
            Column("why", tr("Why it may be fuel"), lambda row: tr(row.why.capitalize()) if row.why else
                   tr("Nothing says so"), lambda row: -row.likelihood, width=200, tooltip=lambda row: row.why),
        ]  # fmt: skip

    def _lay_out(self, title: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(title, "heading", wrap=True))
        if self._mapping is None:
            column.addLayout(above(tr("Tracker"), calm_wheel(self.tracker)))
            column.addWidget(text_label(tr("Seen in its newest messages, the likeliest first"), "strong"))
            card = in_card(self.seen)
            card.setFixedHeight(SEEN_PX)
            column.addWidget(card)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        places: list[Any] = [
            above(tr("Attribute"), self.attribute), above(tr("Unit of the result"), self.unit),
            above(tr("Multiply by"), self.scale), above(tr("Then add"), self.offset),
            above(tr("Median"), calm_wheel(self.median)), above(tr("Measures the tank"), calm_wheel(self.tank)),
        ]  # fmt: skip
        for at, place in enumerate(places):
            grid.addLayout(place, at // 2, at % 2)
        for at in (0, 1):
            grid.setColumnStretch(at, 1)
        column.addLayout(grid)
        column.addWidget(self.ignition)
        column.addWidget(self.meaning)
        column.addWidget(self.problem)
        column.addLayout(buttons_row(right=(self.cancel, self.save)))
        exact_height(self.meaning.words)

    def _give(self, mapping: MappingListing | None) -> None:
        if mapping is None:
            self.tracker.setFocus()
            return
        reading = mapping.reading
        self.tracker.setCurrentIndex(self.tracker.findData(mapping.device_id))
        self.attribute.setText(reading.attribute)
        self.attribute.setEnabled(False)
        self.unit.setCurrentIndex(self.unit.findData(mapping.unit))
        self.scale.setText(f"{reading.scale:g}")
        self.offset.setText(f"{reading.offset:g}")
        self.median.setValue(reading.median)
        self.ignition.setChecked(reading.ignition_only)
        self.tank.setEnabled(False)
        self.tank.setToolTip(tr("A sensor changes its tank under Tanks and sensors."))
        self.scale.setFocus()

    # What the tracker says

    def device_id(self) -> str:
        return str(self.tracker.currentData() or "")

    def _on_tracker(self) -> None:
        self._show_tanks()
        if self._mapping is None:
            self.seen.model.apply([])
            self.attribute.clear()
        if self.device_id():
            self.seen.set_empty("inbox", tr("Reading its messages…"), "")
            self._spawn(self._read_messages(self.device_id()), "messages")
        else:
            self.seen.set_empty("satellite-dish", tr("No tracker yet"), tr("Trackers appear with their first message."))
        self._preview()

    def _show_tanks(self) -> None:
        """The tank of the tracker's own vehicle is proposed, a new one where it has none."""
        self.tank.blockSignals(True)
        self.tank.clear()
        mapping = self._mapping
        if mapping is not None:
            word = tank_words(mapping.plate, mapping.tank) if mapping.tank_id else tr("Waits to be put into one")
            self.tank.addItem(word, mapping.tank_id)
        else:
            chosen = next((one for one in self._choices.trackers if one.id == self.device_id()), None)
            vehicle_id = None if chosen is None else chosen.vehicle_id
            own = [tank for tank in self._choices.tanks if tank.vehicle_id == vehicle_id]
            if chosen is not None and chosen.vehicle and not own:
                self.tank.addItem(tr("A new tank of {plate}", plate=chosen.vehicle), _NEW_TANK)
            for tank in [*own, *(tank for tank in self._choices.tanks if tank not in own)]:
                self.tank.addItem(tank_words(tank.plate, tank.name), tank.id)
            self.tank.addItem(tr("None yet, it waits"), None)
            if not own and not (chosen is not None and chosen.vehicle):
                self.tank.setCurrentIndex(self.tank.count() - 1)
        self.tank.blockSignals(False)

    async def _read_messages(self, device_id: str) -> None:
        self._asked = device_id
        try:
            messages = await self._context.bridge.read(partial(newest_messages, device_id=device_id))
        except OperatorError as err:
            show_problem(self.problem, err.why)
            return
        if self._asked != device_id:
            return
        self._messages = messages
        suggestions = suggestions_of(messages, with_unlikely=True)
        self.seen.set_empty(
            "inbox", tr("No number in its messages"),
            tr("Its newest {count} positions carry no value. Type the attribute if you know it.", count=LOOKED_AT),
        )  # fmt: skip
        self.seen.model.apply(suggestions)
        if self._mapping is None and suggestions and suggestions[0].likelihood and not self.attribute.text():
            self.seen.select_key(suggestions[0].attribute)
        self._preview()

    def _on_seen(self, rows: Sequence[Suggestion]) -> None:
        if len(rows) == 1:
            self.attribute.setText(rows[0].attribute)
            self.unit.setCurrentIndex(self.unit.findData(rows[0].unit))

    # What it would be

    def reading(self) -> Reading:
        """As it was entered. Raises ValueError with the sentence of what is wrong."""
        numbers = {}
        for line, name in ((self.scale, tr("Multiply by")), (self.offset, tr("Then add"))):
            try:
                numbers[name] = float(line.text().strip().replace(",", ".").replace("−", "-"))
            except ValueError:
                raise ValueError(tr("“{name}” must be a number.", name=name)) from None
        scale, offset = numbers.values()
        if not 0 < abs(scale) <= 1e6 or not abs(offset) <= 1e6:
            raise ValueError(tr("The factor must not be 0, and both at most a million."))
        return Reading(
            self.attribute.text().strip(), scale, offset, self.ignition.isChecked(), self.median.value()
        )  # fmt: skip

    def _preview(self) -> None:
        show_problem(self.problem, "")
        try:
            reading = self.reading()
        except ValueError as err:
            show_problem(self.problem, str(err))
            self.save.setEnabled(False)
            self.meaning.hide()
            return
        self.save.setEnabled(bool(reading.attribute and self.device_id()))
        self.meaning.setVisible(bool(reading.attribute))
        if reading.attribute:
            self.meaning.words.setText("\n".join(self._sentences(preview_of(self._messages, reading), reading)))

    def _sentences(self, found: Preview, reading: Reading) -> list[str]:
        formats, unit = self._context.formats, str(self.unit.currentData())
        if found.value is None or found.number is None:
            said = (
                tr("No stored message of this tracker holds “{name}”. It counts from the first that does.",
                   name=reading.attribute)
                if not found.holding
                else tr("{count} messages hold it, all while the ignition was off: none of them counts.",
                        count=found.holding)
            )  # fmt: skip
        else:
            said = tr(
                "Now {value}, from {number} at {time}.\nThe newest {count} that count say {least} to {most}.",
                value=value_words(found.value, unit, formats), number=formats.number(found.number, 2),
                time=formats.clock(found.at_ms), count=trn("{count} message", "{count} messages", found.counting),
                least=value_words(found.least, unit, formats), most=value_words(found.most, unit, formats),
            )  # fmt: skip
        return [said, self._next_step(unit)] if self._next_step(unit) else [said]

    def _next_step(self, unit: str) -> str:
        """What is still missing until it gives litres."""
        tank_id = self.tank.currentData()
        if tank_id is None or unit == "litres":
            return ""
        if unit != "percent":
            return tr("It gives litres once it has a calibration.")
        tank = next((one for one in self._choices.tanks if one.id == tank_id), None)
        has_capacity = tank is not None and tank.capacity_l
        return "" if has_capacity else tr("It gives litres once the tank has a capacity or a calibration.")

    async def _save(self) -> None:
        mapping, reading, unit = self._mapping, self.reading(), str(self.unit.currentData())
        device_id, tank_id = self.device_id(), self.tank.currentData()
        vehicle_id = next((one.vehicle_id for one in self._choices.trackers if one.id == device_id), None)

        def job(connection: Connection) -> None:
            if mapping is not None:
                change_mapping(connection, mapping.sensor_id, reading, unit=unit)
                return
            into = tank_id
            if into == _NEW_TANK and vehicle_id is not None:
                into = add_tank(connection, vehicle_id)
            add_mapping(connection, device_id, reading, unit=unit, tank_id=into)

        self.save.setEnabled(False)
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            show_problem(self.problem, err.why)
            self.save.setEnabled(True)
            return
        self.accept()

    def _spawn(self, coroutine: Any, name: str) -> None:
        self._context.tasks.start(coroutine, name=f"fuel value: {name}", owner=self)


def _tracker_words(row: DeviceListing) -> str:
    name = row.name if row.name and row.name != row.unique_id else ""
    parts = (row.vehicle or tr("on no vehicle"), row.unique_id, name)
    return " · ".join(part for part in parts if part)
