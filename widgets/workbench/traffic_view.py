"""What goes over the line: time, direction, bytes, decoded fields; filter, pause, capture, replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from adapters.bench import Traffic
from app.clock import from_ms
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import SearchField, outline_button, text_label
from widgets.rows_model import Column, RowsModel

MOST_ROWS = 2_000
DRAW_MS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One row: a piece of traffic, numbered in the order in which it came."""

    number: int
    one: Traffic


class TrafficView(QWidget):
    """``capture_wanted`` and ``replay_wanted``: the page asks for the file."""

    capture_wanted = Signal()
    replay_wanted = Signal()

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self._number = self._cleared = 0
        self._kept: list[Line] = []
        self.is_paused = False
        self.model = RowsModel[Line](self._columns(), key=lambda row: row.number)
        self.table = DataTable(theme, self.model, tr("Traffic"))
        self.model.setParent(self.table)
        self.table.set_empty(
            "arrow-left-right", tr("Nothing was heard"), tr("Open a port: everything that passes is shown here.")
        )
        self.search = SearchField(theme, tr("Hex, field, note…"))
        self.pause = outline_button(theme, tr("Pause"), "pause", small=True)
        self.clear_button = outline_button(theme, tr("Clear"), "trash-2", small=True)
        self.capture = outline_button(theme, tr("Capture to file…"), "save", small=True)
        self.replay = outline_button(theme, tr("Replay a file…"), "rewind", small=True)
        self.words = text_label("", "small")
        bar = QHBoxLayout()
        bar.setSpacing(8)
        for button in (self.pause, self.clear_button, self.capture, self.replay):
            bar.addWidget(button)
        bar.addWidget(self.words)
        bar.addStretch(1)
        bar.addWidget(self.search)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(bar)
        column.addWidget(in_card(self.table), 1)
        self._draw = QTimer(self, singleShot=True, interval=DRAW_MS)
        self._draw.timeout.connect(self._show)
        self.search.searched.connect(self.model.set_filter)
        self.pause.clicked.connect(lambda: self.set_paused(not self.is_paused))
        self.clear_button.clicked.connect(self.clear)
        self.capture.clicked.connect(self.capture_wanted)
        self.replay.clicked.connect(self.replay_wanted)

    def _columns(self) -> list[Column[Line]]:
        words = {"sent": tr("Sent"), "received": tr("Received"), "note": tr("Note")}
        zone = self._context.formats.zone_name
        return [
            Column("time", tr("Time"), self._time, lambda row: row.number, width=110, is_mono=True, note=zone),
            Column("way", tr("Way"), lambda row: words[row.one.direction], width=112,
                   badge=lambda row: ("info" if row.one.direction == "sent" else "neutral", words[row.one.direction])),
            Column("hex", tr("Bytes"), lambda row: row.one.data.hex(" ").upper(), width=300, is_mono=True),
            Column("fields", tr("Decoded"), _fields, width=360),
        ]  # fmt: skip

    def _time(self, row: Line) -> str:
        local = from_ms(int(row.one.at_s * 1000)).astimezone(self._context.formats.zone)
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"

    def add(self, one: Traffic) -> None:
        """One more piece; drawn soon, with those that come meanwhile."""
        self._number += 1
        self._kept.append(Line(self._number, one))
        del self._kept[:-MOST_ROWS]
        if not self.is_paused and not self._draw.isActive():
            self._draw.start()

    def show_all(self, pieces: Sequence[Traffic], words: str) -> None:
        """A capture instead of the line: shown whole, paused."""
        self.set_paused(True)
        lines = [Line(number, one) for number, one in enumerate(pieces, start=1)]
        self.model.apply(lines)
        self.words.setText(words)

    def set_paused(self, paused: bool) -> None:
        self.is_paused = paused
        self.pause.setText(tr("Go on") if paused else tr("Pause"))
        self._context.theme.follow(self.pause, "play" if paused else "pause")
        if not paused:
            self._show()

    def clear(self) -> None:
        self._kept.clear()
        self._cleared = self._number
        self.set_paused(False)

    def show_capture(self, lines: int | None) -> None:
        """How many pieces stand in the capture; None while there is none."""
        running = lines is not None
        self.capture.setText(tr("Stop the capture") if running else tr("Capture to file…"))
        if lines is not None:
            self.words.setText(trn("{count} piece captured", "{count} pieces captured", lines))

    def _show(self) -> None:
        bar = self.table.view.verticalScrollBar()
        is_at_end = bar.value() == bar.maximum()  # who scrolled back to read is left there
        self.model.apply(self._kept)
        if is_at_end:
            self.table.view.scrollToBottom()
        if not self.is_paused:
            self.words.setText(_count_words(len(self._kept), self._number - self._cleared))


def _count_words(shown: int, heard: int) -> str:
    """How many are in the list, and of how many."""
    if shown == heard:
        return trn("{count} piece", "{count} pieces", shown)
    return tr("the newest {shown} of {heard} pieces", shown=f"{shown:,}", heard=f"{heard:,}")


def _fields(row: Line) -> str:
    parts = [f"{name} {value}" for name, value in row.one.fields]
    return ", ".join(([row.one.note] if row.one.note else []) + parts)
