"""A report, or a list of them, as a file for those who take no calls: CSV, JSON lines, or a spreadsheet.

Texts that a spreadsheet program would run are made harmless (:mod:`app.fleet.export`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.fleet.export import Format, pieces_of
from app.reports.figures import FIGURES
from app.reports.forms import ReportForm

FORM_COLUMNS: tuple[str, ...] = (
    "programme", "facility_code", "facility", "period_start", "period_end", "item_code", "item_name", "unit",
    "pack_size", *(figure.key for figure in FIGURES), "months_of_stock", "quantity_to_order", "stock_class",
    "difference", "remarks", "entered", "not_known",
)  # fmt: skip


def form_rows(form: ReportForm) -> Iterator[dict[str, Any]]:
    """One row per line, with what names the report in each: rows of many reports can stand in one file."""
    report = form.report
    head = {
        "programme": report.programme,
        "facility_code": report.facility_code,
        "facility": report.facility_name,
        "period_start": report.period.starts_on.isoformat(),
        "period_end": report.period.ends_on.isoformat(),
    }
    for line in form.lines:
        row = {**head, **line.as_row()}
        row["not_known"] = sorted(line.judged.missing)
        yield {column: row.get(column) for column in FORM_COLUMNS}


def form_pieces(form: ReportForm, file_format: Format) -> Iterator[bytes]:
    """The whole file in pieces."""
    return pieces_of(form_rows(form), FORM_COLUMNS, "report", file_format)


def row_pieces(rows: Sequence[Mapping[str, Any]], title: str, file_format: Format) -> Iterator[bytes]:
    """Any list of rows with the same columns, e.g. reminders."""
    columns = tuple(rows[0]) if rows else ("nothing",)
    return pieces_of(rows, columns, title, file_format)


def file_stem(form: ReportForm) -> str:
    """``malaria-gwagwalada-phc-2026-09``: letters, digits and dashes alone, whatever the names hold."""
    report = form.report
    words = f"{report.programme} {report.facility_name}".lower()
    plain = "".join(char if char.isascii() and char.isalnum() else " " for char in words)
    return "-".join([*plain.split(), f"{report.period.starts_on:%Y-%m}"])[:120]
