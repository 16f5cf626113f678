"""Everything about the chosen tracker, and what can be done with it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout

from app.fleet.listing import DeviceListing
from app.fleet.queries import EventListing
from app.fleet.registry import BLOCKED, WAITING
from resources.i18n import tr
from widgets.map.words import mark_sentences
from widgets.primitives import (
    Banner,
    IconButton,
    clear_layout,
    line,
    link_button,
    outline_button,
    primary_button,
    text_label,
)
from widgets.side_panel import Facts, SidePanel, section
from widgets.trackers import words
from widgets.trackers.reads import Assignment, Story
from widgets.trackers.tables import Reader

ACTS = ("adopt", "settings", "frame", "map", "events", "release", "block", "unblock", "forget")


class TrackerPanel(SidePanel):
    """``act_wanted`` carries one of :data:`ACTS` and the tracker."""

    act_wanted = Signal(str, object)

    def __init__(self, reader: Reader) -> None:
        theme = reader.context.theme
        super().__init__(theme, tr("Tracker"))
        self._reader = reader
        self._theme = theme
        self.row: DeviceListing | None = None
        self._story: Story | None = None
        self._notes_shown: list[str] = []
        self._notes = QVBoxLayout()
        self.facts = Facts(_LABELS)
        self.history = QVBoxLayout()
        self.events = QVBoxLayout()
        self.adopt = primary_button(theme, "")
        self.more = IconButton(theme, "ellipsis", tr("More acts"), framed=True)
        self.buttons = {
            "frame": outline_button(theme, tr("Last frame"), "file-text", small=True),
            "map": outline_button(theme, tr("On the map"), "map-pin", small=True),
        }
        self._fill()
        reader.context.formats.changed.connect(self._show)

    def _fill(self) -> None:
        for layout, gap in ((self._notes, 6), (self.history, 4), (self.events, 4)):
            layout.setSpacing(gap)
        self.column.addLayout(self._notes)
        self.column.addWidget(self.facts)
        self.column.addWidget(line())
        self.column.addWidget(section(tr("Vehicles")))
        self.column.addLayout(self.history)
        self.column.addWidget(line())
        self.column.addWidget(section(tr("Events of today")))
        self.column.addLayout(self.events)
        self.column.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(8)
        for act, button in self.buttons.items():
            button.clicked.connect(partial(self._want, act))
            row.addWidget(button)
        self.foot.addLayout(row)
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addWidget(self.adopt, 1)
        last.addWidget(self.more)
        self.foot.addLayout(last)
        self.adopt.clicked.connect(lambda: self._want("unblock" if self._is(BLOCKED) else "adopt"))
        self.more.clicked.connect(self._open_more)

    def show_tracker(self, row: DeviceListing) -> None:
        """Show a tracker; its story follows by :meth:`show_story`."""
        if self.row is None or self.row.key != row.key:
            self._show_lines(self.history, [])
            self._show_lines(self.events, [])
            self._story = None
            self.area.verticalScrollBar().setValue(0)
        self.row = row
        self._show()
        self.show()

    def show_story(self, story: Story) -> None:
        if story != self._story:
            self._story = story
            self._show_story()

    def tick(self) -> None:
        """Ages grow."""
        row = self.row
        if row is None:
            return
        formats, now_ms = self._reader.context.formats, self._reader.now_ms()
        level, word = words.state_pill(row, now_ms, formats)
        if (level, word) != (self.pill.level, self.pill.word):
            self.pill.set_state(level, word, words.state_tip(row, now_ms, formats))
        self.facts.show_fact("frame", words.last_frame(row, now_ms, formats), formats.time(row.last_seen_ms))
        self.facts.show_fact("fix", words.age(row.fixed_at_ms, now_ms, formats), formats.time(row.fixed_at_ms))

    def close_panel(self) -> None:
        self._reader.context.formats.changed.disconnect(self._show)

    def menu(self) -> QMenu:
        """Every act that this tracker allows, also for the table's context menu."""
        menu = QMenu(self)
        row = self.row
        if row is not None:
            for act, text, is_apart in acts_of(row):
                if is_apart:
                    menu.addSeparator()
                menu.addAction(text).triggered.connect(partial(self._want, act))
        return menu

    def _show(self) -> None:
        row = self.row
        if row is None:
            return
        formats = self._reader.context.formats
        self.show_head(row.label, row.unique_id if row.label != row.unique_id else "")
        show = self.facts.show_fact
        show("vehicle", row.vehicle or _without_vehicle(row))
        show("source", self._reader.source(row))
        for key, text in (("name", row.name), ("model", row.model), ("phone", row.phone), ("group", row.group)):
            show(key, text or None)
        has_fix = row.lat is not None and row.lon is not None
        show("speed", formats.speed(row.speed_km_h) if has_fix else None)
        show("place", f"{row.lat:.5f}, {row.lon:.5f}" if has_fix else tr("never located"))
        show("signal", words.signal(row) if row.gsm_level is not None else tr("unknown"), words.signal_tip(row))
        show("battery", _or_unknown(words.battery(row)), words.battery_tip(row))
        show("satellites", None if row.satellites is None else str(row.satellites))
        show("ignition", None if row.ignition is None else tr("on") if row.ignition else tr("off"))
        show("clock", _clock(row))
        show("first_seen", formats.time(row.first_seen_ms))
        show("frames", formats.number(row.frames))
        show("blocked_frames", formats.number(row.blocked_frames) if row.blocked_frames else None)
        self._show_notes(row)
        self._show_buttons(row, has_fix=has_fix)
        self.tick()
        self._show_story()

    def _show_buttons(self, row: DeviceListing, *, has_fix: bool) -> None:
        icon, text = _main_act(row)
        self.adopt.setText(text)
        self._theme.follow(self.adopt, icon, "on_primary", 16)
        self.buttons["frame"].setEnabled(row.raw_frame_id is not None)
        on_map = has_fix and row.state not in {WAITING, BLOCKED}
        self.buttons["map"].setEnabled(on_map)
        self.buttons["map"].setToolTip("" if on_map else tr("Only trackers that are known and located are on the map."))

    def _show_notes(self, row: DeviceListing) -> None:
        notes = [words.clock_tip(row), *mark_sentences(row.marks)]
        if not row.visible:
            notes.append(tr("Its server no longer lists it."))
        notes = [note for note in notes if note]
        if notes == self._notes_shown:
            return
        self._notes_shown = notes
        clear_layout(self._notes)
        for note in notes:
            button = None
            if note == words.clock_tip(row):
                button = link_button(self._theme, tr("Correct…"), small=True)
                button.clicked.connect(partial(self._want, "settings"))
            self._notes.addWidget(Banner(self._theme, "warn", note, button))

    def _show_story(self) -> None:
        story = self._story
        if story is None:
            return
        formats = self._reader.context.formats
        history = [self._assignment(entry) for entry in story.assignments] or [tr("It was never on a vehicle.")]
        self._show_lines(self.history, history)
        events = [f"{formats.clock(event.occurred_at_ms)}  {_event(event)}" for event in story.events]
        self._show_lines(self.events, events or [tr("None.")])
        if events:
            self.events.addWidget(self._link(tr("Show them in Activity"), "events"))

    def _assignment(self, entry: Assignment) -> str:
        formats = self._reader.context.formats
        begin = tr("from its first frame") if entry.from_ms is None else tr("from {t}", t=formats.clock(entry.from_ms))
        end = tr("until now") if entry.to_ms is None else tr("to {t}", t=formats.clock(entry.to_ms))
        return f"{entry.plate}  {begin} {end}"

    def _show_lines(self, layout: QVBoxLayout, texts: list[str]) -> None:
        clear_layout(layout)
        for text in texts:
            layout.addWidget(text_label(text, "small", wrap=True, selectable=True))

    def _link(self, text: str, act: str) -> QPushButton:
        button = link_button(self._theme, text, small=True)
        button.clicked.connect(partial(self._want, act))
        return button

    def _open_more(self) -> None:
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.more.mapToGlobal(self.more.rect().topLeft()))

    def _is(self, state: str) -> bool:
        return self.row is not None and self.row.state == state

    def _want(self, act: str, *_checked: object) -> None:
        if self.row is not None:
            self.act_wanted.emit(act, self.row)


