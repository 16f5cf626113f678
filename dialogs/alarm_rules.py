"""The rules of alarms: which there are, which work, and what each looks at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QDialog, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.alarms.rule_book import change_rule, list_rules, remove_rule, write_defaults
from app.alarms.rules import Rule
from app.alarms.words import KIND_WORDS, RANKS, Kind
from app.errors import OperatorError
from dialogs.alarm_rule_form import RuleDialog, read_choices
from resources.i18n import tr, trn
from widgets import ask
from widgets.alarms.words import PRIORITY_LEVELS, PRIORITY_WORDS
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, HEIGHT_PX = 940, 680


class RulesDialog(QDialog):
    """Each change is saved at once; the dialog is only closed."""

    def __init__(self, context: ConsoleContext, parent: QWidget, wanted: str) -> None:
        super().__init__(parent)
        self._context = context
        self._wanted = wanted
        self.setWindowTitle(tr("Alarm rules"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme = context.theme
        model = RowsModel[Rule](_columns(), key=lambda rule: rule.id)
        self.table = DataTable(theme, model, tr("Alarm rules"))
        model.setParent(self.table)
        self.table.set_empty("sliders-horizontal", tr("No rules"), tr("Without rules nothing is told. Add one."))
        self.add = outline_button(theme, tr("Add a rule"), "plus")
        self.edit = outline_button(theme, tr("Change…"), "pencil")
        self.switch = outline_button(theme, tr("Switch off"), "power")
        self.remove = outline_button(theme, tr("Remove…"), "trash-2")
        self.shut = primary_button(theme, tr("Close"))
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self._lay_out()
        self.add.clicked.connect(self._open_kinds)
        self.edit.clicked.connect(lambda: self._on_chosen(self._edit))
        self.switch.clicked.connect(lambda: self._on_chosen(self._switch))
        self.remove.clicked.connect(lambda: self._on_chosen(self._remove))
        self.shut.clicked.connect(self.accept)
        self.table.activated.connect(lambda rule: self._spawn(self._edit(rule), "change"))
        self.table.selected.connect(self._on_selected)
        self._on_selected([])
        self._spawn(self.read(), "read")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Alarm rules"), "heading"))
        sense = tr(
            "An alarm should need somebody to act. Aim at about one in ten minutes: eighty of a hundred low, fifteen "
            "medium, five high."
        )
        column.addWidget(text_label(sense, "muted", wrap=True))
        column.addWidget(in_card(self.table), 1)
        column.addWidget(self.problem)
        self.problem.hide()
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.add, self.edit, self.switch, self.remove):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.shut)
        column.addLayout(row)

    async def read(self) -> None:
        """The rules as they are; the first of them where there were none yet."""
        try:
            await self._context.bridge.write(write_defaults)
            rules = await self._context.bridge.read(list_rules)
        except OperatorError as err:
            self._show_problem(err)
            return
        self.table.model.apply(rules)
        if self._wanted:
            self.table.select_key(self._wanted)
            self._wanted = ""
        self._on_selected(self.table.selected_rows())

    def kinds_menu(self) -> QMenu:
        """One entry per kind of rule."""
        menu = QMenu(self)
        for kind in Kind:
            menu.addAction(tr(KIND_WORDS[kind])).triggered.connect(partial(self._on_kind, kind))
        return menu

    def _open_kinds(self) -> None:
        menu = self.kinds_menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.add.mapToGlobal(QPoint(0, -menu.sizeHint().height())))

    def _on_kind(self, kind: Kind, *_checked: object) -> None:
        self._spawn(self._form(kind, None), "add")

    async def _edit(self, rule: Rule) -> None:
        await self._form(rule.kind, rule)

    async def _form(self, kind: Kind, rule: Rule | None) -> None:
        self.problem.hide()
        try:
            choices = await self._context.bridge.read(read_choices)
        except OperatorError as err:
            self._show_problem(err)
            return
        if await ask.run(RuleDialog(self._context, self, kind, rule, choices)):
            await self.read()

    async def _switch(self, rule: Rule) -> None:
        await self._write(partial(change_rule, rule_id=rule.id, enabled=not rule.is_enabled))

    async def _remove(self, rule: Rule) -> None:
        if await ask.confirm(
            self,
            self._context.theme,
            tr("Remove the rule “{name}”?", name=rule.name),
            tr("It raises nothing any more. What it raised stays in the history."),
            act=tr("Remove the rule"),
            destructive=True,
        ):
            await self._write(partial(remove_rule, rule_id=rule.id))

    async def _write(self, job: Any) -> None:
        self.problem.hide()
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self._show_problem(err)
        await self.read()

    def _show_problem(self, err: OperatorError) -> None:
        self.problem.setText(err.why)
        self.problem.show()

    def _on_chosen(self, act: Any) -> None:
        rows = self.table.selected_rows()
        if rows:
            self._spawn(act(rows[0]), "act")

    def _on_selected(self, rules: Sequence[Rule]) -> None:
        for button in (self.edit, self.switch, self.remove):
            button.setEnabled(bool(rules))
        is_off = bool(rules) and not rules[0].is_enabled
        self.switch.setText(tr("Switch on") if is_off else tr("Switch off"))

    def _spawn(self, coroutine: Any, name: str) -> object:
        return self._context.tasks.start(coroutine, name=f"rules: {name}", owner=self)


def summary(rule: Rule) -> str:
    """The settings that make the rule what it is, in a few words."""
    said: dict[str, Any] = rule.settings.model_dump()
    parts = []
    if rule.kind is Kind.SPEED:
        limit = tr("{n} km/h", n=f"{said['limit_km_h']:g}")
        parts.append(limit if said["limit"] == "fixed" else tr("the limit of each fence"))
        parts.append(tr("+{n} km/h", n=f"{said['tolerance_km_h']:g}"))
    if "least_l" in said:
        parts.append(tr("from {n} L", n=f"{said['least_l']:g}"))
    if "after_min" in said:
        parts.append(tr("after {span}", span=_span(said["after_min"])))
    if "longer_min" in said:
        parts.append(tr("longer than {span}", span=_span(said["longer_min"])))
    if "hold_s" in said:
        parts.append(tr("for {n} s", n=said["hold_s"]))
    if said.get("when") == "driving":
        parts.append(tr("on the way"))
    if said.get("hours", "always") != "always":
        parts.append(tr("outside working hours") if said["hours"] == "outside" else tr("within working hours"))
    if said.get("fences"):
        parts.append(trn("{count} fence", "{count} fences", len(said["fences"])))
    elif rule.kind in {Kind.FENCE_ENTER, Kind.FENCE_LEAVE, Kind.FENCE_STAY}:
        parts.append(tr("all fences"))
    if said.get("vehicles"):
        parts.append(trn("{count} vehicle", "{count} vehicles", len(said["vehicles"])))
    return ", ".join(parts)


def _span(minutes: int) -> str:
    """In the largest unit that says it exactly."""
    if minutes % 1_440 == 0:
        return trn("{count} day", "{count} days", minutes // 1_440)
    return tr("{n} h", n=minutes // 60) if minutes % 60 == 0 else tr("{n} min", n=f"{minutes:,}")


def _columns() -> list[Column[Rule]]:
    kinds = list(Kind)
    return [
        Column(
            "on",
            tr("State"),
            lambda rule: tr("On") if rule.is_enabled else tr("Off"),
            badge=lambda rule: ("ok", tr("On")) if rule.is_enabled else ("neutral", tr("Off")),
            width=78,
        ),
        Column("name", tr("Name"), lambda rule: rule.name, width=230),
        Column(
            "kind", tr("Kind"), lambda rule: tr(KIND_WORDS[rule.kind]), lambda rule: kinds.index(rule.kind), width=150
        ),
        Column(
            "priority",
            tr("Priority"),
            lambda rule: PRIORITY_WORDS[rule.priority],
            lambda rule: -RANKS[rule.priority],
            badge=lambda rule: (PRIORITY_LEVELS[rule.priority], PRIORITY_WORDS[rule.priority]),
            width=98,
        ),
        Column("summary", tr("What it looks at"), summary, tooltip=summary, width=280),
    ]


async def alarm_rules(context: ConsoleContext, parent: QWidget, wanted: str = "") -> None:
    """Show the rules, with one of them chosen, until the dialog is closed."""
    dialog = RulesDialog(context, parent, wanted)
    try:
        await ask.run(dialog)
    finally:
        await context.tasks.cancel_owner(dialog)
