"""A text with headings and tables as A4 pages: to a PDF file or to a printer. Works in any thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QGuiApplication,
    QPagedPaintDevice,
    QPageLayout,
    QPageSize,
    QPainter,
    QPalette,
    QPdfWriter,
    QTextDocument,
    QTextFrame,
    QTextTable,
)
from PySide6.QtPrintSupport import QPrinter

from resources.i18n import tr

MARGINS_MM = QMarginsF(0, 0, 0, 0)
"""The text keeps its own distance from the edge."""
MARGIN_CM = 2.0
CM_PER_INCH = 2.54
BETWEEN_ROWS_PX = 10.0
"""Borders and padding between two rows: more than they take, and less than a line."""
TEXT_PT, FOOT_PT = 9.5, 8.0


def write_document(title: str, html: str, path: Path, *, foot: str = "") -> None:
    """``html`` must have everything from outside escaped; ``foot`` is text and stands on every page beside its number.

    Raises OSError naming why the file cannot be written. Blocks: call it in a worker thread.
    """
    buffer = QBuffer()  # Qt reports nothing when it cannot write a file
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(MARGINS_MM, QPageLayout.Unit.Millimeter)
    writer.setTitle(title)
    _draw(html, writer, foot or title)
    path.write_bytes(buffer.data().data())


def print_document(html: str, printer: QPrinter, *, foot: str = "") -> None:
    """The same on paper. Raises OSError where the printer takes nothing. Blocks."""
    _draw(html, printer, foot)


def _draw(html: str, device: QPagedPaintDevice, foot: str) -> None:
    painter = QPainter()
    if not painter.begin(device):
        raise OSError(tr("the page could not be begun"))
    try:
        _draw_pages(_laid_out(html, device), device, painter, foot)
    finally:
        if not painter.end():
            raise OSError(tr("the last page could not be written"))


def _laid_out(html: str, device: QPagedPaintDevice) -> QTextDocument:
    document = QTextDocument()
    font = QGuiApplication.font()
    font.setPointSizeF(TEXT_PT)  # that of the window is in dots, and a printer's are tiny
    document.setDefaultFont(font)
    document.documentLayout().setPaintDevice(device)
    document.setHtml(html)
    frame = document.rootFrame().frameFormat()
    frame.setMargin(MARGIN_CM / CM_PER_INCH * QGuiApplication.primaryScreen().logicalDotsPerInchY())  # scaled by Qt
    document.rootFrame().setFrameFormat(frame)
    document.setPageSize(QSizeF(device.width(), device.height()))
    _keep_rows_whole(document)
    return document


def _keep_rows_whole(document: QTextDocument) -> None:
    """A row that would begin on one page and end on the next begins on the next: the row above it is made higher.

    Qt can break a page before a row only by leaving another one empty.
    """
    page, dots = document.pageSize().height(), QGuiApplication.primaryScreen().logicalDotsPerInchY()
    scale = document.documentLayout().paintDevice().logicalDpiY() / dots
    foot = document.rootFrame().frameFormat().bottomMargin() * scale
    for table in _tables(document.rootFrame()):
        for row in range(max(1, table.format().headerRowCount()) + 1, table.rows()):
            top, bottom = _span(document, table, row)
            if bottom - top < page / 2 and int(top // page) != int((bottom - 1) // page):
                room = (int(top // page) + 1) * page - foot - top
                _make_higher(table, row - 1, max(0.0, room / scale - BETWEEN_ROWS_PX))


def _span(document: QTextDocument, table: QTextTable, row: int) -> tuple[float, float]:
    """Where the text of a row begins and ends, in dots of the device."""
    cells = [table.cellAt(row, column) for column in range(table.columns())]
    layout = document.documentLayout()
    tops = [layout.blockBoundingRect(cell.firstCursorPosition().block()).top() for cell in cells]
    ends = [layout.blockBoundingRect(cell.lastCursorPosition().block()).bottom() for cell in cells]
    return min(tops), max(ends)


def _make_higher(table: QTextTable, row: int, by: float) -> None:
    for column in range(table.columns()):
        cell = table.cellAt(row, column)
        kept = cell.format().toTableCellFormat()
        kept.setBottomPadding(table.format().cellPadding() + by)
        cell.setFormat(kept)


def _tables(frame: QTextFrame) -> Iterator[QTextTable]:
    for child in frame.childFrames():
        if isinstance(child, QTextTable):
            yield child
        yield from _tables(child)


def _draw_pages(document: QTextDocument, device: QPagedPaintDevice, painter: QPainter, foot: str) -> None:
    width, height, pages = float(device.width()), float(device.height()), document.pageCount()
    for number in range(pages):
        if number:
            device.newPage()
        context = QAbstractTextDocumentLayout.PaintContext()
        context.clip = QRectF(0, number * height, width, height)
        context.palette.setColor(QPalette.ColorRole.Text, Qt.GlobalColor.black)
        painter.save()
        painter.translate(0, -number * height)
        painter.setClipRect(context.clip)
        document.documentLayout().draw(painter, context)
        painter.restore()
        _draw_foot(painter, device, foot, tr("page {number} of {count}", number=number + 1, count=pages))


def _draw_foot(painter: QPainter, device: QPagedPaintDevice, foot: str, number: str) -> None:
    """In the lower margin: what it is at the left, as much of it as fits, and the page's number at the right."""
    dots = device.logicalDpiY()
    margin = MARGIN_CM / CM_PER_INCH * dots
    font = QGuiApplication.font()
    font.setPointSizeF(FOOT_PT)
    painter.setFont(font)
    painter.setPen(Qt.GlobalColor.darkGray)
    place = QRectF(margin, device.height() - 0.75 * margin, device.width() - 2 * margin, 0.4 * margin)
    metrics = painter.fontMetrics()
    room = place.width() - metrics.horizontalAdvance(f"{number}    ")
    shown = metrics.elidedText(" ".join(foot.split()), Qt.TextElideMode.ElideRight, int(room))
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
    painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