def acts_of(row: DeviceListing) -> list[tuple[str, str, bool]]:
    """(act, words, whether a line divides it from what is above) for one tracker."""
    acts = [] if row.state == BLOCKED else [("adopt", _main_act(row)[1], False)]
    if row.vehicle_id is not None:
        acts.append(("release", tr("Take off its vehicle…"), False))
    acts.append(("settings", tr("Name and clock…"), False))
    acts.append(("frame", tr("Last frame, decoded"), True))
    acts.append(("events", tr("Events in Activity"), False))
    if row.state == WAITING:
        acts.append(("forget", tr("Forget…"), True))
    if row.state == BLOCKED:
        acts.append(("unblock", tr("Unblock"), True))
    else:
        acts.append(("block", tr("Block…"), row.state != WAITING))
    return acts


def _main_act(row: DeviceListing) -> tuple[str, str]:
    """Icon and words of the one main act."""
    if row.state == BLOCKED:
        return "lock-open", tr("Unblock")
    if row.vehicle_id is not None:
        return "arrow-left-right", tr("Move to another vehicle…")
    return "truck", tr("Adopt to a vehicle…")


def _without_vehicle(row: DeviceListing) -> str:
    if row.state == WAITING:
        return tr("none: it waits to be adopted")
    return tr("none: blocked") if row.state == BLOCKED else tr("none")


def _clock(row: DeviceListing) -> str:
    if row.clock_offset_s is None:
        return tr("as it declares, else UTC")
    return tr("keeps {zone}", zone=words.zone_text(row.clock_offset_s))


def _event(event: EventListing) -> str:
    return event.text or event.kind.replace("_", " ")


def _or_unknown(text: str) -> str:
    return tr("unknown") if text == "–" else text


_LABELS = (
    ("vehicle", tr("Vehicle")),
    ("source", tr("Source")),
    ("name", tr("Name")),
    ("model", tr("Model")),
    ("phone", tr("Phone")),
    ("group", tr("Group")),
    ("frame", tr("Last frame")),
    ("fix", tr("Last fix")),
    ("speed", tr("Speed")),
    ("place", tr("Position")),
    ("signal", tr("Signal")),
    ("battery", tr("Battery")),
    ("satellites", tr("Satellites")),
    ("ignition", tr("Ignition")),
    ("clock", tr("Clock")),
    ("first_seen", tr("First seen")),
    ("frames", tr("Frames")),
    ("blocked_frames", tr("Refused")),
)
