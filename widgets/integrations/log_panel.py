"""The log of one integration: newest first, searched in the store, older lines loaded on demand."""

from __future__ import annotations

import json
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.store.logs import LogFilter, LogLine, LogPage, search_logs
from resources.i18n import tr, trn
from widgets import ask
from widgets.activity.words import log_word
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.page import Page
from widgets.primitives import SearchField, outline_button, text_label
from widgets.rows_model import Column, RowsModel

PAGE_LINES = 200


class LogPanel(QWidget):
    """Double click or Enter opens a line's details."""

    def __init__(self, context: ConsoleContext, page: Page) -> None:
        super().__init__()
        self._context = context
        self._page = page
        self._integration_id = ""
        self._older_than: int | None = None
        self._newest_id = 0
        formats = context.formats
        columns = (
            Column[LogLine](
                "at",
                tr("When"),
                lambda row: formats.time(row.created_at),
                sort=lambda row: row.id,
                width=190,
            ),
            Column[LogLine](
                "event",
                tr("Event"),
                lambda row: log_word(row.event_type)[1],
                badge=lambda row: log_word(row.event_type),
                width=170,
            ),
            Column[LogLine]("text", tr("What happened"), lambda row: row.text, tooltip=lambda row: row.text, width=720),
        )
        self.model = RowsModel(columns, lambda row: row.id, self)
        self.table = DataTable(context.theme, self.model, tr("Log"))
        self.table.set_empty("scroll-text", tr("Nothing logged yet"), tr("Each run, loss and return is written here."))
        self.table.view.horizontalHeader().setStretchLastSection(True)
        self.table.sort_by("at", descending=True)
        self.search = SearchField(context.theme, tr("Search this log…"))
        self.count = text_label("", "muted")
        self.older = outline_button(context.theme, tr("Load older"), "history", small=True)
        self._lay_out()
        self.search.searched.connect(lambda _text: page.spawn(self.reload(), "search the log"))
        self.older.clicked.connect(lambda: page.spawn(self._load_older(), "older log lines"))
        self.table.activated.connect(lambda row: page.spawn(self._open(row), "log line"))
        formats.changed.connect(self.model.redraw)

    async def show_integration(self, integration_id: str) -> None:
        if integration_id != self._integration_id:
            self._integration_id = integration_id
            self.model.apply([])
            self.search.clear()
        await self.reload()

    async def reload(self) -> None:
        """The newest page for what is searched, in place of what is shown."""
        page = await self._read(None)
        if page is not None:
            self.model.apply(page.lines)
            self._older_than = page.older_than
            self._show_count(page)

    async def read_new(self) -> None:
        """What was logged meanwhile, above what is shown; a gap that one page does not close starts anew."""
        known = self._newest_id
        page = await self._read(None)
        if page is None:
            return
        is_gap = page.older_than is not None and bool(page.lines) and page.lines[-1].id > known
        if is_gap or not known:
            self.model.apply(page.lines)
            self._older_than = page.older_than
        else:
            self.model.merge(page.lines)
        self._show_count(page)

    async def _load_older(self) -> None:
        if self._older_than is None:
            return
        self.older.setEnabled(False)
        try:
            page = await self._read(self._older_than)
        finally:
            self.older.setEnabled(True)
        if page is not None:
            self._older_than = page.older_than
            self.model.merge(page.lines)
            self._show_count(None)

    async def _read(self, older_than: int | None) -> LogPage | None:
        """None when another integration or search was chosen while the store answered."""
        asked = (self._integration_id, self.search.text())
        what = LogFilter(text=asked[1], integration_id=asked[0])
        query = partial(search_logs, what=what, limit=PAGE_LINES, older_than=older_than)
        page = await self._context.bridge.read(query)
        return page if asked == (self._integration_id, self.search.text()) else None

    def _show_count(self, newest: LogPage | None) -> None:
        if newest is not None:
            self._newest_id = newest.lines[0].id if newest.lines else 0
        lines = trn("{count} line", "{count} lines", self.model.total)
        more = self._older_than is not None
        self.count.setText(tr("{lines}, older ones in the store", lines=lines) if more else lines)
        self.older.setVisible(more)

    async def _open(self, row: LogLine) -> None:
        body = json.dumps(dict(row.payload), indent=2, ensure_ascii=False, default=str)
        title = f"{log_word(row.event_type)[1]} · {self._context.formats.time(row.created_at)}"
        await ask.tell(self.window(), self._context.theme, title, row.text, body if row.payload else "")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.search)
        row.addStretch(1)
        row.addWidget(self.count, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.older)
        column.addLayout(row)
        column.addWidget(in_card(self.table), 1)
