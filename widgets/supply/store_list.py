"""A table over a list in the store: sorted and narrowed there, read on as it is scrolled down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.store.errors import StoreError
from app.supply.paging import COUNT_STOPS, After
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import outline_button, text_label
from widgets.rows_model import Column, RowsModel

R = TypeVar("R")
PAGE_ROWS = 300
MOST_REREAD = 3_000  # rows that are read again at once when something moved; further ones come again on scrolling
LOAD_BEFORE_PX = 800
ROW_HEIGHT_PX = 38


class Spawn(Protocol):
    """How the page starts tasks that end with it."""

    def __call__(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]: ...


@dataclass(frozen=True)
class Question:
    """One page of a list, as the store is asked for it. ``descending`` belongs to ``sort``.

    ``wanted`` is the page's own filter, of the type that ``ListKind.read`` takes; it has ``is_everything``.
    """

    wanted: Any
    sort: str
    descending: bool
    after: After | None
    limit: int


@dataclass(frozen=True)
class ListKind(Generic[R]):
    """What is listed. ``read`` and ``count`` run off the UI thread; ``sorts`` maps columns to what the store sorts by.

    ``first_sort`` is (column, descending) at the beginning; ``page`` the page's key in the kept state of columns.
    """

    key: str
    title: str
    one: str
    many: str
    columns: Sequence[Column[R]]
    sorts: dict[str, str]
    first_sort: tuple[str, bool]
    read: Callable[[Connection, Question], tuple[Sequence[R], After | None]]
    count: Callable[[Connection, Any], int]
    empty: tuple[str, str, str]
    page: str = "supply"


class AskedModel(RowsModel[R]):
    """Shows rows in the order in which they came; ``order_wanted`` asks for another."""

    order_wanted = Signal()

    def __init__(self, kind: ListKind[R], parent: QObject) -> None:
        super().__init__(kind.columns, key=lambda row: row.id, parent=parent)  # type: ignore[attr-defined]
        self._sorts = kind.sorts

    @property
    def order(self) -> tuple[str, bool] | None:
        """The column's key and whether the greatest comes first."""
        section, order = self._order
        return (self.columns[section].key, order == Qt.SortOrder.DescendingOrder) if section >= 0 else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        is_known = 0 <= column < len(self.columns) and self.columns[column].key in self._sorts
        if is_known and (column, order) != self._order:
            self._order = (column, order)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)
            self.order_wanted.emit()

    def _sorted(self, rows: list[R]) -> list[R]:
        return rows


