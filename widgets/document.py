"""A text with headings and tables as A4 pages: to a PDF file or to a printer. Works in any thread."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtPrintSupport import QPrinter

MARGINS_MM = QMarginsF(0, 0, 0, 0)
"""Qt leaves two centimetres around a text by itself."""


def write_document(title: str, html: str, path: Path) -> None:
    """``html`` must have everything from outside escaped. Raises OSError naming why the file cannot be written.

    Blocks: call it in a worker thread.
    """
    buffer = QBuffer()  # Qt reports nothing when it cannot write a file
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(MARGINS_MM, QPageLayout.Unit.Millimeter)
    writer.setTitle(title)
    _document(html).print_(writer)
    path.write_bytes(buffer.data().data())


def print_document(html: str, printer: QPrinter) -> None:
    """The same on paper. Blocks."""
    _document(html).print_(printer)


def _document(html: str) -> QTextDocument:
    document = QTextDocument()
    document.setHtml(html)
    return document
