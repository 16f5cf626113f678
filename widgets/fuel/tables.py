"""The tables of the fuel page: vehicles with their levels, and the events of what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.fuel.events import StoredEvent
from app.fuel.overview import VehicleFuel
from app.fuel.reconcile import CONFIRMED, FALSE
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.formats import NOTHING, Formats
from widgets.rows_model import ROW_ROLE, Column, RowsModel
from widgets.theme import Level, Theme

LOW, VERY_LOW = 0.25, 0.12
BAR_HEIGHT = 4


@dataclass(frozen=True)
class Reader:
    """What columns read with."""

    context: ConsoleContext
    now_ms: Callable[[], int]


def state_word(row: VehicleFuel) -> tuple[Level, str]:
    """How a vehicle's level is known."""
    words: dict[str, tuple[Level, str]] = {
        "fresh": ("ok", tr("Fresh")),
        "stale": ("warn", tr("Stale")),
        "silent": ("neutral", tr("Silent")),
        "uncalibrated": ("warn", tr("Not calibrated")),
        "no_sensor": ("neutral", tr("No sensor")),
    }
    return words[row.state]


def litres(value: float | None, formats: Formats, decimals: int = 0) -> str:
    """``84 L``."""
    return NOTHING if value is None else f"{formats.number(value, decimals)} L"


def _refuel_words(row: VehicleFuel, formats: Formats) -> str:
    if row.last_refuel_l is None:
        return NOTHING
    return f"{litres(row.last_refuel_l, formats)}, {formats.clock(row.last_refuel_ms)}"


class VehicleTable(DataTable[VehicleFuel]):
    """Vehicles with tanks; the level is painted as a bar."""

    def __init__(self, context: ConsoleContext, reader: Reader) -> None:
        model = RowsModel[VehicleFuel](_vehicle_columns(reader), key=lambda row: row.vehicle_id)
        super().__init__(context.theme, model, tr("Vehicles and their fuel"))
        model.setParent(self)
        place = [column.key for column in model.columns].index("level")
        self._bars = LevelBars(context.theme)
        self.view.setItemDelegateForColumn(place, self._bars)
        self.sort_by("vehicle")
        self.remember_in(context.ui_state, "fuel.vehicles")


class EventTable(DataTable[StoredEvent]):
    def __init__(self, context: ConsoleContext, reader: Reader) -> None:
        model = RowsModel[StoredEvent](_event_columns(reader), key=lambda row: row.id)
        super().__init__(context.theme, model, tr("Refuels and drains"))
        model.setParent(self)
        self.sort_by("start", descending=True)
        self.remember_in(context.ui_state, "fuel.events")


