"""The list beside the map: every vehicle with its state and age, filtered by text and state, sorted as chosen."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QComboBox, QHBoxLayout

from app.clock import from_ms
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.map.atlas import HEADINGS, NO_HEADING, draw_marker
from widgets.map.fleet import Fleet, subject_key
from widgets.map.keyed_list import KeyedList, KeyedRows, Mark
from widgets.map.list_rows import Lines
from widgets.map.palette import palette_for
from widgets.map.states import LEVELS, WORDS, VehicleState
from widgets.primitives import EmptyState, labelled, offer

ALL = -1
SORTS = ("state", "name", "newest")


class VehicleModel(KeyedRows):
    """Rows of a :class:`Fleet`."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self.fleet = fleet
        self.disagreeing: set[str] = set()
        self.integrations: dict[str, str] = {}  # names by id
        self._text = ""
        self._state = ALL
        self._sort = SORTS[0]
        self._folded: tuple[list[str], NDArray[np.str_]] = ([], np.empty(0, np.str_))

    def choose(self, *, text: str | None = None, state: int | None = None, sort: str | None = None) -> None:
        """Change what is shown; what is not given stays."""
        self._text = self._text if text is None else text.strip().casefold()
        self._state = self._state if state is None else state
        self._sort = self._sort if sort is None else sort
        self.arrange()

    def arranged(self) -> NDArray[np.int64]:
        fleet = self.fleet
        chosen = np.ones(len(fleet.subjects), bool) if self._state == ALL else fleet.state == self._state
        names = self._names()
        if self._text:
            chosen = chosen & self._matches()
        rows = np.flatnonzero(chosen)
        if self._sort == "name":
            return rows[np.argsort(names[rows], kind="stable")]
        if self._sort == "newest":
            return rows[np.lexsort((names[rows], -fleet.fixed_at_ms[rows]))]
        return rows[np.lexsort((names[rows], fleet.state[rows]))]

    def key_of(self, row: int) -> str:
        return self.fleet.subjects[row]

    def told(self, row: int) -> str:
        return f"{self.fleet.labels[row]}, {tr(WORDS[VehicleState(self.fleet.state[row])])}"

    def _names(self) -> NDArray[np.str_]:
        """Labels for comparing, made once per snapshot."""
        if self._folded[0] is not self.fleet.labels:
            folded = [label.casefold() for label in self.fleet.labels]
            self._folded = (self.fleet.labels, np.array(folded, np.str_) if folded else np.empty(0, np.str_))
        return self._folded[1]

    def _matches(self) -> NDArray[np.bool_]:
        found = np.zeros(len(self.fleet.subjects), bool)
        for tracker in self.fleet.trackers:
            source = self.integrations.get(tracker.integration_id, "")
            if self._text in f"{tracker.vehicle or ''}\n{tracker.name}\n{tracker.unique_id}\n{source}".casefold():
                found[self.fleet.row_of(subject_key(tracker))] = True
        return found


def _notes(model: VehicleModel, row: int, context: ConsoleContext) -> str:
    fleet = model.fleet
    if fleet.subjects[row] in model.disagreeing:
        return tr("sources disagree")
    speed = float(fleet.speed_km_h[row])
    return context.formats.speed(speed) if fleet.state[row] in {VehicleState.MOVING, VehicleState.ALARM} else ""


def _course(fleet: Fleet, row: int) -> float | None:
    column = int(fleet.drawn.column[row])
    return None if column == NO_HEADING else column * 360 / HEADINGS


class VehicleList(KeyedList[VehicleModel]):
    """Name and age, state word and speed, with the marker that stands on the map."""

    def __init__(self, context: ConsoleContext, fleet: Fleet) -> None:
        nothing = EmptyState(context.theme, "search", tr("No vehicle matches"), tr("Change the filter."))
        super().__init__(context, VehicleModel(fleet), tr("Vehicles"), nothing)
        self.states = QComboBox()
        labelled(self.states, tr("Show only one state"))
        self.sorts = QComboBox()
        labelled(self.sorts, tr("Order of the list"))
        for key, word in zip(SORTS, (tr("By state"), tr("By name"), tr("Newest first")), strict=True):
            self.sorts.addItem(word, key)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.states, 3)
        row.addWidget(self.sorts, 2)
        self.head.insertLayout(0, row)
        self.states.currentIndexChanged.connect(lambda _at: self._choose(state=self.states.currentData()))
        self.sorts.currentIndexChanged.connect(lambda _at: self._choose(sort=self.sorts.currentData()))
        self.show_fleet()

    def show_fleet(self) -> None:
        """The fleet changed: arrange anew, count anew."""
        self.model.arrange()
        if not self.states.view().isVisible():  # what somebody is choosing from does not change under the mouse
            self._count_states()
        self.show_summary()

    def search(self, text: str) -> None:
        self._choose(text=text)

    def describe(self, row: int) -> tuple[Mark, Lines]:
        fleet, context = self.model.fleet, self._context
        state, fixed_at_ms = VehicleState(fleet.state[row]), int(fleet.fixed_at_ms[row])
        course = _course(fleet, row) if state in {VehicleState.MOVING, VehicleState.ALARM} else None
        age = context.formats.ago(from_ms(fixed_at_ms)) if fixed_at_ms > 0 else ""
        mark = partial(draw_marker, state=state, course_deg=course, palette=palette_for(context.theme.tokens["name"]))
        notes = _notes(self.model, row, context)
        return mark, Lines(fleet.labels[row], age, tr(WORDS[state]), LEVELS[state], notes)

    def total(self) -> tuple[int, str, int]:
        fleet = self.model.fleet
        count = len(fleet.subjects)
        return count, trn("{count} vehicle", "{count} vehicles", count), int(fleet.fixed_at_ms.max(initial=0))

    def _count_states(self) -> None:
        counts = self.model.fleet.counts()
        wanted = [(ALL, tr("All states"))] + [
            (int(state), f"{tr(WORDS[state])}  {number:,}") for state, number in counts.items() if number
        ]
        chosen = self.states.currentData()
        if chosen is not None and chosen != ALL and not counts[VehicleState(chosen)]:
            wanted.append((chosen, f"{tr(WORDS[VehicleState(chosen)])}  0"))
        offer(self.states, wanted, ALL)

    def _choose(self, **choice: Any) -> None:
        self.quietly(partial(self.model.choose, **choice))
