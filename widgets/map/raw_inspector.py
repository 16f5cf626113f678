"""The bytes behind a position or an event: as received, field by field, with receipt, verdict and our reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection

from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.primitives import outline_button, text_label
from widgets.rows_model import Column, RowsModel
from widgets.theme import mono_font

# The map itself needs no adapters: they are loaded with the first frame that somebody looks into.
if TYPE_CHECKING:
    from adapters.base import Explainer, FieldView
    from app.catalogue import Catalogue

BYTES_PER_LINE = 16
BYTES_SHOWN = 64 * 1024

VERDICTS = {
    "ok": "Read in full",
    "bad_checksum": "Its checksum is wrong: kept, nothing was read from it",
    "malformed": "Not built as the protocol says: kept, nothing was read from it",
    "unknown_type": "A frame type that is not known: kept, nothing was read from it",
    "not_attributed": "It names no device, or none that is known",
    "foreign": "Another protocol than this port's",
}


@dataclass(frozen=True, slots=True)
class FrameView:
    """A stored raw frame and what it belongs to. ``title`` names the position or event."""

    title: str
    protocol: str
    data: bytes
    received_at_ms: int
    peer: str
    verdict: str
    reply: bytes
    integration_type: str  # whose explainer is asked


def hex_lines(data: bytes) -> list[str]:
    """``0010  68 68 25 …  |hh%…|``, sixteen bytes a line; what is no printable ASCII is a dot."""
    lines = []
    for start in range(0, len(data), BYTES_PER_LINE):
        part = data[start : start + BYTES_PER_LINE]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:04x}  {part.hex(' '):<{BYTES_PER_LINE * 3 - 1}}  {shown}")
    return lines


def fields_of(frame: FrameView, explain: Explainer | None) -> list[FieldView]:
    """The frame field by field; without an explainer a JSON object by its keys; else nothing."""
    if explain is not None:
        fields = list(explain(frame.protocol, frame.data))
        if fields:
            return fields
    try:
        document = json.loads(frame.data)
    except (ValueError, RecursionError):
        return []
    if not isinstance(document, dict):
        return []
    from adapters.base import FieldView

    return [FieldView(0, 0, "", str(key), _as_text(value)) for key, value in document.items()]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_text(frame: FrameView, fields: Sequence[FieldView], received: str) -> str:
    """Everything on the screen as one text to copy."""
    head = [
        frame.title,
        f"{tr('Received')}: {received}",
        f"{tr('From')}: {frame.peer}",
        f"{tr('Protocol')}: {frame.protocol}",
        f"{tr('Verdict')}: {tr(VERDICTS.get(frame.verdict, frame.verdict))}",
        f"{tr('Our reply')}: {frame.reply.hex(' ') or tr('none')}",
        "",
        *hex_lines(frame.data),
        "",
    ]
    return "\n".join(
        head + [f"{field.offset:>4} {field.name}: {field.value} {field.unit}".rstrip() for field in fields]
    )


class RawInspector(QDialog):
    """Not modal: the map stays usable beside it. Choosing a field marks its bytes."""

    def __init__(
        self, context: ConsoleContext, frame: FrameView, explain: Explainer | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self.frame = frame
        self.fields = fields_of(frame, explain)
        self.setWindowTitle(tr("Raw frame"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(860, 620)
        self.bytes = QPlainTextEdit("\n".join(hex_lines(frame.data[:BYTES_SHOWN])))
        self.bytes.setReadOnly(True)
        self.bytes.setFont(mono_font())
        self.bytes.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.bytes.setAccessibleName(tr("Bytes"))
        self.model = RowsModel["FieldView"](_COLUMNS, key=lambda field: (field.offset, field.name), parent=self)
        self.model.apply(self.fields)
        self.table = self._make_table()
        self._lay_out()
        self.table.selectionModel().currentRowChanged.connect(lambda *_rows: self._mark_bytes())

    def _make_table(self) -> QTableView:
        table = QTableView(self)  # a child from the start: without fields it never gets into the layout
        table.setModel(self.model)
        table.setShowGrid(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(30)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setAccessibleName(tr("Fields"))
        header = table.horizontalHeader()
        for at, column in enumerate(_COLUMNS):
            table.setColumnWidth(at, column.width)
        header.setSectionResizeMode(len(_COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return table

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 20, 22, 18)
        column.setSpacing(12)
        column.addWidget(text_label(self.frame.title, "heading", wrap=True, selectable=True))
        column.addLayout(self._facts())
        if len(self.frame.data) > BYTES_SHOWN:
            rest = len(self.frame.data) - BYTES_SHOWN
            column.addWidget(text_label(tr("{n} more bytes are stored and not shown here.", n=f"{rest:,}"), "small"))
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.bytes)
        if self.fields:
            split.addWidget(self.table)
            lines = min(self.bytes.blockCount(), 10)
            bytes_px = lines * self.bytes.fontMetrics().lineSpacing() + 36
            split.setSizes([bytes_px, 520 - bytes_px])
        else:
            self.table.hide()
            column.addWidget(text_label(tr("No decoder for {name} is installed.", name=self.frame.protocol), "muted"))
        column.addWidget(split, 1)
        buttons = QHBoxLayout()
        self.copy_all = outline_button(self._context.theme, tr("Copy everything"), "copy")
        self.copy_hex = outline_button(self._context.theme, tr("Copy hex"), "copy")
        close = outline_button(self._context.theme, tr("Close"))
        self.copy_all.clicked.connect(lambda: self._copy(as_text(self.frame, self.fields, self._received())))
        self.copy_hex.clicked.connect(lambda: self._copy(self.frame.data.hex()))
        close.clicked.connect(self.close)
        buttons.addWidget(self.copy_all)
        buttons.addWidget(self.copy_hex)
        buttons.addStretch(1)
        buttons.addWidget(close)
        column.addLayout(buttons)

    def _facts(self) -> QGridLayout:
        frame = self.frame
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        facts = (
            (tr("Received"), self._received()),
            (tr("From"), frame.peer or tr("unknown")),
            (tr("Protocol"), tr("{name}, {n} bytes", name=frame.protocol, n=len(frame.data))),
            (tr("Our reply"), frame.reply.hex(" ") or tr("none")),
            (tr("Verdict"), tr(VERDICTS.get(frame.verdict, frame.verdict))),
        )
        for at, (label, value) in enumerate(facts):
            grid.addWidget(text_label(label, "small"), at // 2, at % 2 * 2)
            span = 3 if at == len(facts) - 1 else 1
            grid.addWidget(text_label(value, selectable=True), at // 2, at % 2 * 2 + 1, 1, span)
        return grid

    def _received(self) -> str:
        return self._context.formats.time(self.frame.received_at_ms)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._context.notify("ok", tr("Copied."))

    def _mark_bytes(self) -> None:
        """Show which bytes the chosen field was read from."""
        row = self.table.currentIndex().row()
        self.bytes.setExtraSelections([])
        if not 0 <= row < len(self.model.rows):
            return
        field = self.model.rows[row]
        marks = []
        look = QTextCharFormat()
        look.setBackground(QColor(self._context.theme.tokens["primary"]))
        look.setForeground(QColor(self._context.theme.tokens["on_primary"]))
        for start, end in text_ranges(field.offset, min(field.length, BYTES_SHOWN - field.offset)):
            selection = QTextEdit.ExtraSelection()
            cursor = QTextCursor(self.bytes.document())
            cursor.setPosition(start)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            selection.cursor = cursor
            selection.format = look
            marks.append(selection)
        self.bytes.setExtraSelections(marks)
        if marks:
            cursor = QTextCursor(self.bytes.document())
            cursor.setPosition(text_ranges(field.offset, field.length)[0][0])
            self.bytes.setTextCursor(cursor)


class FrameWindows:
    """The inspectors a page has open. Explainers are loaded when the first is asked for."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        self._context = context
        self._parent = parent
        self._catalogue: Catalogue | None = None
        self.open: list[RawInspector] = []

    async def show(self, query: Callable[[Connection], FrameView | None], otherwise: str = "") -> None:
        """Read a frame and show it beside the page; without one say why, after ``otherwise``."""
        frame = await self._context.bridge.read(query)
        if frame is None:
            why = tr("There are no bytes behind it: its source sends none, or they are older than the raw data kept.")
            self._context.notify("info", f"{otherwise}. {why}" if otherwise else why)
            return
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(_load_catalogue)
        explain = await asyncio.to_thread(self._catalogue.explainer, frame.integration_type)
        inspector = RawInspector(self._context, frame, explain, self._parent)
        inspector.finished.connect(lambda _code: self.open.remove(inspector))
        self.open.append(inspector)
        inspector.show()

    def close(self) -> None:
        for inspector in list(self.open):
            inspector.close()


def text_ranges(offset: int, length: int) -> list[tuple[int, int]]:
    """Where bytes stand in the text of :func:`hex_lines`, one range per line they touch."""
    ranges = []
    end = offset + length
    while offset < end:
        row, column = divmod(offset, BYTES_PER_LINE)
        count = min(end - offset, BYTES_PER_LINE - column)
        row_start = row * (4 + 2 + BYTES_PER_LINE * 3 - 1 + 2 + BYTES_PER_LINE + 1)
        start = row_start + 6 + column * 3
        ranges.append((start, start + count * 3 - 1))
        offset += count
    return ranges


_COLUMNS = (
    Column["FieldView"]("offset", tr("Byte"), lambda field: str(field.offset) if field.length else "", width=60),
    Column["FieldView"]("hex", tr("Bytes"), lambda field: field.hex, width=200, is_mono=True),
    Column["FieldView"]("name", tr("Field"), lambda field: field.name, width=190),
    Column["FieldView"]("value", tr("Value"), lambda field: f"{field.value} {field.unit}".strip()),
)


def _load_catalogue() -> Catalogue:
    from app.catalogue import Catalogue

    return Catalogue.load()
