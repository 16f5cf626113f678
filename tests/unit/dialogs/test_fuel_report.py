"""The fuel report of a vehicle: its lines, other days, written as CSV, XLSX and PDF, printed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from openpyxl import load_workbook
from PySide6.QtCore import QDate
from PySide6.QtPrintSupport import QPrintDialog
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit

from app.fuel.events import decide, list_events
from app.fuel.reconcile import FALSE
from dialogs.fuel_report import ReportDialog
from tests.helpers.fuel_desk import LEFT, Desk, desk, opened
from tests.helpers.qt import until

__all__ = ["desk"]


async def open_report(desk: Desk) -> ReportDialog:
    QTest.mouseClick(desk.page.report, LEFT)
    dialog = await opened(ReportDialog)
    await until(dialog.export.isEnabled)
    return dialog


async def write(desk: Desk, dialog: ReportDialog, file: Path) -> None:
    before = len(desk.console.notes)
    QTest.mouseClick(dialog.export, LEFT)
    await until(lambda: [found for found in dialog.findChildren(QFileDialog) if found.isVisible()])
    (chooser,) = [found for found in dialog.findChildren(QFileDialog) if found.isVisible()]
    name = chooser.findChild(QLineEdit, "fileNameEdit")
    assert isinstance(name, QLineEdit)
    name.setText(str(file))
    chooser.done(QFileDialog.DialogCode.Accepted.value)
    await until(lambda: len(desk.console.notes) > before)
    level, words = desk.console.notes[-1]
    assert (level, words) == ("ok", f"{len(dialog.model.rows)} rows written to {file}")


async def test_days_total_and_events_balance(desk: Desk) -> None:
    dialog = await open_report(desk)
    lines = dialog.model.rows
    days = [line for line in lines if line.part == "day"]
    (total,) = [line for line in lines if line.part == "total"]
    events = [line for line in lines if line.part in ("refuel", "drain")]
    assert 2 <= len(days) <= 4
    assert [line.part for line in lines] == ["day"] * len(days) + ["total", "drain", "refuel"]
    assert total.refuelled_l == pytest.approx(100, abs=1)
    assert total.drained_l == pytest.approx(40, abs=1)
    assert total.start_l == days[0].start_l
    for line in days:
        assert line.start_l is not None
        assert line.end_l is not None
        balance = line.start_l - line.end_l + (line.refuelled_l or 0) - (line.drained_l or 0)
        assert line.used_l == pytest.approx(balance, abs=0.02)
    drain, refuel = events
    assert (round(drain.drained_l or 0), drain.refuelled_l) == (40, None)
    assert (round(refuel.refuelled_l or 0), refuel.drained_l) == (100, None)
    assert "Used 0" in dialog.summary.text() or "Used −0" in dialog.summary.text()
    dialog.reject()


async def test_it_is_written_as_csv_xlsx_and_pdf(desk: Desk, tmp_path: Path) -> None:
    dialog = await open_report(desk)
    await write(desk, dialog, tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as handle:
        headings, *rows = list(csv.reader(handle))
    assert headings[:4] == ["Part", "When", "Start L", "End L"]
    assert len(rows) == len(dialog.model.rows)
    total = next(row for row in rows if row[0] == "Total")
    assert float(total[headings.index("Refuelled L")]) == pytest.approx(100, abs=1)
    await write(desk, dialog, tmp_path / "report.xlsx")
    sheet = load_workbook(tmp_path / "report.xlsx").active
    assert sheet is not None
    assert sheet.max_row == len(rows) + 1
    assert isinstance(sheet.cell(2, 3).value, int | float)  # numbers stay numbers
    await write(desk, dialog, tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert dialog.sheet().title.startswith("Fuel report KAN-552XA 20")
    dialog.reject()


async def test_a_false_event_is_told_and_not_counted(desk: Desk) -> None:
    drain = next(event for event in await desk.read(list_events) if event.kind == "drain")
    await desk.write(lambda c: decide(c, drain.id, FALSE, "slope"))
    await desk.work()
    dialog = await open_report(desk)
    line = next(one for one in dialog.model.rows if one.part == "drain")
    assert line.drained_l is None
    assert "False, not counted: 40" in line.remark.replace("39.9", "40")
    assert "slope" in line.remark
    total = next(one for one in dialog.model.rows if one.part == "total")
    assert total.drained_l == 0
    dialog.reject()


async def test_other_days_are_read_anew_and_none_can_be_exported_where_there_is_nothing(desk: Desk) -> None:
    dialog = await open_report(desk)
    count = len(dialog.model.rows)
    last = dialog.last.date()
    dialog.last.setDate(QDate(2020, 1, 2))
    assert "first day lies after" in dialog.problem.text()
    assert not dialog.export.isEnabled()
    dialog.first.setDate(QDate(2020, 1, 1))
    await until(lambda: dialog.data is not None)
    assert dialog.model.rows == []
    assert not dialog.problem.isVisible()
    assert not dialog.print.isEnabled()
    dialog.last.setDate(last)
    await until(lambda: len(dialog.model.rows) >= count)
    assert dialog.print.isEnabled()
    dialog.reject()


async def test_it_is_printed_through_the_systems_own_question(desk: Desk) -> None:
    dialog = await open_report(desk)
    QTest.mouseClick(dialog.print, LEFT)
    await until(lambda: [found for found in dialog.findChildren(QPrintDialog) if found.isVisible()])
    (question,) = [found for found in dialog.findChildren(QPrintDialog) if found.isVisible()]
    assert question.printer().docName() == dialog.sheet().title
    question.done(QPrintDialog.DialogCode.Rejected.value)
    dialog.reject()
