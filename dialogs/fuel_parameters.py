"""Parameters of one vehicle's detection: changed, tried on the stored days, and only then saved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection, select

from app.errors import OperatorError
from app.fuel.parameters import CLASSES, Parameters, changed, of_class
from app.fuel.settings import own_values, set_parameters, set_vehicle_class
from app.fuel.trials import StoredDays, stored_days, try_parameters
from app.store.tables import Vehicle
from dialogs.fuel_parameter_fields import GROUPS, make_fields
from dialogs.fuel_trial import TrialView
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.page import scroll_area
from widgets.primitives import calm_wheel, labelled, line, link_button, outline_button, primary_button, text_label

WIDTH_PX, HEIGHT_PX = 1_140, 700
FORM_PX = 524


@dataclass(frozen=True, slots=True)
class Standing:
    """What is stored: the vehicle's class and own values, and what every class has."""

    vehicle_id: str
    plate: str
    vehicle_class: str
    own: dict[str, Any]
    classes: dict[str, Parameters]


def read_standing(connection: Connection, vehicle_id: str) -> Standing:
    query = select(Vehicle.plate, Vehicle.vehicle_class).where(Vehicle.id == vehicle_id)
    row = connection.execute(query).one()
    classes = {name: changed(of_class(name), own_values(connection, f"class:{name}")) for name in CLASSES}
    vehicle_class = row.vehicle_class if row.vehicle_class in CLASSES else CLASSES[0]
    return Standing(vehicle_id, row.plate, vehicle_class, own_values(connection, f"vehicle:{vehicle_id}"), classes)


async def fuel_parameters(context: ConsoleContext, parent: QWidget, vehicle_id: str) -> bool:
    """Open the dialog for a vehicle; True when something was saved."""
    standing = await context.bridge.read(partial(read_standing, vehicle_id=vehicle_id))
    return await ask.run(ParametersDialog(context, parent, standing))


