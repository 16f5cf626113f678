"""Names on the map: which fit where, and their pictures.

Drawing a text with a halo is the costly part of a labelled map (ui.md 3.6), so every text is drawn once into a small
pixmap and only copied afterwards; where it goes is decided greedily, heaviest first, by testing rectangles.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap

SPRITES_KEPT = 3000
PLATE_INSET_PX = 3.0
FAMILY = "Inter"  # shipped, with the letters of Hausa and Yoruba


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How one kind of text is drawn; part of the sprite's key."""

    size_px: int
    weight: int
    color: str
    halo: str
    halo_px: float = 2.4
    spacing_px: float = 0.0
    plate: str = ""  # colour of a plate behind the text, which then needs no halo


class TextSprites:
    """Pictures of texts with halo, the least recently used dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, TextStyle, float], QPixmap] = OrderedDict()

    def get(self, text: str, style: TextStyle, dpr: float) -> QPixmap:
        key = (text, style, dpr)
        sprite = self._kept.get(key)
        if sprite is None:
            sprite = self._kept[key] = _draw_text(text, style, dpr)
            if len(self._kept) > SPRITES_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return sprite

    def __len__(self) -> int:
        return len(self._kept)


def _draw_text(text: str, style: TextStyle, dpr: float) -> QPixmap:
    font = QFont(FAMILY)
    font.setPixelSize(style.size_px)
    font.setWeight(QFont.Weight(style.weight))
    font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, style.spacing_px)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    metrics = QFontMetricsF(font)
    margin = PLATE_INSET_PX if style.plate else style.halo_px
    width = int(metrics.horizontalAdvance(text) + 2 * margin) + 1
    height = int(metrics.height() + 2 * margin) + 1
    sprite = QPixmap(round(width * dpr), round(height * dpr))
    sprite.setDevicePixelRatio(dpr)
    sprite.fill(Qt.GlobalColor.transparent)
    path = QPainterPath()
    path.addText(QPointF(margin, margin + metrics.ascent()), font, text)
    painter = QPainter(sprite)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if style.plate:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(style.plate))
        painter.drawRoundedRect(QRectF(0, 0, width, height), PLATE_INSET_PX, PLATE_INSET_PX)
    else:
        pen = QPen(QColor(style.halo), 2 * style.halo_px)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(path, pen)
    painter.fillPath(path, QColor(style.color))
    painter.end()
    return sprite


class TakenSpace:
    """The rectangles already covered by labels, in pixels."""

    def __init__(self, capacity: int = 256) -> None:
        self._boxes = np.empty((capacity, 4))
        self._count = 0

    def take(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Cover the rectangle and return True, or return False when something is there already."""
        boxes = self._boxes[: self._count]
        clash = (boxes[:, 0] < right) & (boxes[:, 2] > left) & (boxes[:, 1] < bottom) & (boxes[:, 3] > top)
        if clash.any():
            return False
        self.cover(left, top, right, bottom)
        return True

    def cover(self, left: float, top: float, right: float, bottom: float) -> None:
        """Cover the rectangle whatever is there: things that stand where they stand."""
        if self._count == len(self._boxes):
            self._boxes = np.concatenate([self._boxes, np.empty_like(self._boxes)])
        self._boxes[self._count] = (left, top, right, bottom)
        self._count += 1
