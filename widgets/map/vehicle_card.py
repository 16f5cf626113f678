"""What is known of the chosen vehicle, and what can be done with it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.fleet.listing import DeviceListing
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map.atlas import draw_marker
from widgets.map.card import MapCard, Note, joined
from widgets.map.events import Alarm
from widgets.map.fleet import Disagreement
from widgets.map.palette import palette_for
from widgets.map.states import LEVELS, MEANINGS, STANDING_KM_H, WORDS, VehicleState
from widgets.map.words import POWER_WORDS, SIGNAL_WORDS, level_word, mark_sentences
from widgets.primitives import outline_button

ROWS = (
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


class VehicleCard(MapCard):
    """``raw_wanted`` carries a position id, ``tracker_wanted`` an IMEI or unique id."""

    raw_wanted = Signal(object)
    tracker_wanted = Signal(str)

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, ROWS, parent)
        self.integrations: dict[str, str] = {}  # names by id
        self._trackers: list[DeviceListing] = []
        self._state = VehicleState.UNKNOWN
        self._alarm: Alarm | None = None
        self.raw = outline_button(context.theme, tr("Raw frame"), "file-text", small=True)
        self.tracker = outline_button(context.theme, tr("Tracker"), "satellite-dish", small=True)
        self.add_button(self.raw)
        self.add_button(self.tracker)
        self.raw.clicked.connect(lambda: self.raw_wanted.emit(self._trackers[0].position_id))
        self.tracker.clicked.connect(lambda: self.tracker_wanted.emit(self._trackers[0].unique_id))

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
        self.show_facts()
        self.set_notes(self._notes_on(disagreement))
        self.show()

    def show_facts(self) -> None:
        if not self._trackers:
            return
        lead, formats = self._trackers[0], self._context.formats
        is_moving = (lead.speed_km_h or 0.0) > STANDING_KM_H
        palette = palette_for(self._context.theme.tokens["name"])
        course_deg = lead.course_deg if is_moving else None
        draw = partial(draw_marker, state=self._state, course_deg=course_deg, palette=palette)
        self.marker.show_marker(tr(WORDS[self._state]), draw)
        subtitle = lead.name if lead.name != lead.label else ""
        self.set_head(lead.label, subtitle, LEVELS[self._state], tr(MEANINGS[self._state]))
        power = level_word(POWER_WORDS, lead.power_level)
        volts = f"{lead.battery_v:.1f} V" if lead.battery_v is not None else None
        percent = tr("{n} %", n=lead.battery_percent) if lead.battery_percent is not None else None
        charging = tr("charging") if lead.charging else None
        self.set_fact("speed", formats.speed(lead.speed_km_h) if lead.fixed_at_ms else None)
        self.set_fact("heading", formats.course(lead.course_deg) if lead.fixed_at_ms and is_moving else None)
        self.set_fact("fixed", formats.time(lead.fixed_at_ms) if lead.fixed_at_ms else None)
        place = f"{lead.lat:.5f}, {lead.lon:.5f}" if lead.lat is not None and lead.lon is not None else None
        self.set_fact("place", place)
        self.set_fact("source", self._source_of(lead))
        self.set_fact("device", lead.unique_id if not lead.source else f"{lead.unique_id} ({lead.source})")
        satellites = tr("{n} satellites", n=lead.satellites) if lead.satellites is not None else None
        self.set_fact("signal", joined(level_word(SIGNAL_WORDS, lead.gsm_level), satellites))
        self.set_fact("battery", joined(power, percent, volts, charging))
        self.set_fact("ignition", None if lead.ignition is None else tr("on") if lead.ignition else tr("off"))
        self.raw.setEnabled(lead.position_id is not None)
        self.follow.setEnabled(lead.fixed_at_ms is not None)
        self.show_ages()

    def _source_of(self, tracker: DeviceListing) -> str:
        return self.integrations.get(tracker.integration_id) or tracker.source

    def show_ages(self) -> None:
        if self._trackers:
            lead, formats = self._trackers[0], self._context.formats
            self.set_fact("age", formats.ago(lead.fixed_at_ms) if lead.fixed_at_ms else None)
            heard = max((tracker.last_seen_ms or 0 for tracker in self._trackers), default=0)
            self.set_fact("heard", formats.ago(heard) if heard else None)
            self.state_word.setText(self._state_sentence())

    def _state_sentence(self) -> str:
        """The state's word; of an alarm also what it is and how old."""
        word = tr(WORDS[self._state])
        if self._state is not VehicleState.ALARM or self._alarm is None:
            return word
        age = self._context.formats.ago(self._alarm.at_ms)
        return tr("{word}: {what}, {age}", word=word, what=self._alarm.text, age=age)

    def _notes_on(self, disagreement: Disagreement | None) -> list[Note]:
        notes: list[Note] = [("warn", sentence) for sentence in mark_sentences(self._trackers[0].marks)]
        if disagreement is not None:
            apart = self._context.formats.distance(disagreement.apart_m / 1000)
            sentence = tr(
                "Two sources disagree: {one} and {other} place it {apart} apart. Shown is {one}.",
                one=self._source_of(disagreement.one),
                other=self._source_of(disagreement.other),
                apart=apart,
            )
            notes.insert(0, ("warn", sentence))
        return notes
