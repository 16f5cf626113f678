"""Tables as CSV, JSON lines or a spreadsheet, streamed in pages: no read transaction outlives one page.

What a table gives is said in :mod:`app.fleet.export_tables`; here are the three formats. In CSV and spreadsheets a
text that a spreadsheet program would run as a formula gets an apostrophe before it; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from app.fleet.errors import FleetError
from app.fleet.export_pages import ExportTable, Wanted
from app.fleet.export_tables import TABLES
from app.fleet.text import harmless
from app.store.store import Store

Format = Literal["csv", "jsonl", "xlsx"]

_SHEET_ROWS = 1_048_576
_CELL_CHARACTERS = 32_767
_PIECE_ROWS = 500
_PIECE_BYTES = 1 << 16

Row = Mapping[str, Any]


def export_rows(
    store: Store,
    table: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    where: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """The rows of ``table``, each a mapping of its columns. ``until_ms`` is exclusive.

    ``where`` compares columns with texts; of a list (marks) one entry must match. Raises FleetError for a table, a
    column or a range that does not exist; before the first row, not in the middle.
    """
    found = find_table(table)
    where = where or {}
    unknown = sorted(set(where) - set(found.columns))
    if unknown:
        raise FleetError(f"{table} has no column {', '.join(unknown)}; it has {', '.join(found.columns)}.")
    if found.time_column is None and (since_ms is not None or until_ms is not None):
        raise FleetError(f"Rows of {table} belong to no time. Leave out --since and --until.")
    return _matching(found.rows(store, Wanted(since_ms, until_ms, where)), where)


def find_table(table: str) -> ExportTable:
    """Raises FleetError naming the tables that there are."""
    found = TABLES.get(table)
    if found is None:
        raise FleetError(f"There is no table {table} to export. There are: {', '.join(TABLES)}.")
    return found


def export_pieces(
    store: Store,
    table: str,
    file_format: Format,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    where: Mapping[str, str] | None = None,
) -> Iterator[bytes]:
    """The whole export as pieces of a file in ``file_format``. Raises FleetError as :func:`export_rows`."""
    rows = export_rows(store, table, since_ms=since_ms, until_ms=until_ms, where=where)
    return pieces_of(rows, find_table(table).columns, table, file_format)


def pieces_of(rows: Iterable[Row], columns: Sequence[str], title: str, file_format: Format) -> Iterator[bytes]:
    """Any rows as pieces of a file; ``title`` names the sheet. Raises FleetError for another format."""
    if file_format == "jsonl":
        return _jsonl(rows)
    if file_format == "csv":
        return _csv(rows, columns)
    if file_format == "xlsx":
        return _xlsx(rows, columns, title)
    raise FleetError(f"{file_format} is no format of an export. There are: csv, jsonl, xlsx.")


def _matching(rows: Iterable[Row], where: Mapping[str, str]) -> Iterator[Row]:
    for row in rows:
        if all(_matches(row[column], wanted) for column, wanted in where.items()):
            yield row


def _matches(value: Any, wanted: str) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_matches(item, wanted) for item in value) if value else not wanted
    if isinstance(value, float):
        try:
            return value == float(wanted)
        except ValueError:
            return False
    return _plain(value) == wanted


def _plain(value: Any) -> str:
    """A value as text in one cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return "; ".join(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    for page in _pages(rows):
        yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in page).encode("utf-8", "replace")


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    # Texts are quoted, so that a separator of another country in one of them opens no cell of its own.
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    for page in _pages(rows):
        writer.writerows([_csv_cell(row[column]) for column in columns] for row in page)
        yield buffer.getvalue().encode("utf-8", "replace")
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "replace")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return harmless(_plain(value))


def _xlsx(rows: Iterable[Row], columns: Sequence[str], title: str) -> Iterator[bytes]:
    """A workbook; a table longer than a sheet goes on in the next one."""
    book = Workbook(write_only=True)
    sheet, used = _new_sheet(book, columns, title)
    for row in rows:
        if used == _SHEET_ROWS:
            sheet, used = _new_sheet(book, columns, title)
        sheet.append([_sheet_cell(row[column]) for column in columns])
        used += 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xlsx"
        book.save(path)
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece


def _new_sheet(book: Workbook, columns: Sequence[str], title: str) -> tuple[Any, int]:
    number = len(book.sheetnames) + 1
    sheet = book.create_sheet(title if number == 1 else f"{title} {number}")
    sheet.append(list(columns))
    return sheet, 1


def _sheet_cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return ILLEGAL_CHARACTERS_RE.sub("\ufffd", harmless(_plain(value)))[:_CELL_CHARACTERS]


def _pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if len(page) == _PIECE_ROWS:
            yield page
            page = []
    if page:
        yield page
