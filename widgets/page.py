"""A page of the window: what it must say of itself, and when it is asked to read.

How to add one::

    class TrackersPage(Page):
        key = "trackers"                      # its name for open_page, --page and saved state
        title = "Trackers"                    # the side bar's word (goes through tr() there)
        icon = "satellite-dish"               # a Lucide file of resources/icons
        topics = frozenset({"devices", "device_states"})

        def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
            super().__init__(context, parent)
            column = self.scroll_column()     # or self.column() for a page that fills the window (map, table)
            column.addWidget(PageHeader(tr("Trackers"), tr("Known and waiting devices"), [button]))

        async def refresh(self, topics: frozenset[str]) -> None:
            rows = await self.context.bridge.read(list_devices)
            self.model.apply(rows)            # on the UI thread again: just show them

        def show_item(self, **arguments: Any) -> None:
            ...                               # open_page("trackers", imei="…") ends here, page visible

``refresh`` is called with all topics when the page is first shown, and with those that moved while it is visible or
moved since it was last visible. Never twice at once: what moves meanwhile waits for the next call. It must not
block; it reads through ``context.bridge``. The constructor must not read or start tasks. A page's module is imported
and the page made when it is first shown (``PageSpec.load`` of widgets/window.py), so heavy imports (pyqtgraph)
may stand at the top of its own modules. A StoreError out of ``refresh`` becomes a message and a retry; anything
else is a defect and reaches the crash report.

``table()`` returns the page's main table: Ctrl+E and Ctrl+P export and print it as seen. Ctrl+F goes to the page's
first SearchField. ``spawn`` starts further work; all of it is cancelled when the page is closed. Long-lived
connections to signals of the context belong to methods of the page, so that they end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from app.store.errors import StoreError
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.primitives.layouts import ScrollHost

PAGE_MARGIN = 28
BLOCK_GAP = 18
CONTENT_WIDTH_MAX = 1600  # wider lines of cards are hard to scan
RETRY_AFTER_MS = 3_000


class Page(QWidget):
    """Base of every page. ``refreshed`` is emitted after each completed refresh (screenshots and tests wait for it)."""

    key: ClassVar[str]
    title: ClassVar[str]
    icon: ClassVar[str]
    topics: ClassVar[frozenset[str]] = frozenset()
    refreshed = Signal()

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.setProperty("surface", "bg")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.title)
        self.refresh_count = 0
        self._due: set[str] = set(self.topics)
        self._is_first = True
        self._is_refreshing = False
        self._retry = QTimer(self, singleShot=True, interval=RETRY_AFTER_MS)
        self._retry.timeout.connect(self._refresh_if_due)
        context.bridge.changed.connect(self._on_changed)

    async def refresh(self, topics: frozenset[str]) -> None:
        """Read what ``topics`` say has moved and show it."""

    def show_item(self, **arguments: Any) -> None:
        """Bring one thing into view, e.g. ``imei="…"``; called after the page was shown."""

    def table(self) -> DataTable[Any] | None:
        """The page's main table, for export and print; None where there is none."""
        return None

    @property
    def is_ready(self) -> bool:
        """True once it shows its data; a page that loads more than ``refresh`` reads says so here."""
        return self.refresh_count > 0

    def request_refresh(self) -> None:
        """Read everything again, now or when the page is next visible."""
        self._due |= self.topics
        self._is_first = True
        self._refresh_if_due()

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start work that belongs to this page; its failure reaches the crash report, its end is the page's."""
        task: asyncio.Task[Any] = self.context.tasks.start(coro, name=f"{self.key}: {name}", owner=self)
        return task

    def close_page(self) -> None:
        """End the page's work; the window calls it before it goes."""
        self._retry.stop()
        self.context.bridge.changed.disconnect(self._on_changed)
        self.context.tasks.cancel_owner(self)

    def column(self, margin: int = PAGE_MARGIN) -> QVBoxLayout:
        """The layout of a page that fills the window."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(margin, margin, margin, margin)
        layout.setSpacing(BLOCK_GAP)
        return layout

    def scroll_column(self) -> QVBoxLayout:
        """The layout of a page that scrolls; its content is centred and not wider than is easy to scan."""
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        area, column = scroll_area()
        outer.addWidget(area)
        return column

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh_if_due()

    def hideEvent(self, event: QHideEvent) -> None:
        self._retry.stop()
        super().hideEvent(event)

    def _on_changed(self, topics: frozenset[str]) -> None:
        self._due |= topics & self.topics
        self._refresh_if_due()

    def _refresh_if_due(self) -> None:
        if self._is_refreshing or not self.isVisible() or not (self._due or self._is_first):
            return
        self._is_refreshing = True
        self.spawn(self._refresh_until_quiet(), "refresh")

    async def _refresh_until_quiet(self) -> None:
        try:
            while self.isVisible() and (self._due or self._is_first):
                topics = frozenset(self._due)
                self._due.clear()
                self._is_first = False
                try:
                    await self.refresh(topics)
                except BaseException:
                    self._due |= topics  # what was not shown is still due
                    raise
                self.refresh_count += 1
                self.refreshed.emit()
        except StoreError as err:  # the world's fault: say it, keep what is shown, try again
            self.context.notify("warn", tr("{page} shows older data: {why}", page=tr(self.title), why=err.why))
            self._retry.start()
        finally:
            self._is_refreshing = False


def scroll_area(margin: int = PAGE_MARGIN) -> tuple[QScrollArea, QVBoxLayout]:
    """A scrolling surface and the layout of its content: see :meth:`Page.scroll_column`."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    host = ScrollHost()
    area.setWidget(host)
    row = QHBoxLayout(host)
    content = QWidget()
    content.setMaximumWidth(CONTENT_WIDTH_MAX)
    row.addWidget(content, 1)
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(BLOCK_GAP)
    column.setAlignment(Qt.AlignmentFlag.AlignTop)
    bar = area.verticalScrollBar()

    def keep_clear() -> None:
        """The bar stands in the margin: nothing moves sideways when it comes or goes."""
        taken = bar.sizeHint().width() if bar.maximum() > 0 else 0
        row.setContentsMargins(margin, margin, max(0, margin - taken), margin)

    bar.rangeChanged.connect(lambda _low, _high: keep_clear())
    keep_clear()
    return area, column


class PageHeader(QWidget):
    """Title, one muted line under it, and the page's buttons at the right."""

    def __init__(self, title: str, subtitle: str = "", actions: Sequence[QWidget] = ()) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(2)
        self.title = QLabel(title)
        self.title.setProperty("role", "title")
        self.subtitle = QLabel(subtitle)
        self.subtitle.setProperty("role", "muted")
        self.subtitle.setTextFormat(Qt.TextFormat.PlainText)
        self.subtitle.setVisible(bool(subtitle))
        words.addWidget(self.title)
        words.addWidget(self.subtitle)
        row.addLayout(words, 1)
        for action in actions:
            row.addWidget(action, 0, Qt.AlignmentFlag.AlignVCenter)

    def set_subtitle(self, text: str) -> None:
        self.subtitle.setText(text)
        self.subtitle.setVisible(bool(text))
