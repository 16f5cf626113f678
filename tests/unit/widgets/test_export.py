"""Export as seen: harmless in spreadsheets, whole in every form."""

from __future__ import annotations

import csv
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.helpers.qt import Console
from widgets import ask, export_as
from widgets.export import Sheet, export, harmless

SHEET = Sheet("Trucks: of [Kano]", ("Plate", "Speed"), (("KAN-1", 54.5), ("=HYPERLINK(1)", -3), ("@x\x07", None)))


def test_csv_opens_in_excel_and_holds_no_formula(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    export(SHEET, file)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows == [["Plate", "Speed"], ["KAN-1", "54.5"], ["'=HYPERLINK(1)", "-3"], ["'@x\x07", ""]]


def test_xlsx_keeps_numbers_and_text(tmp_path: Path) -> None:
    file = tmp_path / "x.xlsx"
    export(SHEET, file)
    book = load_workbook(file)
    page = book["Trucks of Kano"]
    rows = [[cell.value for cell in row] for row in page.iter_rows()]
    book.close()
    assert rows == [["Plate", "Speed"], ["KAN-1", 54.5], ["'=HYPERLINK(1)", -3], ["'@x", None]]


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_pdf_takes_cells_as_text(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "x.pdf"
    export(Sheet("<b>Trucks</b>", ("Plate",), (("<img src='file:///etc/passwd'>",),)), file)
    written = file.read_bytes()
    assert written.startswith(b"%PDF")
    assert not re.search(rb"/Subtype\s*/Image", written)
    assert pages(written) == 1


def test_pdf_is_as_many_pages_as_its_rows_need(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "x.pdf"
    export(Sheet("Trucks", ("Plate", "Note"), tuple((f"KAN-{n}", "on the road " * 40) for n in range(120))), file)
    assert 5 < pages(file.read_bytes()) < 20


@pytest.mark.parametrize("columns", [1, 40])
def test_pdf_cuts_what_no_page_can_hold(tmp_path: Path, qapp: object, columns: int) -> None:
    file = tmp_path / "x.pdf"
    headings = tuple(f"A heading of some length {n}" for n in range(columns))
    rows = tuple(("W" * 20_000,) * columns for _ in range(3))
    export(Sheet("Trucks", headings, rows), file)
    assert 3 <= pages(file.read_bytes()) <= 4


def test_pdf_of_nothing_and_of_ragged_rows(tmp_path: Path, qapp: object) -> None:
    for number, sheet in enumerate((Sheet("", (), ()), Sheet("t", ("A",), ()), Sheet("t", ("A",), (("1", "2"), ())))):
        file = tmp_path / f"{number}.pdf"
        export(sheet, file)
        assert pages(file.read_bytes()) == 1


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "pdf"])
async def test_the_window_does_not_wait_for_a_file(
    tmp_path: Path, console: Console, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file, threads = tmp_path / f"x.{suffix}", []

    async def choose(*_question: object) -> Path:
        return file

    def watched(sheet: Sheet, target: Path) -> None:
        threads.append(threading.current_thread())
        export(sheet, target)

    monkeypatch.setattr(ask, "save_file", choose)
    monkeypatch.setattr(export_as, "export", watched)
    parent = QWidget()
    qtbot.addWidget(parent)
    await export_as.export_as(parent, console.context, SHEET)
    assert file.stat().st_size > 0
    assert threads != [threading.main_thread()]
    assert console.notes == [("ok", f"3 rows written to {file}")]


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.pdf"])
def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path, name: str, qapp: object) -> None:
    with pytest.raises(OSError, match=r"\w"):
        export(SHEET, tmp_path / "gone" / name)
    with pytest.raises(ValueError, match="must end in"):
        export(SHEET, tmp_path / "x.doc")


@given(st.text())
def test_no_text_begins_like_a_formula(text: str) -> None:
    cell = harmless(text)
    assert isinstance(cell, str)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.endswith(text)


def test_what_a_workbook_cannot_hold_hides_no_formula(tmp_path: Path) -> None:
    file = tmp_path / "x.xlsx"
    export(Sheet("Trucks", ("Plate",), (("\x07=HYPERLINK(1)",), ("\x00\x01@x",))), file)
    book = load_workbook(file)
    cells = [row[0] for row in book["Trucks"].iter_rows(min_row=2)]
    book.close()
    assert [(cell.data_type, cell.value) for cell in cells] == [("s", "'=HYPERLINK(1)"), ("s", "'@x")]


def test_separators_of_other_countries_open_no_cell(tmp_path: Path) -> None:
    """A spreadsheet program that separates by semicolons would read a formula after one."""
    file = tmp_path / "x.csv"
    export(Sheet("Trucks", ("Plate",), (("KAN;=HYPERLINK(1)",), ("KAN\t@x",))), file)
    assert file.read_text(encoding="utf-8-sig").splitlines()[1:] == ['"KAN;=HYPERLINK(1)"', '"KAN\t@x"']
