"""Parameters of a whole class of vehicles: its norm and its limits, beneath what single vehicles have of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection, exists, select

from app.errors import OperatorError
from app.fuel.parameters import CLASSES, of_class
from app.fuel.settings import own_values, set_parameters
from app.store.tables import FuelParameters, Tank, Vehicle
from dialogs.fuel_parameter_fields import BUILT_IN, GROUPS, make_fields
from dialogs.fuel_words import buttons_row, problem_label, show_problem
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.page import scroll_area
from widgets.primitives import calm_wheel, labelled, link_button, outline_button, primary_button, text_label

WIDTH_PX, HEIGHT_PX = 580, 700


@dataclass(frozen=True, slots=True)
class ClassValues:
    """What was set for a class, and how many vehicles with a tank it concerns; ``apart`` of them have own values."""

    own: dict[str, Any]
    vehicles: int
    apart: int


def read_classes(connection: Connection) -> dict[str, ClassValues]:
    """Every class; vehicles of none belong to the first."""
    has_tank = exists().where(Tank.vehicle_id == Vehicle.id, Tank.removed_at.is_(None))
    query = select(Vehicle.id, Vehicle.vehicle_class).where(Vehicle.removed_at.is_(None), has_tank)
    scopes = set(connection.execute(select(FuelParameters.scope)).scalars())
    counts, apart = dict.fromkeys(CLASSES, 0), dict.fromkeys(CLASSES, 0)
    for row in connection.execute(query):
        name = row.vehicle_class if row.vehicle_class in counts else CLASSES[0]
        counts[name] += 1
        apart[name] += f"vehicle:{row.id}" in scopes
    return {one: ClassValues(own_values(connection, f"class:{one}"), counts[one], apart[one]) for one in CLASSES}


async def fuel_class_parameters(context: ConsoleContext, parent: QWidget, vehicle_class: str = "") -> bool:
    """Open the dialog with a class chosen; True when something was saved."""
    classes = await context.bridge.read(read_classes)
    dialog = ClassParametersDialog(context, parent, classes, vehicle_class or CLASSES[0])
    await ask.run(dialog)
    return dialog.is_saved


class ClassParametersDialog(QDialog):
    """One class after the other can be changed and saved; what was entered and not saved is asked about."""

    def __init__(self, context: ConsoleContext, parent: QWidget, classes: dict[str, ClassValues], chosen: str) -> None:
        super().__init__(parent)
        self._context = context
        self._classes = classes
        self._chosen = chosen
        self.is_saved = False
        theme = context.theme
        self.setWindowTitle(tr("Fuel parameters of a class"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        self.vehicle_class = QComboBox()
        for name in CLASSES:
            self.vehicle_class.addItem(tr(name.capitalize()), name)
        self.vehicle_class.setCurrentIndex(self.vehicle_class.findData(chosen))
        labelled(calm_wheel(self.vehicle_class), tr("Vehicle class"))
        self.reset_all = link_button(theme, tr("Reset all to defaults"), "rotate-ccw", small=True)
        self.meaning = text_label("", "muted", wrap=True)
        self.fields = make_fields(theme, BUILT_IN)
        self.problem = problem_label()
        self.save = primary_button(theme, tr("Save for the class…"), "check")
        self.shut = outline_button(theme, tr("Close"))
        self._lay_out()
        self._show()
        for field in self.fields.values():
            field.changed.connect(self._on_edited)
        self.vehicle_class.currentIndexChanged.connect(lambda: self._start(self._on_class()))
        self.reset_all.clicked.connect(self._reset)
        self.save.clicked.connect(lambda: self._start(self._save()))
        self.shut.clicked.connect(self.reject)
        self.save.setDefault(True)
        self._on_edited()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def reject(self) -> None:
        """Escape and Close lose nothing unasked."""
        if self._is_changed():
            self._start(self._close())
        else:
            super().reject()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, 20)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Fuel parameters of a class"), "heading"))
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(text_label(tr("Vehicle class"), "strong"))
        head.addWidget(self.vehicle_class)
        head.addStretch(1)
        head.addWidget(self.reset_all)
        column.addLayout(head)
        column.addWidget(self.meaning)
        area, rows = scroll_area(margin=0)
        rows.setContentsMargins(4, 4, 24, 4)
        rows.setSpacing(10)
        for name, field in self.fields.items():
            if name in GROUPS:
                rows.addSpacing(4)
                rows.addWidget(text_label(tr(GROUPS[name]), "strong"))
            rows.addWidget(field)
        column.addWidget(area, 1)
        column.addWidget(self.problem)
        column.addLayout(buttons_row(right=(self.shut, self.save)))

    def values(self) -> dict[str, Any]:
        """What is set for the class. Raises ValueError with the sentence of the first that is wrong."""
        entered = {name: field.value() for name, field in self.fields.items()}
        return {name: value for name, value in entered.items() if value is not None}

    def _show(self) -> None:
        """The chosen class as it is stored."""
        standing, built_in = self._classes[self._chosen], of_class(self._chosen)
        for name, field in self.fields.items():
            field.inherit(getattr(built_in, name))
            field.set_value(standing.own.get(name))
        said = [
            trn("{count} vehicle with a tank is of this class.", "{count} vehicles with a tank are of this class.",
                standing.vehicles)
        ]  # fmt: skip
        if standing.apart:
            said.append(
                trn("{count} has values of its own, which win.", "{count} have values of their own, which win.",
                    standing.apart)
            )  # fmt: skip
        said.append(tr("An empty field takes the default, shown in grey."))
        self.meaning.setText(" ".join(said))

    def _reset(self) -> None:
        for field in self.fields.values():
            field.set_value(None)

    def _is_changed(self) -> bool:
        try:
            return self.values() != self._classes[self._chosen].own
        except ValueError:
            return True

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
        show_problem(self.problem, problem)
        self.reset_all.setVisible(bool(own or problem))
        self.save.setEnabled(not problem and self._is_changed())

    async def _on_class(self) -> None:
        wanted = str(self.vehicle_class.currentData())
        if wanted == self._chosen:
            return
        if self._is_changed() and not await self._may_drop():
            self.vehicle_class.setCurrentIndex(self.vehicle_class.findData(self._chosen))
            return
        self._chosen = wanted
        self._show()
        self._on_edited()

    async def _close(self) -> None:
        if await self._may_drop():
            super().reject()

    async def _may_drop(self) -> bool:
        name = tr(self._chosen.capitalize())
        return await ask.confirm(
            self, self._context.theme, tr("Leave without saving?"),
            tr("What was entered for the class “{name}” is not saved.", name=name), act=tr("Leave"), destructive=True,
        )  # fmt: skip

    async def _save(self) -> None:
        values, standing, chosen = self.values(), self._classes[self._chosen], self._chosen
        concerned = trn(
            "{count} vehicle has its events and totals computed anew.",
            "{count} vehicles have their events and totals computed anew.", standing.vehicles,
        )  # fmt: skip
        lines = [
            f"{field.label}: {_words(standing.own.get(name))} → {_words(values.get(name))}"
            for name, field in self.fields.items()
            if standing.own.get(name) != values.get(name)
        ]
        if standing.vehicles and not await ask.confirm(
            self, self._context.theme, tr("Save for every vehicle of the class “{name}”?",
                                          name=tr(chosen.capitalize())),
            concerned, act=tr("Save"), detail="\n".join(lines),
        ):  # fmt: skip
            return
        await self._context.bridge.write(partial(set_parameters, scope=f"class:{chosen}", values=values))
        self.is_saved = True
        self._classes = await self._context.bridge.read(read_classes)
        self._show()
        self._on_edited()
        self._context.notify("ok", tr("Parameters of the class “{name}” saved.", name=tr(chosen.capitalize())))

    def _start(self, act: Any) -> None:
        self._context.tasks.start(self._guarded(act), name="class parameters", owner=self)

    async def _guarded(self, act: Any) -> None:
        try:
            await act
        except OperatorError as err:
            show_problem(self.problem, err.why)


def _words(value: Any) -> str:
    return tr("default") if value is None else f"{value:g}" if isinstance(value, float) else str(value)