class StoreList(QWidget, Generic[R]):
    """One list. ``chosen`` carries the chosen row or None."""

    chosen = Signal(object)

    def __init__(self, context: ConsoleContext, kind: ListKind[R], spawn: Spawn) -> None:
        super().__init__()
        self.kind = kind
        self.wanted: Any = None
        self.is_loaded = False
        self._context = context
        self._spawn = spawn
        self._after: After | None = None
        self._total = 0
        self._how = kind.empty[2]
        self._said: tuple[bool, str] | None = None
        self._task: asyncio.Task[Any] | None = None
        self.model: AskedModel[R] = AskedModel(kind, self)
        self.table = DataTable[R](context.theme, self.model, kind.title)
        self.summary = text_label("", "small")
        self.ages = text_label("", "small")
        """How old what is shown is; the page writes it."""
        self._set_up()

    def _set_up(self) -> None:
        view = self.table.view
        view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT_PX)
        self._show_empty()
        self.table.sort_by(self.kind.first_sort[0], descending=self.kind.first_sort[1])
        self.table.remember_in(self._context.ui_state, f"{self.kind.page}.{self.kind.key}")
        self.model.order_wanted.connect(self._on_order_wanted)
        self.table.selected.connect(lambda rows: self.chosen.emit(rows[0] if rows else None))
        view.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        view.viewport().installEventFilter(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(in_card(self.table), 1)
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        row.addWidget(self.ages)
        column.addLayout(row)

    async def show_wanted(self, wanted: Any) -> None:
        """Show what is wanted from its beginning."""
        self.wanted = wanted
        rows, total = await self._read(None, PAGE_ROWS)
        self.is_loaded = True
        self._total = total
        self.table.view.scrollToTop()
        self.model.apply(rows)
        self._show_found()

    async def read_again(self) -> None:
        """Something moved in the store: what is shown is read anew, selection and place stay."""
        shown = min(max(len(self.model.rows), PAGE_ROWS), MOST_REREAD)
        rows, self._total = await self._read(None, shown)
        self.model.apply(rows)
        self._show_found()

    async def _read_on(self) -> None:
        while self._after is not None and self._is_near_end():  # who scrolls on meanwhile is not kept waiting
            rows, self._total = await self._read(self._after, PAGE_ROWS)
            self.model.merge(rows)
            self._show_found()

    async def _read(self, after: After | None, limit: int) -> tuple[Sequence[R], int]:
        sort, descending = self.model.order or self.kind.first_sort
        question = Question(self.wanted, self.kind.sorts[sort], descending, after, limit)
        is_more = after is not None
        rows, self._after, total = await self._context.bridge.read(partial(self._ask, question, self._total, is_more))
        return rows, total

    def _ask(
        self, question: Question, total: int, is_more: bool, connection: Connection
    ) -> tuple[Sequence[R], After | None, int]:
        rows, after = self.kind.read(connection, question)
        return rows, after, total if is_more else self.kind.count(connection, question.wanted)

    # Showing

    def say_how(self, how: str) -> None:
        """What to do when there is nothing at all."""
        self._how = how
        self._show_empty()

    def _show_empty(self) -> None:
        """Nothing at all and nothing that matches are two things, with two next steps."""
        is_narrowed = self.wanted is not None and not self.wanted.is_everything
        if self._said == (is_narrowed, self._how):
            return
        self._said = (is_narrowed, self._how)
        if is_narrowed:
            self.table.set_empty("search", tr("Nothing matches"), tr("Change or clear the search and the filters."))
            return
        icon, title, _how = self.kind.empty
        button = outline_button(self._context.theme, tr("Open Integrations"), "plug")
        button.clicked.connect(lambda: self._context.open_page("integrations"))
        self.table.set_empty(icon, title, self._how, button)

    def _show_found(self) -> None:
        self._show_empty()
        shown, total = len(self.model.rows), self._total
        if not shown:
            self.summary.setText("")
            return
        if total >= COUNT_STOPS:
            text = tr("{shown} of more than {total}", shown=f"{shown:,}", total=f"{COUNT_STOPS:,}")
        elif total > shown:
            text = tr("{shown} of {total}", shown=f"{shown:,}", total=f"{total:,}")
        else:
            text = trn(self.kind.one, self.kind.many, shown)
        further = tr("others follow on scrolling") if self._after is not None else ""
        self.summary.setText(", ".join(filter(None, (text, further))))

    def _on_order_wanted(self) -> None:
        if self.is_loaded:
            self._start(partial(self.show_wanted, self.wanted), "order")

    def _on_scrolled(self) -> None:
        if self._after is not None and self._is_near_end() and (self._task is None or self._task.done()):
            self._start(self._read_on, "more")

    def _is_near_end(self) -> bool:
        view = self.table.view
        below_px = len(self.model.rows) * ROW_HEIGHT_PX - view.verticalScrollBar().value() - view.viewport().height()
        return below_px < LOAD_BEFORE_PX

    def _start(self, step: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._spawn(self._quietly(step), f"{self.kind.key} {name}")

    async def _quietly(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await step()
        except StoreError as err:  # the world's fault: say it, keep what is shown
            self._context.notify("warn", tr("{list} shows older data: {why}", list=self.kind.title, why=err.why))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.is_loaded:  # a taller window shows more
            self._on_scrolled()
        return super().eventFilter(watched, event)

    def close_list(self) -> None:
        self._context.ui_state.unregister(f"{self.kind.page}.{self.kind.key}")
