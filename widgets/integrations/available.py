"""The tab of everything that can be added: search, one category, and the grid of cards."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.catalogue import Entry
from resources.i18n import tr
from widgets.integrations.cards import IntegrationCard
from widgets.integrations.reading import Overview
from widgets.integrations.words import category_choices, matches
from widgets.primitives import Card, CardGrid, EmptyState, SearchField, SegmentedTabs, clear_layout
from widgets.theme import Theme

SEARCH_WIDTH = 300
CARD_WIDTH_MIN = 300
GAP = 16


class AvailableTab(QWidget):
    """The filter is not kept: each visit begins with everything."""

    add_wanted = Signal(str)
    configure_wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.cards: dict[str, IntegrationCard] = {}
        self.search = SearchField(theme, tr("Search integrations…"))
        self.search.setMaximumWidth(SEARCH_WIDTH)
        self.categories = SegmentedTabs(category_choices())
        self.categories.setAccessibleName(tr("Category"))
        self.nothing = Card()
        self.nothing.body.addWidget(
            EmptyState(
                theme,
                "search",
                tr("No integration matches"),
                tr("Nothing matches the search in this category. Clear the search or choose All Integrations."),
            )
        )
        self._host = QWidget()
        self._grid = CardGrid(self._host, min_width=CARD_WIDTH_MIN, gap=GAP, max_columns=3)
        self._lay_out()
        self.search.searched.connect(lambda _text: self.apply_filter())
        self.categories.chosen.connect(lambda _category: self.apply_filter())

    @property
    def shown_keys(self) -> list[str]:
        """The cards that the filter lets through, in display order."""
        return [key for key, card in self.cards.items() if not card.isHidden()]

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Make the cards; the catalogue is loaded once."""
        clear_layout(self._grid)
        self.cards = {}
        for entry in entries:
            card = IntegrationCard(self._theme, entry)
            card.add_wanted.connect(self.add_wanted)
            card.configure_wanted.connect(self.configure_wanted)
            self._grid.addWidget(card)
            self.cards[entry.key] = card
        self.apply_filter()

    def show_overview(self, overview: Overview) -> None:
        for key, card in self.cards.items():
            card.show_rows(overview.of_type(key))

    def apply_filter(self) -> None:
        text, category = self.search.text(), self.categories.value
        for card in self.cards.values():
            card.setVisible(matches(card.entry, text, category))
        is_empty = bool(self.cards) and not self.shown_keys
        self.nothing.setVisible(is_empty)
        self._host.setVisible(not is_empty)
        self._grid.invalidate()

    def clear_filter(self) -> None:
        self.search.clear()
        self.categories.choose(category_choices()[0][0])

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Categories that do not fit beside the search stand below it, all of them to be seen.
        fits = self.categories.sizeHint().width() + self._row.spacing() + self.search.minimumWidth() <= self.width()
        self._row.setDirection(QBoxLayout.Direction.LeftToRight if fits else QBoxLayout.Direction.TopToBottom)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(18)
        self._row = QHBoxLayout()
        self._row.setSpacing(12)
        self._row.addWidget(self.search, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.addWidget(SidewaysArea(self.categories), 1, Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(self._row)
        column.addWidget(self._host)
        column.addWidget(self.nothing)
        column.addStretch(1)
        self.nothing.hide()


class SidewaysArea(QScrollArea):
    """A row that scrolls sideways where it does not fit: by wheel, by touch, and after the focus."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setWidget(content)
        content.setAutoFillBackground(False)
        self.viewport().setAutoFillBackground(False)
        self._content = content
        content.installEventFilter(self)
        for child in content.findChildren(QWidget):
            child.installEventFilter(self)
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusIn and isinstance(watched, QWidget):
            self.ensureWidgetVisible(watched, 24, 0)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Polish, QEvent.Type.FontChange):
            self._fit()
        return super().eventFilter(watched, event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        bar = self.horizontalScrollBar()
        if bar.maximum() == 0:
            event.ignore()
            return
        delta = event.angleDelta()
        bar.setValue(bar.value() - (delta.x() or delta.y()))

    def _fit(self) -> None:
        hint = self._content.sizeHint()
        self._content.resize(hint)
        self.setFixedHeight(hint.height())
