"""The chart of one vehicle in a card: its span, its legend, what is missing."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from app.fuel.events import StoredEvent
from resources.i18n import tr, trn
from widgets.charts.time_chart import Lane, Line, Mark, TimeChart
from widgets.context import ConsoleContext
from widgets.fuel.reads import ChartData
from widgets.primitives import Banner, Card, EmptyState, IconButton, SegmentedTabs, text_label
from widgets.theme import Theme

DAY_S = 86_400
SPANS = {"day": DAY_S, "week": 7 * DAY_S, "month": 31 * DAY_S, "year": 366 * DAY_S}


class ChartCard(Card):
    """``span_wanted`` carries a key of :data:`SPANS`, ``event_chosen`` an event's id, ``moved`` Unix seconds."""

    span_wanted = Signal(str)
    event_chosen = Signal(str)
    moved = Signal(float)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self.title = text_label(tr("Fuel"), "card-title")
        self.note = text_label("", "small")
        self.spans = SegmentedTabs(
            [("day", tr("Day")), ("week", tr("Week")), ("month", tr("Month")), ("year", tr("Year"))], "week"
        )
        self.back = IconButton(theme, "chevron-left", tr("Earlier"), framed=True)
        self.forth = IconButton(theme, "chevron-right", tr("Later"), framed=True)
        self.warning = Banner(theme, "warn", "")
        self.chart = TimeChart(
            theme,
            (
                Lane(
                    "level",
                    tr("Litres"),
                    (Line("raw", tr("Raw"), "neutral"), Line("smooth", tr("Smoothed"), "primary")),
                    height=5,
                ),
                Lane("speed", tr("km/h"), (Line("speed", tr("Speed"), "ok"),), height=2),
                Lane(
                    "ignition",
                    tr("Ign."),
                    (Line("ignition", tr("Ignition"), "neutral", filled=True),),
                    y_range=(0, 1),
                ),
            ),
        )
        self.chart.setAccessibleName(tr("Fuel over time"))
        self.empty = EmptyState(theme, "fuel", "")
        self._lay_out(theme)
        self.show_nothing()
        self.spans.chosen.connect(self.span_wanted)
        self.chart.chosen.connect(self.event_chosen)
        self.chart.cursor_moved.connect(self.moved)
        self.back.clicked.connect(lambda: self._pan(-1))
        self.forth.clicked.connect(lambda: self._pan(1))

    def _lay_out(self, theme: Theme) -> None:
        self.legend = _legend(theme)
        head = QHBoxLayout()
        head.setSpacing(10)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.note)
        head.addLayout(words, 1)
        head.addWidget(self.spans)
        head.addWidget(self.back)
        head.addWidget(self.forth)
        self.body.addLayout(head)
        self.body.addWidget(self.warning)
        self.warning.hide()
        host = QWidget()
        self._stack = QStackedLayout(host)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.chart)
        self.body.addWidget(host, 1)
        self.body.addWidget(self.legend)

    def show_nothing(self) -> None:
        choose = tr("Choose a vehicle on the left to see its fuel over time.")
        self._show_empty(tr("No vehicle chosen"), choose)

    def _show_empty(self, title: str, text: str) -> None:
        self.empty.set_words(title, text)
        self.warning.hide()
        self._stack.setCurrentWidget(self.empty)
        self.legend.hide()

    def show_chart(self, data: ChartData, plate: str, *, keep_span: bool) -> None:
        """Show a vehicle. ``keep_span``: it is the same one as before, somebody may be looking at a part of it."""
        self.title.setText(plate)
        readings = trn("{count} reading", "{count} readings", data.readings)
        zone = self._context.formats.zone_name()
        self.note.setText(tr("{readings}, times in {zone}", readings=readings, zone=zone))
        if not data.readings:
            self._show_empty(tr("No litres in this time"), _why_none(data))
            return
        self._warn(data)
        self.chart.set_zone(self._context.formats.zone)
        self.chart.set_limits(data.from_s, data.to_s)
        for key, pyramid in data.series.items():
            self.chart.set_series(key, pyramid)
        if not keep_span:
            self.chart.show_span(data.from_s, data.to_s)
        self.chart.set_versions(data.versions)
        self.chart.set_marks([mark_of(event) for event in data.events])
        self._stack.setCurrentWidget(self.chart)
        self.legend.show()

    def _warn(self, data: ChartData) -> None:
        self.warning.setVisible(bool(data.uncalibrated))
        if data.uncalibrated:
            names = ", ".join(data.uncalibrated)
            self.warning.words.setText(tr("Not calibrated for a time: {names}.", names=names))

    def _pan(self, way: int) -> None:
        start, end = self.chart.span
        step = (end - start) * 0.5 * way
        self.chart.show_span(start + step, end + step)


def _why_none(data: ChartData) -> str:
    """Why there is nothing to draw, and the next step."""
    if data.uncalibrated:
        names = ", ".join(data.uncalibrated)
        return tr("{names}: a sensor gives litres once it is calibrated in Tanks and sensors…", names=names)
    return tr("No sensor of this vehicle was heard in it. Choose a longer time, or look at the sensor's cable.")


def mark_of(event: StoredEvent) -> Mark:
    sign = "+" if event.kind == "refuel" else "−"
    color = "neutral_text" if not event.counts else "ok_text" if event.kind == "refuel" else "error_text"
    return Mark(event.id, event.start_ms / 1000, event.end_ms / 1000, color, f"{sign}{event.litres:.0f} L")


def _legend(theme: Theme) -> QWidget:
    host = QWidget()
    row = QHBoxLayout(host)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    for token, word in (
        ("neutral", tr("Raw")),
        ("primary", tr("Smoothed")),
        ("ok", tr("Speed")),
        ("neutral", tr("Ignition on")),
    ):
        swatch = text_label("")
        theme.follow(swatch, "minus", token, 14)
        row.addWidget(swatch, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(text_label(word, "small"), 0, Qt.AlignmentFlag.AlignVCenter)
    row.addStretch(1)
    return host
