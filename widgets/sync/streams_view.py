"""Streams: how old each cursor is, when it was last read, what stands in the way, and the rule for both sides."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.clock import from_ms
from app.sync.streams import StreamRow
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.sync import words

RULED = ("requisitions", "shipments")
"""Streams whose records can be changed here."""


class StreamsView(QWidget):
    """``rule_wanted`` carries a row and the rule chosen for it in its menu."""

    rule_wanted = Signal(object, str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        model = RowsModel[StreamRow](_columns(context), key=lambda row: row.key)
        self.table = DataTable[StreamRow](context.theme, model, tr("Streams"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "sync.streams")
        self.table.set_empty(
            "arrow-down-to-line",
            tr("Nothing has been read yet"),
            tr("Each kind of record that an integration reads has its own place here, with how far it was read."),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(in_card(self.table), 1)
        self.rule = outline_button(
            context.theme, tr("Where both sides change a field…"), "arrow-left-right", small=True
        )
        self.rule.setEnabled(False)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.rule)
        foot.addWidget(text_label(tr("for the chosen stream of requisitions or shipments"), "muted"))
        foot.addStretch(1)
        column.addLayout(foot)
        self.table.selected.connect(self._on_selected)
        self.rule.clicked.connect(self._on_rule)
        self.table.menu_wanted.connect(self._on_menu_wanted)

    def show_rows(self, rows: Sequence[StreamRow]) -> None:
        self.table.model.apply(rows)

    def menu_of(self, row: StreamRow) -> QMenu:
        """The rules to choose from."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        group = QActionGroup(menu)
        for rule, word in words.RULE_WORDS.items():
            action = menu.addAction(tr("Both sides changed: {rule}", rule=word.lower()))
            action.setCheckable(True)
            action.setChecked(rule == row.both)
            action.triggered.connect(lambda _on, rule=rule: self.rule_wanted.emit(row, rule))
            group.addAction(action)
        return menu

    def _on_selected(self, rows: Sequence[StreamRow]) -> None:
        self.rule.setEnabled(bool(rows) and is_ruled(rows[0]))

    def _on_rule(self) -> None:
        rows = self.table.selected_rows()
        if rows:
            self.menu_of(rows[0]).popup(self.rule.mapToGlobal(self.rule.rect().topLeft()))

    def _on_menu_wanted(self, row: StreamRow, where: QPoint) -> None:
        if is_ruled(row):
            self.menu_of(row).popup(where)


def is_ruled(row: StreamRow) -> bool:
    """Whether changes of this stream's records can meet others."""
    return row.stream.split(":", 1)[0] in RULED


def _columns(context: ConsoleContext) -> list[Column[StreamRow]]:
    formats, now_ms = context.formats, context.services.clock.now_ms

    def seconds(at: object) -> float | None:
        return None if at is None else -at.timestamp()  # type: ignore[attr-defined]

    return [
        Column("integration", tr("Integration"), lambda row: row.integration, width=176),
        Column("stream", tr("Stream"), lambda row: row.stream, width=136),
        Column("state", tr("State"), lambda row: words.stream_badge(row)[1], badge=words.stream_badge, width=100),
        Column(
            "trouble", tr("Trouble"), lambda row: row.trouble, tooltip=lambda row: plain_tip(row.trouble), width=130
        ),
        Column(
            "age",
            tr("Cursor age"),
            lambda row: formats.span(now_ms() / 1000 - row.cursor_at.timestamp()) if row.cursor_at is not None else "",
            lambda row: seconds(row.cursor_at),
            tooltip=lambda row: plain_tip(row.cursor),
            align="right",
            width=88,
        ),
        Column(
            "read",
            tr("Last read"),
            lambda row: formats.ago(row.read_at, now=from_ms(now_ms())),
            lambda row: seconds(row.read_at),
            tooltip=lambda row: formats.time(row.read_at),
            width=114,
            export=lambda row: formats.time(row.read_at),
        ),
        Column(
            "records",
            tr("Records"),
            lambda row: f"{row.records:,}" if row.records else "",
            lambda row: row.records,
            align="right",
            width=74,
        ),
        Column(
            "changed",
            tr("Changed"),
            lambda row: f"{row.changed:,}" if row.changed else "",
            lambda row: row.changed,
            align="right",
            width=74,
            is_shown=False,
        ),
        Column(
            "next",
            tr("Next run"),
            lambda row: (
                formats.ago(row.next_run, now=from_ms(now_ms())) if row.next_run is not None else tr("on schedule")
            ),
            width=98,
        ),
        Column(
            "both",
            tr("Both changed"),
            lambda row: words.RULE_WORDS.get(row.both, row.both) if is_ruled(row) else "",
            width=104,
        ),
    ]
