"""The live map: vehicles on the map, the list beside it, the chosen one's details, its track and replay."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from resources import resource_path
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map import live
from widgets.map.alarm_marks import AlarmMarks
from widgets.map.atlas import DRAWN_STATES
from widgets.map.base_data import load_base_data
from widgets.map.day_track import DayTrack
from widgets.map.events import EventsItem
from widgets.map.fleet import Fleet
from widgets.map.fleet_reader import FleetReader
from widgets.map.geofences import FencesItem
from widgets.map.layers import UserLayers
from widgets.map.live import Tracked
from widgets.map.map_view import ZOOM_STEP, MapView
from widgets.map.overlays import MapButtons, NothingYet
from widgets.map.palette import palette_for
from widgets.map.place_item import PlaceItem
from widgets.map.raw_inspector import FrameWindows
from widgets.map.states import WORDS, VehicleState
from widgets.map.vehicle_card import VehicleCard
from widgets.map.vehicle_list import VehicleList
from widgets.page import Page
from widgets.primitives import text_label

LIST_WIDTH_PX = 276
GAP_PX = 12
CENTRED_M_PX = 240.0  # how close the map comes when a vehicle is picked from the list
EVENTS_BACK_MS = 24 * 3_600_000


@dataclass
class Shown:
    """What is drawn besides the vehicles; kept from one start to the next."""

    names: bool = True
    rivers: bool = True
    state_borders: bool = True
    fences: bool = True
    events: bool = True


class MapPage(Page):
    """Vehicles on the map, the list beside it, details, tracks and replay."""

    key = "map"
    title = "Live map"
    icon = "map"
    topics = frozenset(
        {
            "positions",
            "devices",
            "device_states",
            "vehicles",
            "events",
            "geofences",
            "alarms",
            "integrations",
            "integration_states",
        }
    )

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        palette = palette_for(context.theme.tokens["name"])
        self.fleet = Fleet()
        self.selected = ""
        self.shown = Shown()
        self.now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        self.frames = FrameWindows(context, self)
        self.list = VehicleList(context, self.fleet)
        self.map = MapView(load_base_data(resource_path("mapdata")), palette)
        self.fences = FencesItem(self.map.sprites, palette)
        self.events, self.place = EventsItem(palette), PlaceItem(palette)
        for item in (self.fences, self.events, self.place):
            self.map.add_item(item)
        self.day = DayTrack(self, self.map, palette, self._tracked)
        self.tracks = self.day.panel
        self.buttons = MapButtons(context, self.map)
        self.nothing = NothingYet(context, self.map)
        self.card = VehicleCard(context, self.map)
        self.layers = UserLayers(self.map.base, self.map.sprites, self._on_layers_changed)
        self._fitted_count = 0
        self._fits_itself = True  # until the operator chooses what to look at
        self.alarms = AlarmMarks(self.fleet)
        self.reader = FleetReader(context.bridge, self.fleet)
        self._is_list_due = False
        self._layers_to_restore: list[dict[str, Any]] = []
        self._lay_out()
        self._connect()
        context.ui_state.register("map", self._take_state, self._give_state)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        side = QWidget()
        side.setProperty("surface", "card")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        side.setFixedWidth(LIST_WIDTH_PX)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 14, 0, 0)
        column.setSpacing(0)
        heading = text_label(tr("Live map"), "title")
        heading.setContentsMargins(14, 0, 14, 0)
        column.addWidget(heading)
        column.addWidget(self.list, 1)
        row.addWidget(side)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.map, 1)
        right.addWidget(self.tracks)
        row.addLayout(right, 1)

    def _connect(self) -> None:
        self.list.picked.connect(self._on_picked)
        self.map.vehicle_clicked.connect(lambda row: self.select(self.fleet.subjects[row]))
        self.map.map_clicked.connect(self._on_map_clicked)
        self.map.moved_by_hand.connect(lambda: self.card.follow.setChecked(False))
        self.map.steered.connect(self._on_steered)
        self.map.on_fit = self.fit_fleet
        self.map.describe = self._describe
        self.buttons.zoomed.connect(lambda closer: self.map.zoom(ZOOM_STEP if closer else 1 / ZOOM_STEP))
        self.buttons.fit_wanted.connect(self.fit_fleet)
        self.buttons.layers_wanted.connect(lambda: self.spawn(self.choose_layers(), "layers"))
        self.card.closed.connect(lambda: self.select(""))
        self.card.follow_toggled.connect(self._on_follow_toggled)
        self.card.track_wanted.connect(self.day.open_today)
        self.card.raw_wanted.connect(self.show_raw_position)
        self.card.tracker_wanted.connect(lambda imei: self.context.open_page("trackers", imei=imei))
        self.tracks.raw_wanted.connect(self.show_raw_position)
        self.context.theme.changed.connect(self._on_theme_changed)
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.preferences.changed.connect(self._on_preferences_changed)
        for keys, act in (("Escape", self._on_escape), ("Ctrl+F", self.list.search.setFocus)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)
        self._on_preferences_changed()

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:
        read = self.context.bridge.read
        if self._layers_to_restore:
            saved, self._layers_to_restore = self._layers_to_restore, []
            await self.layers.restore(saved)
        if topics & {"devices", "vehicles", "integrations"}:
            await self._load_fleet()
        if "positions" in topics:
            self._is_list_due |= await self.reader.read_positions()
        if "geofences" in topics:
            self.fences.set_fences(await read(live.read_fences))
        if "events" in topics:
            since_ms = self.now_ms() - EVENTS_BACK_MS
            marks, self.alarms.cries = await read(partial(live.read_events, since_ms=since_ms))
            self.events.set_events(marks)
        if topics & {"events", "alarms", "devices"}:
            self.alarms.standing = await read(partial(live.read_standing, now_ms=self.now_ms()))
            self.alarms.show(self.now_ms())
        if "device_states" in topics and await self.reader.read_heard() and self.selected:
            await self._read_chosen()
        if not self.fleet.subjects:
            self.nothing.show_next_step(await read(live.read_sources))
        self._show_fleet()

    async def _load_fleet(self) -> None:
        await self.reader.load(self.now_ms())
        # What is painted or clicked next must not name rows of the fleet that was.
        self.card.integrations = self.list.model.integrations = self.reader.integrations
        self.list.model.arrange()
        self.map.markers.set_vehicles(self.fleet.drawn, self.fleet.row_of(self.selected))
        await self.reader.read_positions()
        self._is_list_due = True

    async def _read_chosen(self) -> None:
        await self.reader.read_subject(self.selected, self.now_ms())
        if self.selected:
            self._show_card()

    # What is shown

    def _show_fleet(self) -> None:
        self.fleet.tick(self.now_ms())
        self.map.markers.set_vehicles(self.fleet.drawn, self.fleet.row_of(self.selected))
        self.nothing.setVisible(not self.fleet.subjects)
        if len(self.fleet.subjects) < 500:
            self._show_list()
        self._fit_newcomers()
        if self.selected:
            self._show_card()
            if self.card.follow.isChecked():
                self._centre(self.selected)
        self._place_overlays()

    def _fit_newcomers(self) -> None:
        """After a start vehicles report one by one: the map widens until all are on it, or the operator takes over."""
        count = int((self.fleet.state < len(DRAWN_STATES)).sum())
        if self._fits_itself and count > self._fitted_count:
            self._fitted_count = count
            self.fit_fleet()

    def _show_list(self) -> None:
        if self._is_list_due and not self.list.view.underMouse():
            self._is_list_due = False
            self.list.model.disagreeing = self.fleet.disagreeing()
            self.list.show_fleet()
            self.list.select(self.selected, scroll=False)
        self.list.view.viewport().update()

    def _show_card(self) -> None:
        trackers = self.fleet.trackers_of(self.selected)
        if not trackers:
            self.select("")
            return
        state = VehicleState(self.fleet.state[self.fleet.row_of(self.selected)])
        alarm, disagreement = self.alarms.of(trackers), self.fleet.disagreement(self.selected)
        self.card.show_subject(self.selected, trackers, state, disagreement, alarm)

    def select(self, key: str, *, centre: bool = False) -> None:
        """Choose a subject ("" for none): its details open, its marker is ringed."""
        if key != self.selected:
            self.card.follow.setChecked(False)
        self.selected = key if self.fleet.row_of(key) >= 0 else ""
        self.map.covered_px = self.card.width() + GAP_PX if self.selected else 0
        self.map.markers.set_vehicles(self.fleet.drawn, self.fleet.row_of(self.selected))
        self.list.select(self.selected)
        if not self.selected:
            self.card.hide()
            return
        self._show_card()
        self.spawn(self._read_chosen(), "details")
        self._place_overlays()
        self._fits_itself = False
        if centre:
            self._centre(self.selected, CENTRED_M_PX)

    def _centre(self, key: str, at_most_m_px: float | None = None) -> None:
        row, drawn = self.fleet.row_of(key), self.fleet.drawn
        if row < 0 or drawn.state[row] >= len(DRAWN_STATES):
            return
        metres = self.map.viewport().metres_per_px
        self.map.look_at(float(drawn.x[row]), float(drawn.y[row]), min(metres, at_most_m_px or metres))

    def fit_fleet(self) -> None:
        """Show every vehicle that has a position, or the whole country while none has."""
        drawn = self.fleet.drawn
        there = drawn.state < len(DRAWN_STATES)
        if not there.any():
            self.map.fit_home()
            return
        x, y = drawn.x[there], drawn.y[there]
        self.map.fit((float(x.min()), float(y.min()), float(x.max()), float(y.max())))

    def show_part(self, part: str, is_on: bool) -> None:
        """Switch one of :class:`Shown` on or off."""
        setattr(self.shown, part, is_on)
        if part == "fences":
            self.fences.setVisible(is_on)
        elif part == "events":
            self.events.setVisible(is_on)
        else:
            setattr(self.map.base.options, part, is_on)
            self.map.base.redraw()

    # Tracks and bytes

    def _tracked(self, key: str) -> Tracked | None:
        trackers = self.fleet.trackers_of(key)
        return Tracked(trackers[0].label, trackers[0].key, trackers[0].vehicle_id) if trackers else None

    def show_raw_position(self, position_id: int | None) -> None:
        """Open the bytes behind a position beside the map."""
        if position_id is not None:
            name = self.fleet.labels[self.fleet.row_of(self.selected)] if self.selected else self.tracks.name.text()
            title = tr("Position {id} of {name}", id=position_id, name=name)
            self.spawn(self.frames.show(partial(live.read_frame, title=title, position_id=position_id)), "raw frame")

    # What the operator does

    def show_item(self, **arguments: Any) -> None:
        """``open_page("map", plate=… | imei=… | vehicle_id=… | device=… | source=… | place=(lat, lon), name=…)``."""
        if source := arguments.get("source"):
            self.select("")
            self.list.search.setText(str(source))
        elif place := arguments.get("place"):
            self.select("")
            self._on_steered()
            self.map.fit(self.place.set_place(place, str(arguments.get("name", ""))))
        else:
            self.spawn(self._find_and_select([str(value) for value in arguments.values()]), "find")

    async def _find_and_select(self, names: list[str]) -> None:
        if not self.fleet.subjects:
            await self._load_fleet()
        key = next((found for name in names if (found := self.fleet.find(name))), None)
        if key is None:
            self.context.notify("warn", tr("{name} is not on the map.", name=", ".join(names)))
            return
        self._fits_itself = False
        self._show_fleet()
        self.select(key, centre=True)

    async def choose_layers(self) -> None:
        """Ask which layers are shown."""
        await self.context.doors.dialogs["map_layers"](self.context, self)

    def close_page(self) -> None:
        self.context.ui_state.unregister("map")
        self.context.theme.changed.disconnect(self._on_theme_changed)
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.preferences.changed.disconnect(self._on_preferences_changed)
        self.frames.close()
        self.list.close_list()
        self.card.close_card()
        self.tracks.close_panel()
        self.layers.close()
        self.map.close_map()
        super().close_page()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_overlays()

    def _place_overlays(self) -> None:
        self.buttons.move(GAP_PX, GAP_PX)
        width, height = self.map.width(), self.map.height()
        self.nothing.move((width - self.nothing.width()) // 2, (height - self.nothing.height()) // 2)
        self.card.fit_height(height - 2 * GAP_PX - self.map.credit.height())
        self.card.move(width - self.card.width() - GAP_PX, GAP_PX)

    def _describe(self, row: int | None, px: float, py: float) -> str:
        """The tool tip of what is under the mouse."""
        formats = self.context.formats
        if row is not None:
            state = VehicleState(self.fleet.state[row])
            age = formats.ago(int(self.fleet.fixed_at_ms[row]))
            return f"{self.fleet.labels[row]}\n{tr(WORDS[state])}, {age}"
        event = self.events.hit(px, py)
        if event is not None:
            return f"{event.name}: {event.text}\n{formats.time(event.occurred_at_ms)}"
        fix = self.day.item.hit(px, py) if self.tracks.track is not None else None
        if fix is not None and self.tracks.track is not None:
            speed = formats.speed(float(self.tracks.track.speed_km_h[fix]))
            return f"{formats.time(int(self.tracks.track.fixed_at_ms[fix]))}\n{speed}"
        return ""

    def _on_picked(self, key: str) -> None:
        self.select(key, centre=True)

    def _on_map_clicked(self, px: float, py: float) -> None:
        event = self.events.hit(px, py)
        track = self.tracks.track
        fix = self.day.item.hit(px, py)
        if event is not None:
            title = f"{event.name}: {event.text}"
            query = partial(live.read_frame, title=title, event_id=event.event_id)
            self.spawn(self.frames.show(query, otherwise=title), "raw frame")
        elif fix is not None and track is not None:
            if track.is_counted[fix]:
                self.tracks.replay.set_time(int(track.fixed_at_ms[fix]))
            else:
                self.show_raw_position(int(track.id[fix]))
        else:
            self.select("")

    def _on_steered(self) -> None:
        self._fits_itself = False

    def _on_follow_toggled(self, is_on: bool) -> None:
        if is_on:
            self._centre(self.selected, CENTRED_M_PX)

    def _on_escape(self) -> None:
        if self.selected:
            self.select("")
        elif self.day.is_open:
            self.day.close()

    def _on_ticked(self) -> None:
        """Ages grow and states change without anything arriving."""
        if not self.isVisible():
            return
        self.alarms.tick(self.now_ms())
        if self.fleet.tick(self.now_ms()):
            self._is_list_due = True
            self.map.markers.set_vehicles(self.fleet.drawn, self.fleet.row_of(self.selected))
            if self.selected:
                self._show_card()
        self._show_list()
        self.day.tick()

    def _on_theme_changed(self) -> None:
        palette = palette_for(self.context.theme.tokens["name"])
        self.map.set_palette(palette)
        for item in (self.fences, self.day.item, self.events, self.place):
            item.set_palette(palette)
        self.card.restyle()

    def _on_preferences_changed(self) -> None:
        self.map.scale_bar.is_imperial = self.context.preferences.choices.units == "imperial"
        self.map.scale_bar.show_scale(self.map.viewport())

    def _on_layers_changed(self) -> None:
        self.map.set_credit(self.layers.attributions())
        self.map.base.redraw()

    def _take_state(self) -> dict[str, Any]:
        return {"shown": vars(self.shown), "layers": self._layers_to_restore or self.layers.saved()}

    def _give_state(self, saved: dict[str, Any]) -> None:
        for part, is_on in saved.get("shown", {}).items():
            if hasattr(self.shown, part) and isinstance(is_on, bool):
                self.show_part(part, is_on)
        self._layers_to_restore = [entry for entry in saved.get("layers", []) if isinstance(entry, dict)]
