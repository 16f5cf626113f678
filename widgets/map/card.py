"""The card over the map on which one vehicle or one driver is told of: head, facts, notes, buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.primitives import Banner, Card, IconButton, clear_layout, line, outline_button, text_label
from widgets.primitives.cards import exact_height
from widgets.theme import Level

WIDTH_PX = 312
Note = tuple[Level, str]


class MapCard(Card):
    """``facts`` are the labels of the values by the keys of ``rows``, (key, label) pairs. Signals carry ``key``."""

    closed = Signal()
    follow_toggled = Signal(bool)
    track_wanted = Signal(str)

    def __init__(self, context: ConsoleContext, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent, margin=0)
        self._context = context
        self.key = ""
        self.setFixedWidth(WIDTH_PX)
        self.marker = MarkerLabel()
        self.name = text_label("", "card-title", selectable=True)
        self.subtitle = text_label("", "small", selectable=True)
        self.state_word = exact_height(text_label("", "strong", wrap=True))
        self.facts: dict[str, QLabel] = {}
        self.notes: list[Note] = []
        self._notes = QVBoxLayout()
        self.follow = outline_button(context.theme, tr("Follow"), "crosshair", small=True)
        self.follow.setCheckable(True)
        self.track = outline_button(context.theme, tr("Today's track"), "route", small=True)
        self._buttons = QGridLayout()
        self._lay_out(rows)
        self.add_button(self.follow)
        self.add_button(self.track)
        self.follow.toggled.connect(self.follow_toggled)
        self.track.clicked.connect(lambda: self.track_wanted.emit(self.key))
        context.formats.ticked.connect(self.show_ages)
        context.formats.changed.connect(self.show_facts)
        self.hide()

    def _lay_out(self, rows: Sequence[tuple[str, str]]) -> None:
        column = self.body
        column.setContentsMargins(16, 12, 8, 14)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.marker, 0, Qt.AlignmentFlag.AlignTop)
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.name)
        names.addWidget(self.subtitle)
        head.addLayout(names, 1)
        self.close_button = IconButton(self._context.theme, "x", tr("Close the details"))
        self.close_button.clicked.connect(self.closed)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        body = QWidget()
        body.setProperty("surface", "clear")
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 8, 0)
        inner.setSpacing(9)
        inner.addWidget(self.state_word)
        self._notes.setSpacing(6)
        inner.addLayout(self._notes)
        inner.addLayout(self._fact_grid(rows))
        self._buttons.setSpacing(8)
        inner.addWidget(line())
        inner.addLayout(self._buttons)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(body)
        column.addWidget(self._area)

    def _fact_grid(self, rows: Sequence[tuple[str, str]]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        for at, (key, label) in enumerate(rows):
            value = text_label("", selectable=True)
            value.setAccessibleName(label)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            value.setWordWrap(True)
            self.facts[key] = value
            grid.addWidget(text_label(label, "small"), at, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, at, 1)
        return grid

    def add_button(self, button: QAbstractButton) -> None:
        """Two in a row, in the order in which they come."""
        at = self._buttons.count()
        self._buttons.addWidget(button, at // 2, at % 2)

    def show_facts(self) -> None:
        """Write everything anew; each card's own."""
        raise NotImplementedError

    def show_ages(self) -> None:
        """Time passed; each card's own."""
        raise NotImplementedError

    def fit_height(self, most_px: int) -> None:
        """As tall as the content asks, no taller than the map."""
        body = self._area.widget()
        layout = body.layout() if body is not None else None
        margins = self.body.contentsMargins()
        wanted = layout.totalHeightForWidth(WIDTH_PX - margins.left() - margins.right() - 2) if layout else 0
        head = max(self.name.sizeHint().height() + self.subtitle.sizeHint().height(), 36)
        self.setFixedHeight(min(most_px, wanted + head + 12 + 14 + 8 + 4))

    def restyle(self) -> None:
        """Colours changed."""
        self.show_facts()

    def close_card(self) -> None:
        self._context.formats.ticked.disconnect(self.show_ages)
        self._context.formats.changed.disconnect(self.show_facts)

    def set_head(self, name: str, subtitle: str, level: Level, meaning: str) -> None:
        """``level`` colours the state's word, ``meaning`` is its tip."""
        self.name.setText(name)
        self.subtitle.setText(subtitle)
        self.subtitle.setVisible(bool(subtitle))
        self.state_word.setToolTip(meaning)
        self.state_word.setStyleSheet(f"color: {self._context.theme.tokens[f'{level}_text']};")

    def set_fact(self, key: str, text: str | None) -> None:
        self.facts[key].setText(text or tr("unknown"))

    def set_notes(self, notes: Sequence[Note]) -> None:
        if notes == self.notes:
            return
        self.notes = list(notes)
        clear_layout(self._notes)
        for level, sentence in notes:
            banner = Banner(self._context.theme, level, sentence)
            exact_height(banner.words)
            self._notes.addWidget(banner)
            banner.show()  # a layout counts what is added to something visible only a turn of the loop later


class MarkerLabel(QWidget):
    """The chosen one's marker as it stands on the map."""

    def __init__(self) -> None:
        super().__init__()
        self._draw: Callable[[QPainter], None] = lambda _painter: None
        self.setFixedSize(QSize(30, 30))

    def show_marker(self, name: str, draw: Callable[[QPainter], None]) -> None:
        """``draw`` paints around the origin."""
        self._draw = draw
        self.setAccessibleName(name)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(self.width() / 2, self.height() / 2)
        self._draw(painter)


def joined(*parts: str | None) -> str | None:
    """What is known of several, None for nothing."""
    return ", ".join(part for part in parts if part) or None
