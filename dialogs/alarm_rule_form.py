"""One rule: its name, priority and settings, as a form made from the settings of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from sqlalchemy import Connection

from adapters.base import SettingSpec, settings_form
from app.alarms.errors import AlarmError
from app.alarms.own_fences import list_all
from app.alarms.rule_book import add_rule, change_rule
from app.alarms.rules import MODELS, Rule, WorkingHours
from app.alarms.words import ADVICE, KIND_WORDS, Kind, Priority
from app.errors import OperatorError
from app.fleet.vehicles import list_vehicles
from dialogs.alarm_pickers import Picker
from dialogs.settings_fields import FieldRow, FormTools, make_row
from resources.i18n import tr
from widgets import ask
from widgets.alarms.words import PRIORITY_WORDS
from widgets.context import ConsoleContext
from widgets.page import scroll_area
from widgets.primitives import SegmentedTabs, exact_height, labelled, line, outline_button, primary_button, text_label
from widgets.theme import restyle

WIDTH_PX, HEIGHT_PX = 580, 700
_PICKED = frozenset({"vehicles", "fences"})
_HOURS = frozenset(WorkingHours.model_fields)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a rule may be for: (id, name) pairs."""

    vehicles: Sequence[tuple[str, str]]
    fences: Sequence[tuple[str, str]]


def read_choices(connection: Connection) -> Choices:
    return Choices(
        [(vehicle.id, vehicle.label) for vehicle in list_vehicles(connection)],
        [(fence["id"], fence["name"] or tr("without a name")) for fence in list_all(connection)],
    )


