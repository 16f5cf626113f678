"""Export as seen: harmless in spreadsheets, whole in every form."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from widgets.export import Sheet, document, export, harmless

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


def test_pdf_and_print_take_cells_as_text(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "x.pdf"
    export(Sheet("<b>Trucks</b>", ("Plate",), (("<img src='file:///etc/passwd'>",),)), file)
    assert file.read_bytes().startswith(b"%PDF")
    assert (
        "<img src='file:///etc/passwd'>"
        in document(Sheet("t", ("P",), (("<img src='file:///etc/passwd'>",),))).toPlainText()
    )


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
