"""A day of one vehicle below the map: which day, what it drove, the replay and its speed graph."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
from PySide6.QtCore import QDate, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QDateEdit, QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget

from app.clock import from_ms, utc_now
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.map.palette import palette_for
from widgets.map.replay import SPEEDS, Replay
from widgets.map.speed_graph import SpeedGraph
from widgets.map.track import Moment, Track, day_range_ms
from widgets.primitives import IconButton, labelled, text_label

HEIGHT_PX = 214
SLIDER_STEP_MS = 1_000


class TrackPanel(QWidget):
    """``day_wanted`` asks for another day (key, date); ``moment_changed`` carries where the replay is, or None;
    ``raw_wanted`` the id of the position before that moment.
    """

    day_wanted = Signal(str, object)
    moment_changed = Signal(object)
    raw_wanted = Signal(object)
    closed = Signal()

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.key = ""
        self.track: Track | None = None
        self._span_ms = (0, 0)
        self.setProperty("surface", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT_PX)
        self.replay = Replay(self)
        theme = context.theme
        self.name = text_label("", "strong")
        self.facts = text_label("", "small")
        self.facts.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.day = QDateEdit()
        self.day.setCalendarPopup(True)
        self.day.setDisplayFormat("yyyy-MM-dd")
        self.zone = text_label("", "small")
        labelled(self.day, tr("Day of the track"))
        self.before = IconButton(theme, "chevron-left", tr("The day before"))
        self.after = IconButton(theme, "chevron-right", tr("The day after"))
        self.close_button = IconButton(theme, "x", tr("Close the track"))
        self.play = IconButton(theme, "play", tr("Play"), framed=True)
        self.raw = IconButton(theme, "file-text", tr("Raw frame of this moment"))
        self.pace = QComboBox()
        labelled(self.pace, tr("Speed of the replay"))
        for speed in SPEEDS:
            self.pace.addItem(f"× {speed}", speed)
        self.pace.setCurrentIndex(SPEEDS.index(self.replay.speed))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        labelled(self.slider, tr("Time of the replay"))
        self.now = text_label("", "")
        self.now.setMinimumWidth(170)
        self.graph = SpeedGraph()
        self.message = text_label("", "muted", wrap=True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._of_replay = (self.graph, self.play, self.pace, self.slider, self.now, self.raw)
        self._lay_out()
        self._connect()
        self.restyle()
        self.hide()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 10, 6)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.name)
        head.addWidget(self.facts, 1)
        for widget in (self.before, self.day, self.zone, self.after, self.close_button):
            head.addWidget(widget)
        column.addLayout(head)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.play)
        bar.addWidget(self.pace)
        bar.addWidget(self.slider, 1)
        bar.addWidget(self.now)
        bar.addWidget(self.raw)
        column.addLayout(bar)
        column.addWidget(self.graph, 1)
        column.addWidget(self.message, 1)

    def _connect(self) -> None:
        self.day.dateChanged.connect(lambda _day: self.day_wanted.emit(self.key, self.shown_day))
        self.before.clicked.connect(lambda: self.day.setDate(self.day.date().addDays(-1)))
        self.after.clicked.connect(lambda: self.day.setDate(self.day.date().addDays(1)))
        self.close_button.clicked.connect(self.closed)
        self.play.clicked.connect(self.replay.toggle)
        self.raw.clicked.connect(self._on_raw_clicked)
        self.pace.currentIndexChanged.connect(lambda _at: setattr(self.replay, "speed", self.pace.currentData()))
        self.slider.valueChanged.connect(lambda step: self.replay.set_time(self._span_ms[0] + step * SLIDER_STEP_MS))
        self.graph.cursor_moved.connect(self.replay.set_time)
        self.replay.moved.connect(self._on_moved)
        self.replay.playing_changed.connect(self._on_playing_changed)
        self._context.formats.changed.connect(self._show_facts)
        self._context.theme.changed.connect(self.restyle)

    @property
    def shown_day(self) -> date:
        chosen = self.day.date()
        return date(chosen.year(), chosen.month(), chosen.day())

    def today(self) -> date:
        """Today in the zone times are shown in."""
        return utc_now().astimezone(self._context.formats.zone).date()

    def open_day(self, key: str, name: str, day: date) -> None:
        """Show the panel for a subject and a day, waiting for its track."""
        self.key = key
        self.name.setText(name)
        with QSignalBlocker(self.day):
            self.day.setMaximumDate(_qdate(self.today()))
            self.day.setDate(_qdate(day))
        self.after.setEnabled(day < self.today())
        self.track = None
        self._show_message(tr("Reading the track…"))
        self.show()

    def show_track(self, track: Track, *, keep_time: bool = False) -> None:
        """Show what was read; ``keep_time`` leaves the replay where it is (the day is still being driven)."""
        self.track = track
        self._show_facts()
        if len(track) == 0:
            self.replay.pause()
            self.moment_changed.emit(None)
            self._show_message(tr("No positions on this day. Choose another day with the arrows or the calendar."))
            return
        at_ms = self.replay.now_ms
        start, end = self._show_span(track)
        self.graph.show_track(track, is_imperial=self._context.preferences.choices.units == "imperial")
        for widget in self._of_replay:
            widget.show()
        self.message.hide()
        if keep_time and start <= at_ms <= end:
            self.replay.set_time(at_ms)

    def _show_span(self, track: Track) -> tuple[int, int]:
        """The stretch from the first to the last fix; doubtful times may lie outside and are kept within the day."""
        day_start, day_end = day_range_ms(self.shown_day, self._context.formats.zone)
        times = np.clip(track.fixed_at_ms, day_start, day_end)
        self._span_ms = (int(times.min()), int(times.max()))
        was_playing = self.replay.is_playing
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(1, (self._span_ms[1] - self._span_ms[0]) // SLIDER_STEP_MS))
            self.slider.setPageStep(600)
        self.replay.set_range(*self._span_ms)
        if was_playing:
            self.replay.play()
        self.graph.set_span(*self._span_ms, self._context.formats.zone)
        return self._span_ms

    def close_panel(self) -> None:
        self.replay.pause()
        self._context.formats.changed.disconnect(self._show_facts)
        self._context.theme.changed.disconnect(self.restyle)

    def restyle(self) -> None:
        tokens = self._context.theme.tokens
        self.graph.set_palette(palette_for(tokens["name"]), tokens["card"])
        arrow = f"theme:{tokens['name']}/chevron-down.svg"
        self.day.setStyleSheet(
            "QDateEdit::drop-down { border: none; width: 24px; subcontrol-position: center right; margin: 0; }"
            f"QDateEdit::down-arrow {{ image: url({arrow}); width: 14px; height: 14px; }}"
        )

    def _show_message(self, text: str) -> None:
        self.message.setText(text)
        self.message.show()
        for widget in self._of_replay:
            widget.hide()

    def _show_facts(self) -> None:
        formats = self._context.formats
        start_ms, _end_ms = day_range_ms(self.shown_day, formats.zone)
        self.zone.setText(formats.zone_name(from_ms(start_ms)))
        if self.track is None:
            self.facts.setText("")
            return
        self.facts.setText(describe_track(self.track, self._context))
        self.facts.setToolTip(
            tr("Doubtful positions are shown hollow. They, and gaps, are left out of distance and driving.")
        )
        if len(self.track):
            self.graph.set_span(*self._span_ms, formats.zone)
            self._on_moved(self.replay.now_ms)

    def _on_moved(self, at_ms: int) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue((at_ms - self._span_ms[0]) // SLIDER_STEP_MS)
        self.graph.set_cursor(at_ms)
        moment = self.track.moment(at_ms) if self.track is not None else None
        self.now.setText(self._describe_moment(at_ms, moment))
        self.moment_changed.emit(moment)

    def _describe_moment(self, at_ms: int, moment: Moment | None) -> str:
        formats = self._context.formats
        local: datetime = from_ms(at_ms).astimezone(formats.zone)
        clock = f"{local:%H:%M:%S} {formats.zone_name(local)}"
        if moment is None:
            return clock
        return f"{clock}   {tr('no positions') if moment.is_gap else formats.speed(moment.speed_km_h)}"

    def _on_raw_clicked(self) -> None:
        moment = self.track.moment(self.replay.now_ms) if self.track is not None else None
        if self.track is not None and moment is not None:
            self.raw_wanted.emit(int(self.track.id[moment.fix]))

    def _on_playing_changed(self, is_playing: bool) -> None:
        self.play.set_icon("pause" if is_playing else "play")
        self.play.set_name(tr("Pause") if is_playing else tr("Play"))


def describe_track(track: Track, context: ConsoleContext) -> str:
    """One line: distance, driving time, fixes, gaps, and what was left out."""
    formats = context.formats
    parts = [trn("{count} position", "{count} positions", len(track))]
    if len(track.counted):
        parts.insert(0, formats.distance(track.distance_km))
        parts.insert(1, tr("{span} driving", span=formats.span(track.driving_ms / 1000)))
    gaps = int(track.is_gap.sum()) if len(track.counted) > 1 else 0
    if gaps:
        parts.append(trn("{count} gap", "{count} gaps", gaps))
    doubtful = int((~track.is_counted).sum())
    if doubtful:
        parts.append(trn("{count} doubtful", "{count} doubtful", doubtful))
    return "  ·  ".join(parts)


def _qdate(day: date) -> QDate:
    return QDate(day.year, day.month, day.day)
