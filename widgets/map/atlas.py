"""Pictures of what moves: a sprite atlas with one row per state, and how a vehicle and a driver's phone are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from widgets.map.labels import FAMILY
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray
from widgets.map.states import VehicleState, color_of

HEADINGS = 32
NO_HEADING = HEADINGS  # the last column
DRAWN_STATES = tuple(state for state in VehicleState if state is not VehicleState.UNKNOWN)
PHONE_COLUMN = 0  # the only one: phones are drawn without a heading
PHONE_RADIUS_PX = 9.5
PHONE_LIFT_PX = 20  # from a phone's place to the middle of its disc: clear of a vehicle that stands there
FADED = 0.55
ARROW = ((0.0, -10.0), (6.6, 7.6), (0.0, 4.2), (-6.6, 7.6))


def heading_column(course_deg: FloatArray) -> NDArray[np.int16]:
    """The atlas column of each course; NaN gives the picture without heading."""
    known = np.isfinite(course_deg)
    column = np.full(len(course_deg), NO_HEADING, np.int16)
    column[known] = np.round(course_deg[known] * (HEADINGS / 360.0)).astype(np.int64) % HEADINGS
    return column


@dataclass(frozen=True, slots=True)
class Look:
    """How one kind of marker is drawn: a picture of ``cell_px`` whose middle stands ``lift_px`` above its place.

    ``half_px`` on each side of its middle are left free of names; ``ring_px`` is the radius of the chosen one's ring.
    ``has_headings``: the pictures turn with the course; else there is one for each state. ``color_of`` is the colour
    of a state where there are too many for pictures, ``name_color`` that of the name beside one.
    """

    cell_px: int
    half_px: int
    ring_px: int
    lift_px: int
    has_headings: bool
    draw: Callable[[QPainter, VehicleState, float | None, MapPalette], None]
    color_of: Callable[[VehicleState, MapPalette], str]
    name_color: Callable[[VehicleState, MapPalette], str]


def build_atlas(look: Look, palette: MapPalette, dpr: float) -> QPixmap:
    """A look's pictures in one pixmap whose own ratio is 1: fragments are cut in its pixels and scaled by 1/dpr."""
    cell = round(look.cell_px * dpr)
    columns = range(HEADINGS + 1) if look.has_headings else (NO_HEADING,)
    atlas = QPixmap(len(columns) * cell, len(DRAWN_STATES) * cell)
    atlas.fill(Qt.GlobalColor.transparent)
    painter = QPainter(atlas)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for row, state in enumerate(DRAWN_STATES):
        for at, column in enumerate(columns):
            painter.save()
            painter.translate((at + 0.5) * cell, (row + 0.5) * cell)
            painter.scale(dpr, dpr)
            look.draw(painter, state, None if column == NO_HEADING else column * 360 / HEADINGS, palette)
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


def draw_phone(painter: QPainter, state: VehicleState, _course_deg: float | None, palette: MapPalette) -> None:
    """A driver's phone around the origin: a person in a disc on a pin whose tip is :data:`PHONE_LIFT_PX` below.

    A disc above its place, so that a driver and the vehicle under them are both seen. Full while it tells where it
    is, hollow when that is old, faded when nothing is heard.
    """
    is_fresh = state < VehicleState.STALE
    ink = QColor(phone_color(state, palette))
    paper = QColor(palette.paper)
    if state is VehicleState.SILENT:
        painter.setOpacity(FADED)
    _draw_pin(painter, paper, PHONE_RADIUS_PX + 1.5, 3.4)
    _draw_pin(painter, ink, PHONE_RADIUS_PX, 2.0)
    if not is_fresh:
        painter.setBrush(paper)
        painter.drawEllipse(QPointF(0, 0), PHONE_RADIUS_PX - 1.8, PHONE_RADIUS_PX - 1.8)
    painter.setBrush(paper if is_fresh else ink)
    painter.drawEllipse(QPointF(0, -2.8), 2.7, 2.7)
    shoulders = QPainterPath(QPointF(-4.8, 5.2))
    shoulders.cubicTo(QPointF(-4.8, -0.4), QPointF(4.8, -0.4), QPointF(4.8, 5.2))
    shoulders.closeSubpath()
    painter.drawPath(shoulders)
    painter.setOpacity(1.0)


def _draw_pin(painter: QPainter, color: QColor, radius: float, stem: float) -> None:
    painter.setPen(QPen(color, stem, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawLine(QPointF(0, radius), QPointF(0, PHONE_LIFT_PX))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(QPointF(0, 0), radius, radius)


def phone_color(state: VehicleState, palette: MapPalette) -> str:
    return palette.silent if state >= VehicleState.SILENT else palette.phone


VEHICLE_LOOK = Look(30, 8, 16, 0, True, draw_marker, color_of, lambda _state, palette: palette.ink)
PHONE_LOOK = Look(2 * (PHONE_LIFT_PX + 3), 11, 14, PHONE_LIFT_PX, False, draw_phone, phone_color, phone_color)
