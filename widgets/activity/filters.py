"""The filters over the activity page: integration, kind, time, and of runs the last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

from PySide6.QtCore import QDate, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDateEdit, QWidget

from resources.i18n import tr
from widgets.activity.view import View
from widgets.activity.wanted import RANGES, Wanted, range_of, read_search
from widgets.primitives import FlowLayout, calm_wheel, labelled, offer

CONSOLE = ""
EVERY = "*"
FIELD_HEIGHT_PX = 36


class FilterBar(QWidget):
    """``changed`` when the operator chooses something else. Choices hold for every view that has them."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.integrations = _box(tr("Integration"), 190)
        self.kinds = _box(tr("Kind"), 150)
        self.people = _box(tr("Who"), 150)
        self.people.addItem(tr("Everybody"), "")
        self.times = _box(tr("Time"), 150)
        for key, word in RANGES:
            self.times.addItem(word, key)
        today = QDate.currentDate()
        self.first, self.last = _day(tr("First day"), today.addDays(-6)), _day(tr("Last day"), today)
        self.last_only = QCheckBox(tr("Last attempt only"))
        self.last_only.setToolTip(tr("Of every integration only the run that ended last."))
        self.row = FlowLayout(self, gap=10)
        for box in (self.integrations, self.kinds, self.people, self.times, self.first, self.last, self.last_only):
            self.row.addWidget(box)
        self._show_days()
        for combo in (self.integrations, self.kinds, self.people, self.times):
            combo.currentIndexChanged.connect(self._on_changed)
        self.first.dateChanged.connect(self._on_changed)
        self.last.dateChanged.connect(self._on_changed)
        self.last_only.toggled.connect(self._on_changed)

    def wanted(self, text: str, now: datetime, zone: tzinfo) -> Wanted:
        """Everything that is chosen, together with the text of the search."""
        words, number = read_search(text)
        since, until = range_of(str(self.times.currentData()), now, zone, self.days())
        integration = self.integrations.currentData()
        return Wanted(
            words=words,
            number=number,
            integration_id=None if integration in {None, EVERY} else str(integration),
            kind=str(self.kinds.currentData() or ""),
            since=since,
            until=until,
            last_only=self.last_only.isChecked() and not self.last_only.isHidden(),
            who="" if self.people.isHidden() else str(self.people.currentData() or ""),
        )

    def days(self) -> tuple[date, date]:
        first, last = self.first.date(), self.last.date()
        return date(first.year(), first.month(), first.day()), date(last.year(), last.month(), last.day())

    def show_view(self, view: View[Any]) -> None:
        """Offer what this view knows; a choice of kind that it does not know is given up."""
        with_kinds = len(view.kinds) > 1
        self.kinds.setVisible(with_kinds)
        offer(self.kinds, view.kinds, "")
        self.last_only.setVisible(view.key == "log")
        self.people.setVisible(view.key == "acts")

    def show_integrations(self, names: Sequence[tuple[str, str]], counts: Mapping[str, int]) -> None:
        """``names`` are (id, name) of all that are configured; what a view counts stands behind the name."""
        choices = [(EVERY, tr("Every integration")), (CONSOLE, tr("The console itself"))]
        choices += [(key, f"{name}  {counts[key]:,}" if counts.get(key) else name) for key, name in names]
        chosen = self.integrations.currentData()
        if chosen is not None and chosen not in dict(choices):  # removed meanwhile, and still looked for
            choices.append((chosen, self.integrations.currentText()))
        offer(self.integrations, choices, EVERY)

    def show_people(self, people: Sequence[str]) -> None:
        """Offer these; who is chosen stays, also when nobody else is left."""
        choices = [("", tr("Everybody")), *((name, name) for name in people)]
        chosen = self.people.currentData()
        if chosen and chosen not in people:
            choices.append((chosen, chosen))
        offer(self.people, choices, "")

    def choose_person(self, name: str) -> None:
        """As if chosen by hand."""
        if self.people.findData(name) < 0:
            self.people.addItem(name, name)
        self.people.setCurrentIndex(self.people.findData(name))

    def choose_integration(self, integration_id: str) -> None:
        """As if chosen by hand; one that is not there any more is named by its id."""
        if self.integrations.findData(integration_id) < 0:
            self.integrations.addItem(integration_id, integration_id)
        self.integrations.setCurrentIndex(self.integrations.findData(integration_id))

    def clear(self) -> None:
        """Choose everything, without a word about it."""
        was_blocked = self.blockSignals(True)
        self.last_only.setChecked(False)
        for box in (self.integrations, self.kinds, self.people, self.times):
            box.setCurrentIndex(0)
        self.blockSignals(was_blocked)

    def _on_changed(self, *_value: object) -> None:
        self._show_days()
        self.changed.emit()

    def _show_days(self) -> None:
        are_chosen = self.times.currentData() == "days"
        self.first.setVisible(are_chosen)
        self.last.setVisible(are_chosen)


def _box(name: str, width: int) -> QComboBox:
    box = QComboBox()
    labelled(box, name)
    calm_wheel(box)
    box.setMinimumWidth(width)
    box.setMaximumWidth(260)
    return box


def _day(name: str, value: QDate) -> QDateEdit:
    edit = QDateEdit(value)
    edit.setDisplayFormat("yyyy-MM-dd")
    edit.setCalendarPopup(False)
    edit.setMinimumWidth(130)
    edit.setFixedHeight(FIELD_HEIGHT_PX)
    labelled(edit, name)
    calm_wheel(edit)
    return edit
