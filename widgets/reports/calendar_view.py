"""The calendar: filters, how many reports are in each state, and the matrix."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.reports.calendar import ReportListing, WantedReports, count_states
from app.reports.programmes import Programme
from app.reports.states import ReportState
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.primitives import (
    FlowLayout,
    SearchField,
    StatusPill,
    calm_wheel,
    clear_layout,
    labelled,
    offer,
    text_label,
)
from widgets.reports import words
from widgets.reports.matrix import Matrix, MatrixRow

SPAN_DAYS = 400
NEEDS = "needs"
_NEEDED = (ReportState.DUE, ReportState.LATE, ReportState.INCOMPLETE, ReportState.REJECTED)


class CalendarView(QWidget):
    """``filtered`` when something else is asked for; ``opened`` with a report's id."""

    filtered = Signal()
    opened = Signal(str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.programmes = QComboBox()
        self.states = QComboBox()
        self.search = SearchField(context.theme, tr("Facility, code, zone…"))
        self.matrix = Matrix(context)
        self.counts = QWidget()
        self._pills = FlowLayout(self.counts, gap=8)
        self.pills: dict[str, StatusPill] = {}
        self._reports: Sequence[ReportListing] = ()
        self._lay_out()
        self.programmes.currentIndexChanged.connect(self.filtered)
        self.states.currentIndexChanged.connect(self._show)
        self.search.searched.connect(self._show)
        self.matrix.opened.connect(self.opened)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.programmes.addItem(tr("Every programme"), "")
        self.states.addItem(tr("Every state"), "")
        self.states.addItem(tr("Needs somebody"), NEEDS)
        for state, word in words.STATE_WORDS.items():
            self.states.addItem(word, str(state))
        for box, name in ((self.programmes, tr("Programme")), (self.states, tr("State"))):
            labelled(box, name)
            calm_wheel(box)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.programmes)
        bar.addWidget(self.states)
        bar.addStretch(1)
        bar.addWidget(self.search)
        column.addLayout(bar)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.counts, 1)
        row.addWidget(text_label(tr("Click a report to open it"), "muted"))
        column.addLayout(row)
        column.addWidget(self.matrix, 1)

    @property
    def table(self) -> DataTable[MatrixRow]:
        return self.matrix.table

    def wanted(self, today: date) -> WantedReports:
        """What to read: the periods of a good year."""
        programme_id = str(self.programmes.currentData() or "")
        return WantedReports(programme_id=programme_id, since=today - timedelta(days=SPAN_DAYS))

    def show_programmes(self, programmes: Sequence[Programme]) -> None:
        offer(self.programmes, [("", tr("Every programme")), *((one.id, one.name) for one in programmes)])

    def show_reports(self, reports: Sequence[ReportListing]) -> None:
        self._reports = reports
        self._show()

    def _show(self, *_value: object) -> None:
        wanted = str(self.states.currentData() or "")
        text = self.search.text().casefold().split()
        shown = [one for one in self._reports if _holds(one, text)]
        self._show_counts(shown)
        if wanted:
            chosen = {(one.programme_id, one.facility) for one in shown if _is_wanted(one, wanted)}
            shown = [one for one in shown if (one.programme_id, one.facility) in chosen]
        self.matrix.show_reports(shown)

    def _show_counts(self, reports: Sequence[ReportListing]) -> None:
        clear_layout(self._pills)
        self.pills.clear()
        counts = count_states(reports)
        for state, word in words.STATE_WORDS.items():
            if counts.get(state):
                pill = StatusPill(self._context.theme, words.state_level(state), f"{counts[state]:,} {word.lower()}")
                self.pills[state] = pill
                self._pills.addWidget(pill)

    def choose_state(self, state: str) -> None:
        self.states.setCurrentIndex(max(0, self.states.findData(state)))


def _is_wanted(report: ReportListing, wanted: str) -> bool:
    return report.state in _NEEDED if wanted == NEEDS else report.state == wanted


def _holds(report: ReportListing, text: Sequence[str]) -> bool:
    haystack = f"{report.facility_name} {report.facility_code} {report.zone} {report.programme}".casefold()
    return all(word in haystack for word in text)
