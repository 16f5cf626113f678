"""A table that holds the newest entries, goes on when it is scrolled down, and follows what arrives at its top."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.store.errors import StoreError
from resources.i18n import tr, trn
from widgets.activity.view import Batch, View
from widgets.activity.wanted import Wanted
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import link_button, text_label
from widgets.rows_model import RowsModel

R = TypeVar("R")
PAGE_ROWS = 200
MOST_ROWS = 20_000  # entries held at most while following; the oldest go, and come again on scrolling
LOAD_BEFORE_PX = 600  # how far from the end the next page is asked for
ROW_HEIGHT_PX = 34


class Spawn(Protocol):
    """How the page starts tasks that end with it."""

    def __call__(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]: ...


class Feed(QWidget, Generic[R]):
    """One view's entries. ``chosen`` carries the chosen entry or None."""

    chosen = Signal(object)

    def __init__(self, context: ConsoleContext, view: View[R], spawn: Spawn) -> None:
        super().__init__()
        self.view = view
        self._context = context
        self._spawn = spawn
        self.wanted = Wanted()
        self.is_loaded = False
        self._older: Any = None
        self._task: asyncio.Task[Any] | None = None
        self._has_newer = False
        self.model = RowsModel[R](view.columns(), key=view.key_of, parent=self)
        self.table = DataTable[R](context.theme, self.model, view.title)
        self.summary = text_label("", "small")
        self.newer = link_button(context.theme, tr("Show what came since"), "arrow-up", small=True)
        self._set_up()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(in_card(self.table), 1)
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        row.addWidget(self.newer)
        column.addLayout(row)
        self.newer.hide()

    def _set_up(self) -> None:
        table = self.table.view
        # Sorting what is loaded so far would look like sorting all: the order is that of time.
        table.setSortingEnabled(False)
        table.horizontalHeader().setSortIndicatorShown(False)
        self.model.sort(0, Qt.SortOrder.DescendingOrder)
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT_PX)
        self.table.set_empty(*self.view.empty)
        self.table.remember_in(self._context.ui_state, f"activity.{self.view.key}")
        self.table.selected.connect(lambda rows: self.chosen.emit(rows[0] if rows else None))
        self.newer.clicked.connect(self.show_newest)
        bar = table.verticalScrollBar()
        bar.valueChanged.connect(self._on_scrolled)
        table.viewport().installEventFilter(self)

    # Asking

    def search(self, wanted: Wanted) -> None:
        """Show what is wanted, from the newest on; a search that is still under way is given up."""
        self.wanted = wanted
        self._has_newer = False
        self._start(self._search, "search")

    def follow(self) -> None:
        """Something was written: take it in at the top, or say that there is more."""
        if not self.is_loaded:
            return
        if self._is_at_top():
            self._has_newer = True
            if not self._is_busy():
                self._start(self._follow, "follow")
        else:
            self.newer.show()

    def show_newest(self) -> None:
        """Go to the top, with what came since."""
        self.table.view.scrollToTop()
        self._has_newer = True
        self._start(self._follow, "newest")

    async def _follow(self) -> None:
        """Nothing of its own to do: what came is taken in at the end of every task."""

    async def _search(self) -> None:
        batch = await self._read()
        self.is_loaded = True
        self.newer.hide()
        self._older = batch.older
        self.table.view.scrollToTop()
        self.model.apply(batch.rows)
        self._show_found()
        await self._fill()

    async def _read_newest(self) -> None:
        while self._has_newer and self._is_at_top():
            self._has_newer = False  # set again by what comes while this is read
            newest = self.model.rows[0] if self.model.rows else None
            self._take_newest(await self._read(newest=newest))
            self.newer.hide()

    def _take_newest(self, batch: Batch[R]) -> None:
        known = {self.view.key_of(row) for row in self.model.rows}
        is_gap = len(batch.rows) >= PAGE_ROWS and not any(self.view.key_of(row) in known for row in batch.rows)
        if is_gap or not known or self.wanted.last_only or self.model.total + len(batch.rows) > MOST_ROWS:
            rows = batch.rows if is_gap or not known or self.wanted.last_only else [*batch.rows, *self.model.rows]
            kept = list({self.view.key_of(row): row for row in rows}.values())[: MOST_ROWS // 2]
            if is_gap or not known:
                self._older = batch.older
            elif len(kept) < len(rows):
                self._older = self.view.older_than(kept[-1])
            self.model.apply(kept)
        else:
            self.model.merge(batch.rows)
        self._show_found()

    async def _read_older(self) -> None:
        batch = await self._read(older=self._older)
        self._older = batch.older
        self.model.merge(batch.rows)
        self._show_found()
        await self._fill()

    async def _fill(self) -> None:
        """A search may find little in what it reads at once: go on until there is something to scroll."""
        while self._older is not None and self._is_near_end():
            self.summary.setText(tr("Searching older entries…"))
            batch = await self._read(older=self._older)
            self._older = batch.older
            self.model.merge(batch.rows)
        self._show_found()

    async def _read(self, *, older: Any = None, newest: R | None = None) -> Batch[R]:
        query = partial(self.view.read, wanted=self.wanted, limit=PAGE_ROWS, older=older, newest=newest)
        return await self._context.bridge.read(query)

    def _start(self, step: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._spawn(self._run(step), f"{self.view.key} {name}")

    async def _run(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await step()
            await self._read_newest()
        except StoreError as err:  # the world's fault: say it, keep what is shown
            self._context.notify("warn", tr("{page} shows older entries: {why}", page=self.view.title, why=err.why))

    def _is_busy(self) -> bool:
        return self._task is not None and not self._task.done()

    # Showing

    def _show_found(self) -> None:
        empty = self.view.empty if self.wanted.is_everything else _NOTHING_FOUND
        if not self.model.rows and self.table.property("shows") != empty[1]:
            self.table.setProperty("shows", empty[1])
            self.table.set_empty(*empty)
        shown = trn("{count} entry", "{count} entries", len(self.model.rows))
        rest = tr("older ones follow on scrolling") if self._older is not None else tr("there are no others")
        self.summary.setText(tr("{shown}, {rest}", shown=shown, rest=rest) if self.model.rows else "")

    def _is_at_top(self) -> bool:
        return self.table.view.verticalScrollBar().value() == 0

    def _is_near_end(self) -> bool:
        view = self.table.view  # counted in rows, because the scroll bar learns of new ones later
        below_px = len(self.model.rows) * ROW_HEIGHT_PX - view.verticalScrollBar().value() - view.viewport().height()
        return below_px < LOAD_BEFORE_PX

    def _on_scrolled(self) -> None:
        if self._older is not None and self._is_near_end() and not self._is_busy():
            self._start(self._read_older, "older")
        elif self._is_at_top() and not self.newer.isHidden():
            self.show_newest()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.is_loaded:  # a taller window shows more
            self._on_scrolled()
        return super().eventFilter(watched, event)

    def close_feed(self) -> None:
        self._context.ui_state.unregister(f"activity.{self.view.key}")


_NOTHING_FOUND = ("search", tr("Nothing matches"), tr("Change or clear the search and the filters."))
