"""Cards, tinted icon tiles, statistics and the empty state."""

from __future__ import annotations

import html

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSpacerItem, QVBoxLayout, QWidget

from widgets.primitives.layouts import fixed_policy
from widgets.theme import Level, Theme, restyle, tabular

CARD_MARGIN = 18
EMPTY_TEXT_CHARS = 62  # longer lines of an explanation are hard to read


class Card(QFrame):
    """A framed surface; add to ``body``. ``clickable``: takes focus, emits ``clicked`` (mouse, Enter, Space)."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None, *, clickable: bool = False, margin: int = CARD_MARGIN) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.setProperty("hoverable", "true" if clickable else "false")
        self._clickable = clickable
        if clickable:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(margin, margin, margin, margin)
        self.body.setSpacing(12)

    def set_highlighted(self, on: bool) -> None:
        """The border in the primary colour, e.g. for what is in use already."""
        restyle(self, highlighted="true" if on else "false")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        is_inside = self.rect().contains(event.position().toPoint())
        if self._clickable and event.button() == Qt.MouseButton.LeftButton and is_inside:
            self.clicked.emit()
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._clickable and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
            return
        super().keyPressEvent(event)


class IconTile(QWidget):
    """A rounded square in a level's soft tint with an icon in its colour; ``primary`` is the default tint."""

    def __init__(
        self, theme: Theme, icon: str, tint: Level | str = "primary", size: int = 40, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme, self._icon, self._tint, self._side = theme, icon, tint, size
        self.setSizePolicy(fixed_policy())

    def set_icon(self, icon: str, tint: Level | str) -> None:
        self._icon, self._tint = icon, tint
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._side, self._side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color(f"{self._tint}_soft"))
        painter.drawRoundedRect(QRectF(0, 0, self._side, self._side), self._side / 4.5, self._side / 4.5)
        icon_side = round(self._side / 2)
        offset = (self._side - icon_side) / 2
        pixmap = self._theme.pixmap(self._icon, self._tint, icon_side, self.devicePixelRatioF())
        painter.drawPixmap(QRectF(offset, offset, icon_side, icon_side).toRect(), pixmap)


class StatCard(Card):
    """A statistic: muted label, large number, one muted line that says what is behind it."""

    def __init__(self, theme: Theme, label: str, icon: str, tint: Level | str = "primary") -> None:
        super().__init__()
        self._label = label
        row = QHBoxLayout()
        words = QVBoxLayout()
        words.setSpacing(3)
        self.label = text_label(label, "muted")
        self.value = text_label("–", "value")
        self.value.setFont(tabular(self.value.font()))
        self.note = text_label("", "muted", wrap=True)
        for part in (self.label, self.value, self.note):
            words.addWidget(part)
        words.addStretch(1)
        self.tile = IconTile(theme, icon, tint)
        row.addLayout(words, 1)
        row.addWidget(self.tile, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(row)

    def set_value(self, value: str, note: str = "", tint: Level | str | None = None, icon: str | None = None) -> None:
        self.value.setText(value)
        self.note.setText(note)
        self.setAccessibleName(f"{self._label}: {value}. {note}")
        if tint is not None or icon is not None:
            self.tile.set_icon(icon or self.tile._icon, tint or self.tile._tint)


class EmptyState(QWidget):
    """What stands where nothing is: an icon, what that means, and the next step."""

    def __init__(self, theme: Theme, icon: str, title: str, text: str = "", button: QPushButton | None = None) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 12, 24, 12)
        column.setSpacing(8)
        column.addSpacerItem(_air())
        column.addWidget(IconTile(theme, icon, "neutral", 48), 0, Qt.AlignmentFlag.AlignHCenter)
        self.title = text_label(title, "card-title")
        self.text = text_label(text, "muted", wrap=True)
        for label in (self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.title)
        self.text.setMaximumWidth(self.fontMetrics().averageCharWidth() * EMPTY_TEXT_CHARS)
        # Centred by what is left over: an alignment would give it another width than its height is asked for.
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.text, 1000)
        row.addStretch(1)
        column.addLayout(row)
        self.text.setVisible(bool(text))
        if button is not None:
            column.addSpacing(6)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacerItem(_air())

    def set_words(self, title: str, text: str) -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))


def _air() -> QSpacerItem:
    """Room above and below that gives way first where there is little."""
    return QSpacerItem(0, 24, QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Expanding)


def text_label(text: str, role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label of plain text (never markup: texts may come from outside) in a role of the style sheet."""
    label = _WrappedLabel() if wrap else QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setText(text)
    if role:
        label.setProperty("role", role)
    if selectable:
        label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    return label


def exact_height(label: QLabel) -> QLabel:
    """Let a wrapped label be as low as its text is at the width it gets, for rows that stand in boxes alone.

    Without it the label insists on the height of a narrower form, so that nothing is cut off in layouts that do not
    ask for heights by width.
    """
    policy = label.sizePolicy()
    policy.setVerticalPolicy(QSizePolicy.Policy.Preferred)
    label.setSizePolicy(policy)
    return label


def paragraph(text: str, role: str = "muted") -> QLabel:
    """Several lines with air between them. The text is shown as it is: what looks like markup is not taken for it."""
    label = _WrappedLabel()
    label.setProperty("role", role)
    set_paragraph(label, text)
    return label


def set_paragraph(label: QLabel, text: str) -> None:
    """Another text for a label of :func:`paragraph`."""
    label.setText(f'<div style="line-height:135%">{html.escape(text)}</div>')
    label.setAccessibleName(text)


class _WrappedLabel(QLabel):
    """A label of several lines that asks for the height its width needs, not for that of its narrowest form."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def heightForWidth(self, width: int) -> int:
        return super().heightForWidth(min(width, self.maximumWidth()))

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.fontMetrics().height())


def line(vertical: bool = False) -> QFrame:
    """A thin dividing line."""
    frame = QFrame()
    frame.setProperty("line", "vertical" if vertical else "true")
    return frame


class Banner(QFrame):
    """A line across a page that stays while something is so: a level, a sentence, perhaps a button."""

    def __init__(self, theme: Theme, level: Level, text: str, button: QPushButton | None = None) -> None:
        super().__init__()
        self.setProperty("banner", "true")
        self.setProperty("level", level)
        self._theme = theme
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 14, 10)
        row.setSpacing(10)
        icon = QLabel()
        theme.follow(icon, {"error": "circle-alert", "info": "info"}.get(level, "triangle-alert"), f"{level}_text", 18)
        self.words = text_label(text, wrap=True, selectable=True)
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.words, 1)
        if button is not None:
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
