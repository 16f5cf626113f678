"""A report as it is looked at: its lines with what was filled and entered, and on demand where a number came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from app.fleet.times import iso
from app.reports.calendar import ReportListing, report_listing
from app.reports.figures import CLASS_WORDS, FIGURES, Judged, Value, effective, judge
from app.reports.programmes import Programme, programme
from app.store.tables import ReportLine, ReportSource, ReportSubmission


@dataclass(frozen=True, slots=True)
class FormLine:
    """One item of a report. ``values`` are those that count; ``gaps`` {figure: (code, why)}."""

    id: str
    item: str
    code: str
    name: str
    unit: str
    pack_size: float
    values: Mapping[str, Value]
    filled: Mapping[str, Value]
    entered: Mapping[str, Value]
    gaps: Mapping[str, Sequence[str]]
    notes: Mapping[str, str]
    remarks: str
    judged: Judged

    def why_empty(self, figure: str) -> str:
        """Why a figure has no value, "" where it has one."""
        if self.values.get(figure) is not None:
            return ""
        gap = self.gaps.get(figure)
        return gap[1] if gap else "It was not filled. Fill the report, or enter it."

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        return {
            "id": self.id,
            "item": self.item,
            "item_code": self.code,
            "item_name": self.name,
            "unit": self.unit,
            "pack_size": self.pack_size,
            **{figure.key: self.values.get(figure.key) for figure in FIGURES},
            "months_of_stock": None if self.judged.months is None else round(self.judged.months, 2),
            "quantity_to_order": self.judged.to_order,
            "stock_class": self.judged.stock_class,
            "difference": self.judged.difference,
            "remarks": self.remarks,
            "entered": sorted(self.entered),
            "unknown": {key: self.why_empty(key) for key in self.judged.missing},
        }


@dataclass(frozen=True, slots=True)
class ReportForm:
    report: ReportListing
    programme: Programme
    lines: tuple[FormLine, ...]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One record behind a number."""

    figure: str
    record: str
    record_id: str
    label: str
    value: float
    day: str
    read_at: datetime | None

    def as_row(self) -> dict[str, Any]:
        return {
            "figure": self.figure,
            "record": self.record,
            "record_id": self.record_id,
            "label": self.label,
            "value": self.value,
            "day": self.day,
            "read_at": None if self.read_at is None else iso(self.read_at),
        }


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    number: int
    received_at: datetime
    received_from: str
    noted_by: str
    noted_at: datetime
    comment: str
    lines: int


def report_form(connection: Connection, report_id: str, today: date) -> ReportForm:
    """A report with its lines by name. Raises UnknownReport."""
    report = report_listing(connection, report_id, today)
    found = programme(connection, report.programme_id)
    table = ReportLine
    query = select(table.__table__).where(table.report_id == report_id).order_by(table.item_name, table.id)
    return ReportForm(report, found, tuple(_line(row, found) for row in connection.execute(query)))


def sources_of(connection: Connection, line_id: str, figure: str = "") -> list[SourceRow]:
    """What a line's filled numbers were made from, or one of them; in the order of their days."""
    table = ReportSource
    query = select(table.__table__).where(table.line_id == line_id)
    if figure:
        query = query.where(table.figure == figure)
    rows = connection.execute(query.order_by(table.figure, table.day, table.id))
    return [
        SourceRow(row.figure, row.record, row.record_id, row.label, row.value, row.day, row.read_at) for row in rows
    ]


def submissions_of(connection: Connection, report_id: str) -> list[SubmissionRow]:
    """Every time the report came, the newest first."""
    table = ReportSubmission
    query = select(table.__table__).where(table.report_id == report_id).order_by(table.number.desc())
    return [
        SubmissionRow(
            row.number, row.received_at, row.received_from, row.noted_by, row.noted_at, row.comment, len(row.lines)
        )
        for row in connection.execute(query)
    ]


def class_word(stock_class: str) -> str:
    return CLASS_WORDS.get(stock_class, stock_class)


def _line(row: Any, found: Programme) -> FormLine:
    values = effective(row.filled, row.entered)
    return FormLine(
        id=row.id,
        item=row.item,
        code=row.item_code,
        name=row.item_name or row.item,
        unit=row.unit,
        pack_size=row.pack_size,
        values=values,
        filled=row.filled,
        entered=row.entered,
        gaps=row.gaps,
        notes=row.notes,
        remarks=row.remarks,
        judged=judge(values, row.gaps, found.limits, pack_size=row.pack_size),
    )
