"""A table as it is seen, as CSV, XLSX or PDF. Cells that a spreadsheet would run are made harmless."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter

from app.fleet.text import harmless as harmless_text
from widgets.paper import draw_sheet

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Sheet:
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers."""
    return harmless_text(cell) if isinstance(cell, str) else cell


def export(sheet: Sheet, file: Path) -> None:
    """Write ``file`` in the form its suffix says. Raises ValueError for another suffix, OSError from the disk.

    Takes seconds for thousands of rows: call it in a worker thread.
    """
    writers: dict[str, Callable[[Sheet, Path], None]] = {".csv": _to_csv, ".xlsx": _to_xlsx, ".pdf": _to_pdf}
    writer = writers.get(file.suffix.lower())
    if writer is None:
        raise ValueError(f"{file.name} must end in .csv, .xlsx or .pdf")
    writer(sheet, file)


def _to_csv(sheet: Sheet, file: Path) -> None:
    with file.open("w", encoding="utf-8-sig", newline="") as handle:  # the mark tells Excel that it is UTF-8
        # Texts are quoted, so that a separator of another country in one of them opens no cell of its own.
        writer = csv.writer(handle, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(harmless(heading) for heading in sheet.headings)
        writer.writerows([harmless(cell) for cell in row] for row in sheet.rows)


def _to_xlsx(sheet: Sheet, file: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    page = book.create_sheet("".join(char for char in sheet.title if char not in r"[]:*?/\\")[:31] or "Table")
    page.freeze_panes = "A2"
    heading_cells = []
    for heading in sheet.headings:
        cell = WriteOnlyCell(page, value=harmless(heading))
        cell.font = Font(bold=True)
        heading_cells.append(cell)
    page.append(heading_cells)
    for row in sheet.rows:
        page.append([harmless(ILLEGAL_CHARACTERS_RE.sub("", cell)) if isinstance(cell, str) else cell for cell in row])
    buffer = io.BytesIO()
    book.save(buffer)
    file.write_bytes(buffer.getvalue())


def _to_pdf(sheet: Sheet, file: Path) -> None:
    buffer = QBuffer()  # Qt reports nothing when it cannot write a file
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setTitle(sheet.title)
    writer.setPageLayout(
        QPageLayout(QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Landscape, QMarginsF(12, 12, 12, 12))
    )
    writer.setResolution(300)
    draw_sheet(sheet, writer)
    file.write_bytes(buffer.data().data())
