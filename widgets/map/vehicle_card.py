"""What is known of the chosen vehicle, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.fleet.listing import DeviceListing
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map.atlas import draw_marker
from widgets.map.events import Alarm
from widgets.map.fleet import Disagreement
from widgets.map.palette import palette_for
from widgets.map.states import LEVELS, MEANINGS, STANDING_KM_H, WORDS, VehicleState
from widgets.map.words import POWER_WORDS, SIGNAL_WORDS, level_word, mark_sentences
from widgets.primitives import Banner, Card, IconButton, clear_layout, line, outline_button, text_label
from widgets.primitives.cards import exact_height

WIDTH_PX = 312


class VehicleCard(Card):
    """A card over the map. Signals carry the subject's key, ``raw_wanted`` a position id."""

    closed = Signal()
    follow_toggled = Signal(bool)
    track_wanted = Signal(str)
    raw_wanted = Signal(object)
    tracker_wanted = Signal(str)

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(parent, margin=0)
        self._context = context
        self.key = ""
        self.integrations: dict[str, str] = {}  # names by id
        self._trackers: list[DeviceListing] = []
        self._state = VehicleState.UNKNOWN
        self._alarm: Alarm | None = None
        self.setFixedWidth(WIDTH_PX)
        self.marker = MarkerLabel(context)
        self.name = text_label("", "card-title", selectable=True)
        self.subtitle = text_label("", "small", selectable=True)
        self.state_word = exact_height(text_label("", "strong", wrap=True))
        self.facts: dict[str, QLabel] = {}
        self._notes = QVBoxLayout()
        self._shown_notes: list[tuple[str, str]] = []
        self.follow = outline_button(context.theme, tr("Follow"), "crosshair", small=True)
        self.follow.setCheckable(True)
        self.track = outline_button(context.theme, tr("Today's track"), "route", small=True)
        self.raw = outline_button(context.theme, tr("Raw frame"), "file-text", small=True)
        self.tracker = outline_button(context.theme, tr("Tracker"), "satellite-dish", small=True)
        self._lay_out()
        self.follow.toggled.connect(self.follow_toggled)
        self.track.clicked.connect(lambda: self.track_wanted.emit(self.key))
        self.raw.clicked.connect(lambda: self.raw_wanted.emit(self._trackers[0].position_id))
        self.tracker.clicked.connect(lambda: self.tracker_wanted.emit(self._trackers[0].unique_id))
        context.formats.ticked.connect(self._show_ages)
        context.formats.changed.connect(self._show_facts)
        self.hide()

    def _lay_out(self) -> None:
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
        close = IconButton(self._context.theme, "x", tr("Close the details"))
        close.clicked.connect(self.closed)
        head.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        body = QWidget()
        body.setProperty("surface", "clear")
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 8, 0)
        inner.setSpacing(9)
        inner.addWidget(self.state_word)
        self._notes.setSpacing(6)
        inner.addLayout(self._notes)
        inner.addLayout(self._fact_grid())
        buttons = QGridLayout()
        buttons.setSpacing(8)
        for at, button in enumerate((self.follow, self.track, self.raw, self.tracker)):
            buttons.addWidget(button, at // 2, at % 2)
        inner.addWidget(line())
        inner.addLayout(buttons)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(body)
        column.addWidget(self._area)

    def _fact_grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        rows = (
            ("speed", tr("Speed")),
            ("heading", tr("Heading")),
            ("age", tr("Position")),
            ("fixed", tr("Fixed at")),
            ("heard", tr("Last heard")),
            ("place", tr("Place")),
            ("source", tr("Source")),
            ("device", tr("Tracker")),
            ("signal", tr("Signal")),
            ("battery", tr("Battery")),
            ("ignition", tr("Ignition")),
        )
        for at, (key, label) in enumerate(rows):
            value = text_label("", selectable=True)
            value.setAccessibleName(label)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            value.setWordWrap(True)
            self.facts[key] = value
            grid.addWidget(text_label(label, "small"), at, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, at, 1)
        return grid

    def show_subject(
        self,
        key: str,
        trackers: list[DeviceListing],
        state: VehicleState,
        disagreement: Disagreement | None,
        alarm: Alarm | None = None,
    ) -> None:
        """Show a subject; ``trackers`` with the newest fix first, never empty; ``alarm``: the last one of them."""
        self.key = key
        self._trackers = trackers
        self._state, self._alarm = state, alarm
        self._show_facts()
        self._show_notes(disagreement)
        self.show()

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
        self._show_facts()

    def close_card(self) -> None:
        self._context.formats.ticked.disconnect(self._show_ages)
        self._context.formats.changed.disconnect(self._show_facts)

    def _show_facts(self) -> None:
        if not self._trackers:
            return
        lead, formats = self._trackers[0], self._context.formats
        is_moving = (lead.speed_km_h or 0.0) > STANDING_KM_H
        self.marker.show_marker(self._state, lead.course_deg if is_moving else None)
        self.name.setText(lead.label)
        self.subtitle.setText(lead.name if lead.name != lead.label else "")
        self.subtitle.setVisible(bool(self.subtitle.text()))
        self.state_word.setToolTip(tr(MEANINGS[self._state]))
        color = self._context.theme.tokens[f"{LEVELS[self._state]}_text"]
        self.state_word.setStyleSheet(f"color: {color};")
        power = level_word(POWER_WORDS, lead.power_level)
        volts = f"{lead.battery_v:.1f} V" if lead.battery_v is not None else None
        percent = tr("{n} %", n=lead.battery_percent) if lead.battery_percent is not None else None
        charging = tr("charging") if lead.charging else None
        self._set("speed", formats.speed(lead.speed_km_h) if lead.fixed_at_ms else None)
        self._set("heading", formats.course(lead.course_deg) if lead.fixed_at_ms and is_moving else None)
        self._set("fixed", formats.time(lead.fixed_at_ms) if lead.fixed_at_ms else None)
        place = f"{lead.lat:.5f}, {lead.lon:.5f}" if lead.lat is not None and lead.lon is not None else None
        self._set("place", place)
        self._set("source", self._source_of(lead))
        self._set("device", lead.unique_id if not lead.source else f"{lead.unique_id} ({lead.source})")
        satellites = tr("{n} satellites", n=lead.satellites) if lead.satellites is not None else None
        self._set("signal", _joined(level_word(SIGNAL_WORDS, lead.gsm_level), satellites))
        self._set("battery", _joined(power, percent, volts, charging))
        self._set("ignition", None if lead.ignition is None else tr("on") if lead.ignition else tr("off"))
        self.raw.setEnabled(lead.position_id is not None)
        self.follow.setEnabled(lead.fixed_at_ms is not None)
        self._show_ages()

    def _source_of(self, tracker: DeviceListing) -> str:
        return self.integrations.get(tracker.integration_id) or tracker.source

    def _set(self, key: str, text: str | None) -> None:
        self.facts[key].setText(text or tr("unknown"))

    def _show_ages(self) -> None:
        if self._trackers:
            lead, formats = self._trackers[0], self._context.formats
            self._set("age", formats.ago(lead.fixed_at_ms) if lead.fixed_at_ms else None)
            heard = max((tracker.last_seen_ms or 0 for tracker in self._trackers), default=0)
            self._set("heard", formats.ago(heard) if heard else None)
            self.state_word.setText(self._state_sentence())

    def _state_sentence(self) -> str:
        """The state's word; of an alarm also what it is and how old."""
        word = tr(WORDS[self._state])
        if self._state is not VehicleState.ALARM or self._alarm is None:
            return word
        age = self._context.formats.ago(self._alarm.at_ms)
        return tr("{word}: {what}, {age}", word=word, what=self._alarm.text, age=age)

    def _show_notes(self, disagreement: Disagreement | None) -> None:
        notes = [("warn", sentence) for sentence in mark_sentences(self._trackers[0].marks)]
        if disagreement is not None:
            apart = self._context.formats.distance(disagreement.apart_m / 1000)
            notes.insert(
                0,
                (
                    "warn",
                    tr(
                        "Two sources disagree: {one} and {other} place it {apart} apart. Shown is {one}.",
                        one=self._source_of(disagreement.one),
                        other=self._source_of(disagreement.other),
                        apart=apart,
                    ),
                ),
            )
        if notes == self._shown_notes:
            return
        self._shown_notes = notes
        clear_layout(self._notes)
        for _level, sentence in notes:
            self._notes.addWidget(Banner(self._context.theme, "warn", sentence))


def _joined(*parts: str | None) -> str | None:
    return ", ".join(part for part in parts if part) or None


class MarkerLabel(QWidget):
    """The marker of the chosen vehicle as it stands on the map."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self._state = VehicleState.UNKNOWN
        self._course: float | None = None
        self.setFixedSize(QSize(30, 30))

    def show_marker(self, state: VehicleState, course_deg: float | None) -> None:
        self._state, self._course = state, course_deg
        self.setAccessibleName(tr(WORDS[state]))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(self.width() / 2, self.height() / 2)
        draw_marker(painter, self._state, self._course, palette_for(self._context.theme.tokens["name"]))
