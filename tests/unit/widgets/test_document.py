"""Pages carry what they are and their number, rows stay whole, and a printer that takes nothing is told."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PySide6.QtPrintSupport import QPrinter
from PySide6.QtWidgets import QApplication

from widgets.document import print_document, write_document

READER = shutil.which("pdftotext")
ROWS = 40
LONG = "first words of the cell that go on and on until they need several lines to be told last"


def pages_of(file: Path) -> list[str]:
    assert READER is not None
    read = subprocess.run([READER, "-layout", str(file), "-"], capture_output=True, text=True, timeout=60, check=True)
    return read.stdout.split("\f")[:-1]


@pytest.mark.skipif(READER is None, reason="pdftotext is not installed")
def test_rows_stay_whole_and_pages_are_numbered(qapp: QApplication, tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>row{at}</td><td width='20%'>{LONG} end{at}</td></tr>" for at in range(ROWS))
    file = tmp_path / "paper.pdf"
    write_document("Paper", f"<table width='100%' border='1'>{rows}</table>", file, foot="Manifest · Kano <b>9")
    pages = pages_of(file)
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert "Manifest · Kano <b>9" in page
        assert f"page {number} of {len(pages)}" in page
        assert re.findall(r"row(\d+)", page) == re.findall(r"end(\d+)", page)
        assert page.count("first words") == page.count("told last")
    found = [int(at) for page in pages for at in re.findall(r"row(\d+)", page)]
    assert found == list(range(ROWS))


@pytest.mark.qt_log_ignore("QPainter::begin")
def test_a_printer_that_takes_nothing_is_told(qapp: QApplication, tmp_path: Path) -> None:
    printer = QPrinter()
    printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    printer.setOutputFileName(str(tmp_path / "nowhere" / "paper.pdf"))
    with pytest.raises(OSError, match="could not be"):
        print_document("<p>Words</p>", printer)