class ParametersDialog(QDialog):
    """The form at the left, what it would change at the right."""

    def __init__(self, context: ConsoleContext, parent: QWidget, standing: Standing) -> None:
        super().__init__(parent)
        self._context = context
        self.standing = standing
        self._days: StoredDays | None = None
        self._tried: tuple[str, dict[str, Any]] | None = None
        theme = context.theme
        self.setWindowTitle(tr("Fuel parameters"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        self.vehicle_class = QComboBox()
        for name in CLASSES:
            self.vehicle_class.addItem(tr(name.capitalize()), name)
        self.vehicle_class.setCurrentIndex(self.vehicle_class.findData(standing.vehicle_class))
        labelled(calm_wheel(self.vehicle_class), tr("Vehicle class"))
        self.of_class = link_button(theme, tr("Values of the class…"), small=True)
        self.reset_all = link_button(theme, tr("Reset all to class"), "rotate-ccw", small=True)
        self.fields = make_fields(theme)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.trial = TrialView(context)
        self.attempt = outline_button(theme, tr("Try on stored days"), "play")
        self.untried = outline_button(theme, tr("Save without trying"))
        self.save = primary_button(theme, tr("Save"), "check")
        self.cancel = outline_button(theme, tr("Cancel"))
        self._lay_out()
        self._inherit()
        for name, value in standing.own.items():
            if name in self.fields:
                self.fields[name].set_value(value)
        for field in self.fields.values():
            field.changed.connect(self._on_edited)
        self.vehicle_class.currentIndexChanged.connect(self._on_class)
        self.reset_all.clicked.connect(self._reset)
        self.of_class.clicked.connect(lambda: self._start(self._change_class))
        self.attempt.clicked.connect(lambda: self._start(self._try))
        self.untried.clicked.connect(lambda: self._start(self._save))
        self.save.clicked.connect(lambda: self._start(self._save))
        self.cancel.clicked.connect(self.reject)
        self._on_edited()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def chosen_class(self) -> str:
        return str(self.vehicle_class.currentData())

    def values(self) -> dict[str, Any]:
        """The vehicle's own values as entered. Raises ValueError with the sentence of the first that is wrong."""
        entered = {name: field.value() for name, field in self.fields.items()}
        return {name: value for name, value in entered.items() if value is not None}

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, 20)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Fuel parameters of {plate}", plate=self.standing.plate), "heading"))
        words = tr(
            "An empty field takes the value of the vehicle's class, shown in grey. What is saved computes this "
            "vehicle's events and totals anew."
        )
        column.addWidget(text_label(words, "muted", wrap=True))
        both = QHBoxLayout()
        both.setSpacing(20)
        both.addWidget(self._form())
        both.addWidget(line(vertical=True))
        both.addWidget(self.trial, 1)
        column.addLayout(both, 1)
        column.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.attempt)
        buttons.addStretch(1)
        for button in (self.cancel, self.untried, self.save):
            buttons.addWidget(button)
        column.addLayout(buttons)

    def _form(self) -> QWidget:
        host = QWidget()
        host.setFixedWidth(FORM_PX)
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(text_label(tr("Vehicle class"), "strong"))
        head.addWidget(self.vehicle_class)
        head.addWidget(self.of_class)
        head.addStretch(1)
        head.addWidget(self.reset_all)
        column.addLayout(head)
        area, rows = scroll_area(margin=0)
        rows.setContentsMargins(4, 4, 24, 4)
        rows.setSpacing(10)
        for name, field in self.fields.items():
            if name in GROUPS:
                rows.addSpacing(4)
                rows.addWidget(text_label(tr(GROUPS[name]), "strong"))
            rows.addWidget(field)
        column.addWidget(area, 1)
        return host

    def _inherit(self) -> None:
        base = self.standing.classes[self.chosen_class()]
        for name, field in self.fields.items():
            field.inherit(getattr(base, name))

    def _on_class(self) -> None:
        self._inherit()
        self._on_edited()

    async def _change_class(self) -> None:
        """What the class has may be others after that; a trial does not hold any more then."""
        if await self._context.doors.dialogs["fuel_class_parameters"](self._context, self, self.chosen_class()):
            read = partial(read_standing, vehicle_id=self.standing.vehicle_id)
            self.standing = replace(self.standing, classes=(await self._context.bridge.read(read)).classes)
            self._days = self._tried = None
            self._on_class()

    def _reset(self) -> None:
        for field in self.fields.values():
            field.set_value(None)

    def _on_edited(self) -> None:
        problem, own = "", 0
        for field in self.fields.values():
            try:
                value, fault = field.value(), ""
            except ValueError as err:
                value, fault = None, str(err)
            field.show_fault(bool(fault))
            field.mark(value is not None or bool(fault))
            own += value is not None
            problem = problem or fault
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.reset_all.setVisible(bool(own or problem))
        self._enable()

    def _entered(self) -> tuple[str, dict[str, Any]] | None:
        """Class and own values; None while something is wrong."""
        return None if self.problem.text() else (self.chosen_class(), self.values())

    def _enable(self) -> None:
        entered = self._entered()
        is_new = entered is not None and entered != (self.standing.vehicle_class, self.standing.own)
        is_tried = entered is not None and entered == self._tried
        self.attempt.setEnabled(is_new and not self.trial.is_busy)
        self.untried.setEnabled(is_new and not is_tried)
        self.save.setEnabled(is_new and is_tried)
        self.trial.set_outdated(self._tried is not None and not is_tried)
        (self.save if self.save.isEnabled() else self.attempt).setDefault(True)

    def _start(self, act: Callable[[], Awaitable[None]]) -> None:
        self._context.tasks.start(self._guarded(act), name="fuel parameters", owner=self)

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except OperatorError as err:
            self.trial.show_idle()
            self.problem.setText(err.why)
            self.problem.show()
        self._enable()

    async def _try(self) -> None:
        entered = self._entered()
        if entered is None:
            return
        self.trial.show_busy()
        self._enable()
        if self._days is None:
            now_ms = self._context.services.clock.now_ms()
            read = partial(stored_days, vehicle_id=self.standing.vehicle_id, now_ms=now_ms)
            self._days = await self._context.bridge.read(read)
        then = changed(self.standing.classes[entered[0]], entered[1])
        trial = await asyncio.to_thread(try_parameters, self._days, then)
        self._tried = entered
        self.trial.show_trial(self._days, trial)
        self._enable()
        if self.save.isEnabled():
            self.save.setFocus()

    async def _save(self) -> None:
        entered = self._entered()
        if entered is None:
            return
        standing = self.standing

        def job(connection: Connection) -> None:
            if entered[0] != standing.vehicle_class:
                set_vehicle_class(connection, standing.vehicle_id, entered[0])
            set_parameters(connection, f"vehicle:{standing.vehicle_id}", entered[1])

        await self._context.bridge.write(job)
        self._context.notify(
            "ok", tr("Parameters of {plate} saved. Its events are computed anew.", plate=standing.plate)
        )
        self.accept()
