"""Facilities by periods: one pill per report, so that what is missing is seen at a glance."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QVBoxLayout, QWidget

from app.reports.calendar import ReportListing
from app.reports.compliance import last_periods
from app.reports.periods import ReportPeriod
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives.tips import plain_tip
from widgets.reports import words
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level

PERIODS = 6
FIXED = 3


@dataclass(frozen=True)
class MatrixRow:
    """One facility and programme with its reports by the first day of their periods."""

    key: Hashable
    facility: str
    code: str
    zone: str
    programme: str
    reports: Mapping[str, ReportListing] = field(default_factory=dict)


class Matrix(QWidget):
    """``opened`` carries the id of a report whose pill was clicked, or chosen with Enter."""

    opened = Signal(str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self._periods: list[ReportPeriod] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.table = self._make_table()
        self._card = in_card(self.table)
        self._column.addWidget(self._card)

    def show_reports(self, reports: Sequence[ReportListing]) -> None:
        """The newest periods as columns; another set of periods makes the table anew."""
        periods = last_periods(reports, PERIODS)
        if periods != self._periods:
            self._periods = periods
            self._column.removeWidget(self._card)
            self._card.hide()
            self._card.deleteLater()
            self.table = self._make_table()
            self._card = in_card(self.table)
            self._column.addWidget(self._card)
        self.table.model.apply(_rows(reports))

    def report_at(self, row: MatrixRow, column: int) -> ReportListing | None:
        """The report of a cell; of the name's column the one that needs somebody most."""
        if column >= FIXED:
            return row.reports.get(self._periods[column - FIXED].starts_on.isoformat())
        found = sorted(row.reports.values(), key=lambda one: _ORDER.index(words.state_level(one.state)))
        return found[0] if found else None

    def _make_table(self) -> DataTable[MatrixRow]:
        model = RowsModel[MatrixRow](self._columns(), key=lambda row: row.key)
        table = DataTable[MatrixRow](self._context.theme, model, tr("Calendar of reports"))
        model.setParent(table)
        table.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        table.view.clicked.connect(self._on_clicked)
        table.view.activated.connect(self._on_activated)
        table.view.setCursor(Qt.CursorShape.PointingHandCursor)
        table.set_empty(
            "clipboard-list",
            tr("Nothing is reported yet"),
            tr(
                "Choose Programmes to say which programmes are reported, in which rhythm, and which facilities are "
                "expected to report."
            ),
        )
        return table

    def _columns(self) -> list[Column[MatrixRow]]:
        columns = [
            Column[MatrixRow](
                "facility",
                tr("Facility"),
                lambda row: row.facility,
                width=200,
                tooltip=lambda row: plain_tip(f"{row.facility}\n{row.code}"),
            ),
            Column[MatrixRow]("programme", tr("Programme"), lambda row: row.programme, width=96),
            Column[MatrixRow]("zone", tr("Zone"), lambda row: row.zone, width=84),
        ]
        return columns + [self._period_column(period) for period in self._periods]

    def _period_column(self, period: ReportPeriod) -> Column[MatrixRow]:
        key = period.starts_on.isoformat()

        def badge(row: MatrixRow) -> tuple[Level, str] | None:
            report = row.reports.get(key)
            return None if report is None else words.state_badge(report)

        def text(row: MatrixRow) -> str:
            report = row.reports.get(key)
            return "" if report is None else words.state_badge(report)[1]

        def tip(row: MatrixRow) -> str:
            report = row.reports.get(key)
            return "" if report is None else plain_tip(_tip(report))

        def order(row: MatrixRow) -> int | None:
            report = row.reports.get(key)
            return None if report is None else _ORDER.index(words.state_level(report.state))

        return Column(key, period.name, text, order, tooltip=tip, badge=badge, width=124)

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() >= FIXED:
            self._open(index)

    def _on_activated(self, index: QModelIndex) -> None:
        if index.column() < FIXED:
            self._open(index)

    def _open(self, index: QModelIndex) -> None:
        row = self.table.model.row_at(index)
        report = None if row is None else self.report_at(row, index.column())
        if report is not None:
            self.opened.emit(report.id)


_ORDER: tuple[Level, ...] = ("error", "warn", "info", "neutral", "ok")


def _tip(report: ReportListing) -> str:
    parts = [report.period.name, tr("due on {day}", day=words.day_text(report.due_on))]
    facts = report.facts
    if facts.lines:
        parts.append(tr("{filled} of {lines} lines filled", filled=facts.lines_filled, lines=facts.lines))
    if report.open_tasks:
        parts.append(tr("{count} to mend", count=report.open_tasks))
    return "\n".join(parts + ([report.answer] if report.answer else []) + ([report.excuse] if report.excuse else []))


def _rows(reports: Sequence[ReportListing]) -> list[MatrixRow]:
    found: dict[tuple[str, str], dict[str, ReportListing]] = {}
    heads: dict[tuple[str, str], ReportListing] = {}
    for report in reports:
        key = (report.programme_id, report.facility)
        heads[key] = report
        found.setdefault(key, {})[report.period.starts_on.isoformat()] = report
    rows = [
        MatrixRow(key, head.facility_name, head.facility_code, head.zone, head.programme, found[key])
        for key, head in heads.items()
    ]
    return sorted(rows, key=lambda row: (row.facility.casefold(), row.programme.casefold()))