class LevelBars(QStyledItemDelegate):
    """A bar under the litres: shape, number and colour say the same."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        row: VehicleFuel | None = index.data(ROW_ROLE)
        share = None if row is None else row.share
        if share is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        rect = option.rect
        bar = QRectF(rect.left() + 10, rect.bottom() - BAR_HEIGHT - 4, rect.width() - 20, BAR_HEIGHT)
        painter.setBrush(self._theme.color("border"))
        painter.drawRoundedRect(bar, BAR_HEIGHT / 2, BAR_HEIGHT / 2)
        token = "error" if share < VERY_LOW else "warn" if share < LOW else "primary"
        painter.setBrush(self._theme.color(token))
        filled = QRectF(bar.left(), bar.top(), max(bar.width() * share, BAR_HEIGHT), bar.height())
        painter.drawRoundedRect(filled, BAR_HEIGHT / 2, BAR_HEIGHT / 2)
        painter.restore()


def _vehicle_columns(reader: Reader) -> list[Column[VehicleFuel]]:
    formats = reader.context.formats
    return [
        Column("vehicle", tr("Vehicle"), lambda row: row.plate, width=108),
        Column("level", tr("Level"), _level_words, lambda row: row.share, width=120, tooltip=_tank_words),
        Column("state", tr("State"), lambda row: state_word(row)[1], badge=state_word, width=130),
        Column(
            "refuel",
            tr("Last refuel"),
            lambda row: _refuel_words(row, formats),
            lambda row: row.last_refuel_ms,
            width=150,
        ),
        Column("drains", tr("Drains, 7 days"), lambda row: f"{row.drains_7d}" if row.drains_7d else NOTHING,
               lambda row: row.drains_7d, align="right", width=110),
        Column("used", tr("Used, 7 days"), lambda row: litres(row.used_7d_l, formats), lambda row: row.used_7d_l,
               align="right", width=100),
        Column("rate", tr("L/100 km"), lambda row: formats.number(row.per_100_km, 1), lambda row: row.per_100_km,
               align="right", width=80),
        Column("age", tr("Reading"), lambda row: formats.ago(row.at_ms), lambda row: row.at_ms, width=100,
               tooltip=lambda row: formats.time(row.at_ms)),
        Column("quality", tr("Quality"), lambda row: NOTHING if row.quality is None else f"{row.quality}",
               lambda row: row.quality, align="right", width=70, is_shown=False),
    ]  # fmt: skip


def _level_words(row: VehicleFuel) -> str:
    if row.litres is None:
        return NOTHING
    return f"{row.litres:,.0f} L" if not row.capacity_l else f"{row.litres:,.0f} of {row.capacity_l:,.0f} L"


def _tank_words(row: VehicleFuel) -> str:
    parts = []
    for tank in row.tanks:
        level = NOTHING if tank.litres is None else f"{tank.litres:,.0f} L"
        parts.append(f"{tank.name or tr('Tank')}: {level}")
    return "\n".join(parts)


def _event_columns(reader: Reader) -> list[Column[StoredEvent]]:
    formats = reader.context.formats
    zone = formats.zone_name
    return [
        Column("start", tr("When"), lambda row: formats.clock(row.start_ms), lambda row: row.start_ms, width=112,
               tooltip=lambda row: f"{formats.time(row.start_ms)} – {formats.time(row.end_ms)}", note=zone,
               export=lambda row: formats.time(row.start_ms)),
        Column("vehicle", tr("Vehicle"), lambda row: row.plate, width=100),
        Column("tank", tr("Tank"), lambda row: row.tank, width=86),
        Column("kind", tr("What"), lambda row: kind_word(row)[1], badge=kind_word, width=88),
        Column("litres", tr("Litres"), _signed, lambda row: row.litres, align="right", width=86),
        Column("level", tr("Level"), lambda row: f"{row.level_before_l:,.0f} → {row.level_after_l:,.0f} L",
               lambda row: row.level_after_l, width=120),
        Column("confidence", tr("Confidence"), lambda row: f"{row.confidence:.0%}", lambda row: row.confidence,
               align="right", width=92),
        Column("decision", tr("Decision"), lambda row: decision_word(row)[1], badge=decision_word, width=110),
        Column("reason", tr("Reason and note"), lambda row: " · ".join(part for part in (row.reason, row.note) if part),
               width=180),
        Column("place", tr("Place"), lambda row: NOTHING if row.lat is None else f"{row.lat:.4f}, {row.lon:.4f}",
               width=130, is_shown=False),
    ]  # fmt: skip


def kind_word(row: StoredEvent) -> tuple[Level, str]:
    if row.kind == "refuel":
        return "ok", tr("Refuel")
    return ("error", tr("Drain")) if row.counts else ("neutral", tr("Drain"))


def decision_word(row: StoredEvent) -> tuple[Level, str]:
    if row.decision == CONFIRMED:
        return "ok", tr("Confirmed")
    if row.decision == FALSE:
        return "neutral", tr("False")
    return ("info", tr("Provisional")) if row.provisional else ("neutral", tr("Open"))


def _signed(row: StoredEvent) -> str:
    sign = "+" if row.kind == "refuel" else "−"
    least = "≥ " if row.at_least else ""
    return f"{least}{sign}{row.litres:,.1f}"
