"""The live values of one sensor: level, temperature, raw counts, a graph, quality counters, who it is."""

from __future__ import annotations

from collections import deque

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from adapters.bench import Counters, Level, SensorFacts
from resources.i18n import tr, trn
from widgets.charts.time_chart import Lane, Line, TimeChart
from widgets.context import ConsoleContext
from widgets.primitives import CardGrid, EmptyState, StatCard, clear_layout, text_label

KEPT = 3_600
SHOWN_S = 300.0


class LiveView(QWidget):
    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self._levels: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.value = StatCard(theme, tr("Level"), "gauge", "primary")
        self.temperature = StatCard(theme, tr("Temperature"), "thermometer", "info")
        self.raw = StatCard(theme, tr("Raw count"), "hash", "neutral")
        self.quality = StatCard(theme, tr("Answers"), "signal", "ok")
        self.chart = TimeChart(theme, (Lane("level", tr("Level"), (Line("level", tr("Level"), "primary"),)),))
        self.chart.setAccessibleName(tr("Level over the last minutes"))
        self.facts = QVBoxLayout()
        self.facts.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        cards = QWidget()
        grid = CardGrid(cards, min_width=170, is_balanced=True)
        for card in (self.value, self.temperature, self.raw, self.quality):
            grid.addWidget(card)
        column.addWidget(cards)
        row = QHBoxLayout()
        row.setSpacing(16)
        host = QWidget()
        self._graph = QStackedLayout(host)
        self._graph.addWidget(
            EmptyState(theme, "activity", tr("Nothing was read yet"), tr("Open a port, search, choose a sensor."))
        )
        self._graph.addWidget(self.chart)
        row.addWidget(host, 1)
        side = QWidget()
        side.setFixedWidth(240)
        on_side = QVBoxLayout(side)
        on_side.setContentsMargins(0, 0, 0, 0)
        on_side.addWidget(text_label(tr("Sensor"), "card-title"))
        on_side.addLayout(self.facts)
        on_side.addStretch(1)
        row.addWidget(side)
        column.addLayout(row, 1)
        self.clear()

    def clear(self) -> None:
        """Another sensor: nothing of the one before stays."""
        self._levels.clear()
        for card in (self.value, self.temperature, self.raw, self.quality):
            card.set_value("–")
        self.chart.set_line("level", [], [])
        self._graph.setCurrentIndex(0)
        clear_layout(self.facts)
        self.facts.addWidget(text_label(tr("Choose a sensor that was found."), "muted", wrap=True))

    def show_facts(self, facts: SensorFacts) -> None:
        clear_layout(self.facts)
        rows = [
            (tr("Address"), str(facts.address)), (tr("Model"), facts.model), (tr("Serial"), facts.serial),
            (tr("Firmware"), facts.firmware), *facts.details,
        ]  # fmt: skip
        for name, value in rows:
            if value:
                self.facts.addWidget(text_label(f"{name}: {value}", wrap=True, selectable=True))

    def show_level(self, level: Level, counters: Counters) -> None:
        """A reading, or the sentence why there is none."""
        if level.value is None:
            self.value.set_value("–", self._silent_words(level.why), "error")
        else:
            number = f"{level.value:,.1f}" if level.value % 1 else f"{level.value:,.0f}"
            self.value.set_value(number, level.unit, "primary")
            self._levels.append((level.at_s, level.value))
            self._draw()
        degrees, raw = level.temperature_c, level.raw
        self.temperature.set_value(*("–",) if degrees is None else (f"{degrees:.0f} °C", tr("at the sensor's head")))
        self.raw.set_value(*("–",) if raw is None else (f"{raw:,.0f}", tr("before scaling")))
        self.show_counters(counters)

    def show_closed(self) -> None:
        """The port is closed: what was read last is no reading of now; the graph keeps it."""
        self.value.set_value("–", self._silent_words(tr("The port is closed.")) if self._levels else "", "primary")
        self.temperature.set_value("–")
        self.raw.set_value("–")

    def _silent_words(self, why: str) -> str:
        """Why there is no reading, and when the last one was."""
        if not self._levels:
            return why
        last = self._context.formats.clock(round(self._levels[-1][0] * 1000))
        return tr("{why} Last read {time}.", why=why, time=last)

    def show_counters(self, counters: Counters) -> None:
        if not counters.sent:
            return
        share = counters.good / counters.sent
        bad = [
            words
            for count, words in (
                (counters.timeouts, tr("{n} without answer", n=counters.timeouts)),
                (counters.checksum_errors, tr("{n} damaged", n=counters.checksum_errors)),
                (counters.wrong_address, tr("{n} of another address", n=counters.wrong_address)),
            )
            if count
        ]
        note = ", ".join([trn("of {count} request", "of {count} requests", counters.sent), *bad])
        tint = "ok" if share > 0.98 else "warn" if share > 0.8 else "error"
        self.quality.set_value(f"{share:.0%}", note, tint)

    def _draw(self) -> None:
        self._graph.setCurrentWidget(self.chart)
        points = np.array(self._levels)
        self.chart.set_line("level", points[:, 0], points[:, 1])
        self.chart.set_zone(self._context.formats.zone)
        end = float(points[-1, 0])
        self.chart.show_span(end - SHOWN_S, end)