class RuleDialog(QDialog):
    """Accepted once the rule is saved. ``rule`` None makes a new one of ``kind``."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, kind: Kind, rule: Rule | None, choices: Choices
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._kind = kind
        self._rule = rule
        kind_word = tr(KIND_WORDS[kind])
        title = tr("New rule: {kind}", kind=kind_word) if rule is None else tr("Rule: {kind}", kind=kind_word)
        self.setWindowTitle(title)
        self.setFixedWidth(WIDTH_PX)
        self.resize(WIDTH_PX, HEIGHT_PX)
        self.name = QLineEdit(kind_word if rule is None else rule.name)
        self.name.setMaxLength(200)
        labelled(self.name, tr("Name"))
        chosen = Priority.LOW if rule is None else rule.priority
        self.priority = SegmentedTabs([(key, PRIORITY_WORDS[key]) for key in PRIORITY_WORDS], chosen)
        self.problem = exact_height(text_label("", "error", wrap=True, selectable=True))
        self.save = primary_button(context.theme, tr("Save the rule"))
        self.cancel = outline_button(context.theme, tr("Cancel"))
        tools = FormTools(context.theme, self._spawn)
        specs = settings_form(MODELS[kind])
        self.rows = {spec.name: make_row(spec, tools) for spec in _ordered(specs)}
        self.pickers = self._pickers(specs, choices)
        self._give(rule)
        self._lay_out(title)
        for row in self.rows.values():
            row.editor.changed.connect(self._show_rows)
        self.save.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.save.setDefault(True)
        self._show_rows()
        self.name.setFocus()

    def values(self) -> dict[str, Any]:
        """What was entered; settings whose rows are hidden keep what they were."""
        entered = {name: row.editor.value() for name, row in self.rows.items()}
        return {**entered, **{name: picker.value() for name, picker in self.pickers.items()}}

    def _pickers(self, specs: Sequence[SettingSpec], choices: Choices) -> dict[str, Picker]:
        names = {spec.name for spec in specs}
        offered: Mapping[str, tuple[str, str, Sequence[tuple[str, str]]]] = {
            "vehicles": (tr("Vehicles"), tr("All vehicles"), choices.vehicles),
            "fences": (tr("Fences"), tr("All fences"), choices.fences),
        }
        if self._kind is Kind.SPEED:
            offered = {**offered, "fences": (tr("Where it holds"), tr("Everywhere"), choices.fences)}
        theme = self._context.theme
        return {name: Picker(theme, *offered[name]) for name in ("fences", "vehicles") if name in names}

    def _give(self, rule: Rule | None) -> None:
        if rule is None:
            return
        said = rule.settings.model_dump(mode="json")
        for name, row in self.rows.items():
            row.editor.set_value(said[name])
        for name, picker in self.pickers.items():
            picker.set_value(said[name])

    def _lay_out(self, title: str) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        outer.setSpacing(12)
        outer.addWidget(text_label(title, "heading", wrap=True))
        advice = tr("Next step that its alarms name: {advice}", advice=tr(ADVICE[self._kind]))
        outer.addWidget(exact_height(text_label(advice, "muted", wrap=True)))
        area, column = scroll_area(margin=0)
        column.setContentsMargins(4, 4, 14, 4)  # room for focus rings and the scroll bar
        column.setSpacing(16)
        column.addLayout(_labelled(tr("Name"), self.name))
        column.addLayout(_labelled(tr("Priority"), self.priority))
        for name, row in self.rows.items():
            if name not in _HOURS:
                column.addWidget(row)
        for picker in self.pickers.values():
            column.addWidget(line())
            column.addWidget(picker)
        self.hours = [row for name, row in self.rows.items() if name in _HOURS]
        self.hours_heading = text_label(tr("Working hours"), "strong")
        if self.hours:
            column.addWidget(line())
            column.addWidget(self.hours_heading)
            for row in self.hours:
                column.addWidget(row)
        self.area = area
        outer.addWidget(area, 1)
        outer.addWidget(self.problem)
        self.problem.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        outer.addLayout(buttons)

    def _show_rows(self) -> None:
        """Only what matters: a limit of its own, working hours where they count."""
        now = {name: row.editor.value() for name, row in self.rows.items()}
        for row in self.rows.values():
            row.setVisible(all(str(now.get(field)) in values for field, values in row.spec.shown_when.items()))
        counts = now.get("hours") != "always" and now.get("high_outside", True)
        for row in self.hours:
            row.setVisible(bool(counts))
        self.hours_heading.setVisible(bool(counts))

    def _start(self) -> None:
        self.problem.hide()
        restyle(self.name, invalid="false")
        for name, picker in self.pickers.items():
            if picker.fault():
                self._show_fault(AlarmError(f"{picker.accessibleName()}: {picker.fault()}", name))
                return
        self.save.setEnabled(False)
        self._spawn(self._save(), "save a rule")

    async def _save(self) -> None:
        name, priority, values = self.name.text(), Priority(self.priority.value), self.values()
        rule = self._rule
        job: Any = (
            partial(add_rule, kind=self._kind, name=name, priority=priority, values=values)
            if rule is None
            else partial(change_rule, rule_id=rule.id, name=name, priority=priority, values=values)
        )
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self.save.setEnabled(True)
            self._show_fault(err)
            return
        self.accept()

    def _show_fault(self, err: OperatorError) -> None:
        field = err.field if isinstance(err, AlarmError) else ""
        row: FieldRow | None = self.rows.get(field)
        if row is not None and not row.isHidden():
            row.show_error(err.why)
            row.editor.input.setFocus()
            self.area.ensureWidgetVisible(row, 0, 12)
            return
        if field == "name":
            restyle(self.name, invalid="true")
            self.name.setFocus()
        self.problem.setText(err.why)
        self.problem.show()

    def _spawn(self, coroutine: Any, name: str) -> object:
        return self._context.tasks.start(coroutine, name=f"rule: {name}", owner=self)


def _ordered(specs: Sequence[SettingSpec]) -> list[SettingSpec]:
    """The settings of the kind itself first, working hours last; vehicles and fences have pickers."""
    own = [spec for spec in specs if spec.name not in _HOURS and spec.name not in _PICKED]
    return [*own, *(spec for spec in specs if spec.name in _HOURS)]


def _labelled(title: str, control: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(5)
    label = text_label(title, "strong")
    label.setBuddy(control)
    column.addWidget(label)
    column.addWidget(control)
    return column
