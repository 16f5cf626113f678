"""A table drawn on paper: pages with their headings, cells that wrap. Works in any thread, on any paged device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QGuiApplication, QPagedPaintDevice, QPainter, QPen, QTextOption

from resources.i18n import tr

if TYPE_CHECKING:
    from widgets.export import Sheet

_TITLE_PT, _TEXT_PT = 13.0, 8.0
_PAD_PT = 3.0
_LINE_PT = 0.4
_PAUSE_S = 0.0002
_LONGEST_CELL = 4_000  # characters; what does not fit on a page is cut, and CSV and XLSX keep it


def draw_sheet(sheet: Sheet, device: QPagedPaintDevice) -> None:
    """Draw the whole sheet on ``device``, whose page layout is set. Every cell is text, whatever it looks like.

    Raises OSError where the device takes no drawing: a printer that is gone, a disk that is full.
    """
    painter = QPainter()
    if not painter.begin(device):
        raise OSError(tr("the page could not be begun"))
    try:
        _Paper(sheet, device, painter).draw()
    finally:
        if not painter.end():
            raise OSError(tr("the last page could not be written"))


class _Paper:
    """One drawing; lengths are in dots of the device."""

    def __init__(self, sheet: Sheet, device: QPagedPaintDevice, painter: QPainter) -> None:
        self._sheet, self._device, self._painter = sheet, device, painter
        dots_per_pt = device.logicalDpiX() / 72
        self._pad = _PAD_PT * dots_per_pt
        self._text, self._bold = _font(_TEXT_PT), _font(_TEXT_PT, bold=True)
        self._title = _font(_TITLE_PT, bold=True)
        self._line_height = QFontMetricsF(self._text, device).lineSpacing()
        self._title_height = QFontMetricsF(self._title, device).lineSpacing() + 2 * self._pad
        self._width = float(device.width())
        self._bottom = device.height() - self._line_height - 2 * self._pad  # the page's number stands below
        self._wrap = QTextOption(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._wrap.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._pen = QPen(Qt.GlobalColor.black)
        self._rule = QPen(Qt.GlobalColor.gray, _LINE_PT * dots_per_pt)
        self._rows = [[_plain(cell) for cell in row] for row in sheet.rows]
        self._headings = [_plain(heading) for heading in sheet.headings]
        self._widths = self._column_widths()
        self._heading_row: tuple[float, list[str]] = (0.0, [])
        self._page = 1

    def draw(self) -> None:
        self._painter.setPen(self._pen)
        self._painter.setFont(self._title)
        self._painter.drawText(QRectF(0, 0, self._width, self._title_height), _plain(self._sheet.title), self._wrap)
        self._painter.setFont(self._bold)
        self._heading_row = self._fit(self._headings, self._bold, self._bottom / 2)
        y = self._begin(self._title_height)
        for row in self._rows:
            time.sleep(_PAUSE_S)  # so that the UI thread gets the interpreter between two rows
            height, texts = self._fit(row, self._text, self._bottom - self._heading_row[0])
            if y + height > self._bottom:
                self._number()
                self._device.newPage()
                self._page += 1
                y = self._begin(0.0)
            self._draw_row(texts, y, height)
            y += height
        self._number()

    def _begin(self, y: float) -> float:
        """The headings of a page; returns where its first row goes."""
        height, texts = self._heading_row
        self._painter.setFont(self._bold)
        self._draw_row(texts, y, height)
        self._painter.setFont(self._text)
        return y + height

    def _draw_row(self, texts: Sequence[str], y: float, height: float) -> None:
        x = 0.0
        for text, width in zip(texts, self._widths, strict=False):
            place = QRectF(x + self._pad, y + self._pad, width - 2 * self._pad, height - 2 * self._pad)
            self._painter.drawText(place, text, self._wrap)
            x += width
        self._painter.setPen(self._rule)
        self._painter.drawLine(QPointF(0, y + height), QPointF(x, y + height))
        self._painter.setPen(self._pen)

    def _number(self) -> None:
        place = QRectF(0, self._bottom + 2 * self._pad, self._width, self._line_height)
        right = QTextOption(Qt.AlignmentFlag.AlignRight)
        self._painter.drawText(place, tr("Page {number}", number=self._page), right)

    def _fit(self, row: Sequence[str], font: QFont, room: float) -> tuple[float, list[str]]:
        """The height of a row, and its texts, cut where one is higher than the ``room`` of a page."""
        metrics = QFontMetricsF(font, self._device)
        lines_high, texts = self._line_height, []
        for text, width in zip(row, self._widths, strict=False):
            inner = width - 2 * self._pad
            most = int(room / self._line_height * max(inner / metrics.horizontalAdvance("i"), 1.0))
            if len(text) > most:  # spares the slow wrapping of what no page can hold
                text = f"{text[:most]}…"  # noqa: PLW2901
            if metrics.horizontalAdvance(text) > inner:
                while (needed := self._wrapped(text, inner)) + 2 * self._pad > room and len(text) > 2:
                    kept = int(len(text) * (room - 3 * self._pad) / needed) - 1
                    text = f"{text[: max(kept, 1)].rstrip()}…"  # noqa: PLW2901
                lines_high = max(lines_high, needed)
            texts.append(text)
        return lines_high + 2 * self._pad, texts

    def _wrapped(self, text: str, width: float) -> float:
        return self._painter.boundingRect(QRectF(0, 0, width, 1e6), text, self._wrap).height()

    def _column_widths(self) -> list[float]:
        """As wide as their texts where all find room; otherwise the widest give way to the others."""
        normal, bold = QFontMetricsF(self._text, self._device), QFontMetricsF(self._bold, self._device)
        wanted = [bold.horizontalAdvance(heading) for heading in self._headings]
        for row in self._rows:
            for column, text in enumerate(row[: len(wanted)]):
                if len(text) * normal.averageCharWidth() * 2 > wanted[column]:
                    wanted[column] = max(wanted[column], normal.horizontalAdvance(text))
        wanted = [width + 2 * self._pad + 1 for width in wanted]
        cap = _level(wanted, self._width)
        widths = [min(width, cap) for width in wanted]
        spare = (self._width - sum(widths)) / max(len(widths), 1)
        return [width + max(spare, 0.0) for width in widths]


def _level(wanted: Iterable[float], room: float) -> float:
    """The greatest width that each of the columns may have so that all of them fill no more than ``room``."""
    ascending = sorted(wanted)
    for number, width in enumerate(ascending):
        share = room / (len(ascending) - number)
        if width > share:
            return share
        room -= width
    return ascending[-1] if ascending else 0.0


def _font(size_pt: float, *, bold: bool = False) -> QFont:
    font = QFont(QGuiApplication.font())
    font.setPointSizeF(size_pt)
    font.setBold(bold)
    return font


def _plain(cell: object) -> str:
    """One line of printable text."""
    text = " ".join(("" if cell is None else str(cell)).split())
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
