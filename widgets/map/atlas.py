"""The sprite atlas: one row per state, 32 headings and one picture without heading per row."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPixmap, QPolygonF

from widgets.map.labels import FAMILY
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray
from widgets.map.states import VehicleState, color_of

HEADINGS = 32
NO_HEADING = HEADINGS  # the last column
CELL_PX = 30
DRAWN_STATES = tuple(state for state in VehicleState if state is not VehicleState.UNKNOWN)
ARROW = ((0.0, -10.0), (6.6, 7.6), (0.0, 4.2), (-6.6, 7.6))


def heading_column(course_deg: FloatArray) -> NDArray[np.int16]:
    """The atlas column of each course; NaN gives the picture without heading."""
    known = np.isfinite(course_deg)
    column = np.full(len(course_deg), NO_HEADING, np.int16)
    column[known] = np.round(course_deg[known] * (HEADINGS / 360.0)).astype(np.int64) % HEADINGS
    return column


def build_atlas(palette: MapPalette, dpr: float) -> QPixmap:
    """All markers in one pixmap whose own ratio is 1: fragments are cut in its pixels and scaled by 1/dpr."""
    cell = round(CELL_PX * dpr)
    atlas = QPixmap((HEADINGS + 1) * cell, len(DRAWN_STATES) * cell)
    atlas.fill(Qt.GlobalColor.transparent)
    painter = QPainter(atlas)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for row, state in enumerate(DRAWN_STATES):
        for column in range(HEADINGS + 1):
            painter.save()
            painter.translate((column + 0.5) * cell, (row + 0.5) * cell)
            painter.scale(dpr, dpr)
            draw_marker(painter, state, None if column == NO_HEADING else column * 360 / HEADINGS, palette)
            painter.restore()
    painter.end()
    return atlas


def draw_marker(painter: QPainter, state: VehicleState, course_deg: float | None, palette: MapPalette) -> None:
    """One marker around the origin, about 20 px; shapes differ, so that colour is never the only sign."""
    color = QColor(color_of(state, palette))
    outline = QPen(QColor(palette.paper), 1.6)
    outline.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(outline)
    painter.setBrush(color)
    if state is VehicleState.ALARM:
        _draw_alarm(painter, color, course_deg, palette)
    elif state is VehicleState.MOVING and course_deg is not None:
        _draw_arrow(painter, course_deg)
    elif state is VehicleState.STOPPED:
        painter.drawRoundedRect(QRectF(-6, -6, 12, 12), 2.5, 2.5)
    elif state is VehicleState.STALE:
        painter.drawPolygon(QPolygonF([QPointF(0, -8), QPointF(8, 0), QPointF(0, 8), QPointF(-8, 0)]))
    elif state in {VehicleState.SILENT, VehicleState.UNKNOWN}:
        painter.drawEllipse(QPointF(0, 0), 7.4, 7.4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(palette.paper))
        painter.drawEllipse(QPointF(0, 0), 3.6, 3.6)
    else:
        painter.drawEllipse(QPointF(0, 0), 6.4, 6.4)
        if state is VehicleState.MOVING:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(palette.paper))
            painter.drawEllipse(QPointF(0, 0), 2.2, 2.2)


def _draw_arrow(painter: QPainter, course_deg: float) -> None:
    turn = math.radians(course_deg)
    cos, sin = math.cos(turn), math.sin(turn)
    painter.drawPolygon(QPolygonF([QPointF(x * cos - y * sin, x * sin + y * cos) for x, y in ARROW]))


def _draw_alarm(painter: QPainter, color: QColor, course_deg: float | None, palette: MapPalette) -> None:
    if course_deg is not None:
        glow = QColor(color)
        glow.setAlpha(60)
        painter.setBrush(glow)
        painter.setPen(QPen(color, 1.4))
        painter.drawEllipse(QPointF(0, 0), 13, 13)
        painter.setPen(QPen(QColor(palette.paper), 1.4))
        painter.setBrush(color)
        _draw_arrow(painter, course_deg)
        return
    painter.drawPolygon(QPolygonF([QPointF(0, -10), QPointF(10.5, 8.5), QPointF(-10.5, 8.5)]))
    font = QFont(FAMILY)
    font.setPixelSize(11)
    font.setWeight(QFont.Weight.Bold)
    painter.setFont(font)
    painter.setPen(QColor(palette.paper))
    painter.drawText(QRectF(-8, -5, 16, 14), Qt.AlignmentFlag.AlignCenter, "!")
