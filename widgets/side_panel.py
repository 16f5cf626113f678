"""The details of what is chosen in a table, in a card at its side: heading, state, facts, texts and buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.primitives import Card, IconButton, StatusPill, text_label
from widgets.primitives.layouts import ScrollHost
from widgets.primitives.tips import plain_tip
from widgets.theme import Theme

WIDTH_PX = 348


class SidePanel(Card):
    """Add to ``column``, which scrolls, and to ``foot``, which stays. ``closed`` when the operator closes it."""

    closed = Signal()

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__(margin=0)
        self.setAccessibleName(name)
        self.setFixedWidth(WIDTH_PX)
        self.heading = _elastic(text_label("", "card-title", wrap=True, selectable=True))
        self.subtitle = _elastic(text_label("", "small", wrap=True, selectable=True))
        self.pill = StatusPill(theme)
        self.close_button = IconButton(theme, "x", tr("Close the details"))
        self.close_button.clicked.connect(self.closed)
        self.column = QVBoxLayout()
        self.foot = QVBoxLayout()
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        body = self.body
        body.setContentsMargins(18, 14, 6, 14)
        body.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.heading)
        words.addWidget(self.subtitle)
        head.addLayout(words, 1)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        body.addLayout(head)
        body.addWidget(self.pill)
        host = ScrollHost()
        self.column = QVBoxLayout(host)
        self.column.setContentsMargins(0, 4, 12, 0)
        self.column.setSpacing(12)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(host)
        body.addWidget(self.area, 1)
        self.foot.setContentsMargins(0, 6, 12, 0)
        self.foot.setSpacing(8)
        body.addLayout(self.foot)

    def show_head(self, heading: str, subtitle: str) -> None:
        self.heading.setText(heading)
        self.subtitle.setText(subtitle)
        self.subtitle.setVisible(bool(subtitle))


class Facts(QWidget):
    """Labels and what is known; a fact that is None takes no room."""

    def __init__(self, labels: Sequence[tuple[str, str]]) -> None:
        """``labels`` are (key, label) pairs."""
        super().__init__()
        self.values: dict[str, QLabel] = {}
        self._names: dict[str, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for at, (key, label) in enumerate(labels):
            self._names[key] = text_label(label, "small")
            self.values[key] = _elastic(text_label("", wrap=True, selectable=True))
            self.values[key].setAccessibleName(label)
            grid.addWidget(self._names[key], at, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(self.values[key], at, 1)

    def show_fact(self, key: str, text: str | None, tip: str = "") -> None:
        value = self.values[key]
        value.setText(text or "")
        value.setToolTip(plain_tip(tip))
        value.setVisible(text is not None)
        self._names[key].setVisible(text is not None)

    def text(self, key: str) -> str:
        return self.values[key].text()


def section(title: str) -> QLabel:
    """The heading of a part of the panel."""
    return text_label(title, "strong")


def _elastic(label: QLabel) -> QLabel:
    """Never wider than the panel, however long a word from outside is."""
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label
