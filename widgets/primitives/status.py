"""State as shape + word + colour: dots, pills and plain badges, the same on cards and in tables."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from widgets.primitives.layouts import fixed_policy
from widgets.primitives.tips import plain_tip
from widgets.theme import Level, Theme, restyle

PILL_HEIGHT = 20
PILL_FONT_PX = 11
_SHAPE = 7.0
_PAD = 9


def paint_shape(painter: QPainter, centre: QPointF, level: Level, color: QColor, size: float = _SHAPE) -> None:
    """The level's shape: ok a disc, warn a triangle, error a square on its tip, info a bar, neutral a ring."""
    half = size / 2
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    if level == "ok":
        painter.drawEllipse(centre, half, half)
    elif level == "warn":
        points = [QPointF(0, -half - 0.5), QPointF(half + 0.8, half), QPointF(-half - 0.8, half)]
        painter.drawPolygon(QPolygonF([centre + point for point in points]))
    elif level == "error":
        tip = half + 0.8
        points = [QPointF(0, -tip), QPointF(tip, 0), QPointF(0, tip), QPointF(-tip, 0)]
        painter.drawPolygon(QPolygonF([centre + point for point in points]))
    elif level == "info":
        painter.drawRoundedRect(QRectF(centre.x() - half, centre.y() - half / 2, size, half), 1.5, 1.5)
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, 1.5))
        painter.drawEllipse(centre, half - 0.5, half - 0.5)
    painter.restore()


def pill_font(base: QFont) -> QFont:
    font = QFont(base)
    font.setPixelSize(PILL_FONT_PX)
    font.setWeight(QFont.Weight.Medium)
    return font


def pill_width(font: QFont, word: str) -> int:
    return QFontMetrics(pill_font(font)).horizontalAdvance(word) + 2 * _PAD + round(_SHAPE) + 6


def paint_pill(painter: QPainter, rect: QRect, theme: Theme, level: Level, word: str) -> None:
    """A pill at the left of ``rect``, centred in height, cut to its width; table delegates use it too."""
    font = pill_font(painter.font())
    width = min(pill_width(painter.font(), word), rect.width())
    pill = QRectF(rect.x(), rect.center().y() - PILL_HEIGHT / 2 + 0.5, width, PILL_HEIGHT)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color(f"{level}_soft"))
    painter.drawRoundedRect(pill, PILL_HEIGHT / 2, PILL_HEIGHT / 2)
    shape_x = pill.x() + _PAD + _SHAPE / 2
    paint_shape(painter, QPointF(shape_x, pill.center().y()), level, theme.color(level))
    painter.setFont(font)
    painter.setPen(theme.color(f"{level}_text"))
    words = QRectF(shape_x + _SHAPE / 2 + 6, pill.y(), width - 2 * _PAD - _SHAPE - 4, pill.height())
    shown = QFontMetrics(font).elidedText(word, Qt.TextElideMode.ElideRight, round(words.width()))
    painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
    painter.restore()


class StatusPill(QWidget):
    """A state as shape, word and colour in a rounded field. Give it Qt.AlignVCenter in rows."""

    def __init__(self, theme: Theme, level: Level = "neutral", word: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._level: Level = level
        self._word = word
        self.setSizePolicy(fixed_policy())
        self.set_state(level, word)

    @property
    def level(self) -> Level:
        return self._level

    @property
    def word(self) -> str:
        return self._word

    def set_state(self, level: Level, word: str, why: str = "") -> None:
        """``why`` becomes the tool tip and the accessible description."""
        self._level, self._word = level, word
        self.setAccessibleName(word)
        self.setAccessibleDescription(why)
        self.setToolTip(plain_tip(why))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(pill_width(self.font(), self._word), PILL_HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_pill(painter, self.rect(), self._theme, self._level, self._word)


class StatusDot(QWidget):
    """Only the shape, for places where the word stands beside it."""

    def __init__(self, theme: Theme, level: Level = "neutral", size: int = 10, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._level: Level = level
        self._size = size
        self.setFixedSize(size + 4, size + 4)

    @property
    def level(self) -> Level:
        return self._level

    def set_level(self, level: Level) -> None:
        self._level = level
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        centre = QPointF(self.width() / 2, self.height() / 2)
        paint_shape(QPainter(self), centre, self._level, self._theme.color(self._level), self._size)


class Badge(QLabel):
    """A small word on a tinted field: a chip, ``New``, a count. Not a state: those have a shape (StatusPill)."""

    def __init__(self, text: str, level: Level | str = "chip", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("badge", "true")
        self.setProperty("level", level)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_badge(self, text: str, level: Level | str) -> None:
        self.setText(text)
        restyle(self, level=level)
