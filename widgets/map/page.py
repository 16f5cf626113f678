"""The live map: vehicles and drivers on it, the lists beside it, the chosen one's details, its track and replay."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.deliveries.whereabouts import phone_facts
from resources import resource_path
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map import live
from widgets.map.alarm_marks import AlarmMarks
from widgets.map.atlas import DRAWN_STATES
from widgets.map.base_data import load_base_data
from widgets.map.card import MapCard
from widgets.map.day_track import DayTrack
from widgets.map.driver_card import DriverCard
from widgets.map.drivers import Drivers
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
from widgets.map.pointing import Pointing
from widgets.map.projection import FloatArray
from widgets.map.raw_inspector import FrameWindows
from widgets.map.side_list import SideList
from widgets.map.states import VehicleState
from widgets.map.vehicle_card import VehicleCard
from widgets.page import Page

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
    phones: bool = True


class MapPage(Page):
    """Vehicles and drivers on the map, the lists beside it, details, tracks and replay."""

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
            "drivers",
            "batches",
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
        self.drivers = Drivers(context.formats.clock)
        self.side = SideList(context, self.fleet, self.drivers)
        self.map = MapView(load_base_data(resource_path("mapdata")), palette)
        self.fences = FencesItem(self.map.sprites, palette)
        self.events, self.place = EventsItem(palette), PlaceItem(palette)
        for item in (self.fences, self.events, self.place):
            self.map.add_item(item)
        self.day = DayTrack(self, self.map, palette, self._tracked)
        self.tracks = self.day.panel
        self.buttons = MapButtons(context, self.map)
        self.nothing = NothingYet(context, self.map)
        self.card, self.driver_card = VehicleCard(context, self.map), DriverCard(context, self.map)
        self.layers = UserLayers(self.map.base, self.map.sprites, self._on_layers_changed)
        self._fitted_count = 0
        self._fits_itself = True  # until the operator chooses what to look at
        self.alarms = AlarmMarks(self.fleet)
        self.pointing = Pointing(self, self.fleet, self.side.drivers, self.events, self.day, self.frames)
        self.reader = FleetReader(context.bridge, self.fleet, self.drivers)
        self._is_list_due = False
        self._layers_to_restore: list[dict[str, Any]] = []
        self._lay_out()
        self._connect()
        context.ui_state.register("map", self._take_state, self._give_state)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.side)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.map, 1)
        right.addWidget(self.tracks)
        row.addLayout(right, 1)

    def _connect(self) -> None:
        self.side.picked.connect(lambda key: self.select(key, centre=True))
        self.map.vehicle_clicked.connect(lambda row: self.select(self.fleet.subjects[row]))
        self.map.phone_clicked.connect(lambda row: self.select(self.drivers.key_at(row)))
        self.map.map_clicked.connect(self._on_map_clicked)
        self.map.moved_by_hand.connect(self._stop_following)
        self.map.steered.connect(self._on_steered)
        self.map.on_fit = self.fit_fleet
        self.map.describe = self.pointing.tip
        self.buttons.zoomed.connect(lambda closer: self.map.zoom(ZOOM_STEP if closer else 1 / ZOOM_STEP))
        self.buttons.fit_wanted.connect(self.fit_fleet)
        self.buttons.layers_wanted.connect(lambda: self.spawn(self.choose_layers(), "layers"))
        for card in self.cards:
            card.closed.connect(lambda: self.select(""))
            card.follow_toggled.connect(self._on_follow_toggled)
            card.track_wanted.connect(self.day.open_today)
        self.driver_card.batch_wanted.connect(lambda batch_id: self.context.open_page("deliveries", batch_id=batch_id))
        self.driver_card.vehicle_wanted.connect(lambda key: self.select(key, centre=True))
        self.card.raw_wanted.connect(lambda position: self.pointing.show_bytes(position, self.card.name.text()))
        self.card.tracker_wanted.connect(lambda imei: self.context.open_page("trackers", imei=imei))
        self.tracks.raw_wanted.connect(lambda position: self.pointing.show_bytes(position, self.tracks.name.text()))
        self.context.theme.changed.connect(self._on_theme_changed)
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.preferences.changed.connect(self._on_preferences_changed)
        for keys, act in (("Escape", self._on_escape), ("Ctrl+F", self.side.search.setFocus)):
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
        if topics & {"drivers", "batches", "devices", "integrations"}:
            await self._load_drivers()
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
        if self._is_empty:
            self.nothing.show_next_step(await read(live.read_sources))
        self._show_fleet()

    async def _load_fleet(self) -> None:
        await self.reader.load(self.now_ms())
        # What is painted or clicked next must not name rows of the fleet that was.
        self.card.integrations = self.side.vehicles.model.integrations = self.reader.integrations
        self.side.vehicles.model.arrange()
        self._draw()
        await self.reader.read_positions()
        self._is_list_due = True

    async def _load_drivers(self) -> None:
        await self.reader.load_drivers(self.now_ms())
        self.drivers.compare(self.fleet, self.now_ms())
        self.side.show_drivers()
        self._draw()

    async def _read_chosen(self) -> None:
        """What is known of the chosen one besides its place."""
        key, row = self.selected, self.drivers.row_of(self.selected)
        await self.reader.read_subject(key, self.now_ms())
        device_key = self.drivers.now(row).device_key if row >= 0 else None
        if device_key is not None:
            facts = await self.context.bridge.read(partial(phone_facts, device_key=device_key))
            if self.selected == key:
                self.driver_card.show_phone(facts)
        if self.selected:
            self._show_card()

    # What is shown

    @property
    def cards(self) -> tuple[MapCard, MapCard]:
        return self.card, self.driver_card

    @property
    def _is_empty(self) -> bool:
        return not self.fleet.subjects and not self.drivers.has_places

    def _draw(self) -> None:
        self.map.markers.set_vehicles(self.fleet.drawn, self.fleet.row_of(self.selected))
        self.map.phones.set_vehicles(self.drivers.drawn, self.drivers.row_of(self.selected))

    def _show_fleet(self) -> None:
        now_ms = self.now_ms()
        self._is_list_due |= self.fleet.tick(now_ms) | self.drivers.tick(now_ms)
        self.drivers.compare(self.fleet, now_ms)
        self._draw()
        self.nothing.setVisible(self._is_empty)
        if len(self.fleet.subjects) < 500:
            self._show_list()
        self._fit_newcomers()
        if self.selected:
            self._show_card()
            if any(card.follow.isChecked() for card in self.cards):
                self._centre(self.selected)
        self._place_overlays()

    def _fit_newcomers(self) -> None:
        """After a start vehicles report one by one: the map widens until all are on it, or the operator takes over."""
        count = sum(len(x) for x, _y in self._places())
        if self._fits_itself and count > self._fitted_count:
            self._fitted_count = count
            self.fit_fleet()

    def _show_list(self) -> None:
        if self._is_list_due and not self.side.is_pointed_at:
            self._is_list_due = False
            self.side.vehicles.model.disagreeing = self.fleet.disagreeing()
            self.side.show_fleet()
            self.side.show_drivers()
            self.side.select(self.selected, scroll=False)
        self.side.redraw()

    def _show_card(self) -> None:
        """The chosen one's, and no other's."""
        trackers, row = self.fleet.trackers_of(self.selected), self.drivers.row_of(self.selected)
        if trackers:
            state = VehicleState(self.fleet.state[self.fleet.row_of(self.selected)])
            alarm, disagreement = self.alarms.of(trackers), self.fleet.disagreement(self.selected)
            self.card.show_subject(self.selected, trackers, state, disagreement, alarm)
        elif row >= 0:
            self.driver_card.show_driver(self.drivers, row, self.fleet, is_layer_on=self.shown.phones)
        else:
            self.select("")
            return
        (self.driver_card if trackers else self.card).hide()
        self._place_overlays()

    def select(self, key: str, *, centre: bool = False) -> None:
        """Choose a vehicle or a driver ("" for none): its details open, its marker is ringed."""
        if key != self.selected:
            self._stop_following()
        is_there = self.fleet.row_of(key) >= 0 or self.drivers.row_of(key) >= 0
        self.selected = key if is_there else ""
        self.map.covered_px = self.card.width() + GAP_PX if self.selected else 0
        self._draw()
        self.side.select(self.selected)
        if not self.selected:
            for card in self.cards:
                card.hide()
            return
        self._show_card()
        self.spawn(self._read_chosen(), "details")
        self._fits_itself = False
        if centre:
            self._centre(self.selected, CENTRED_M_PX)

    def _centre(self, key: str, at_most_m_px: float | None = None) -> None:
        for drawn, row in (
            (self.fleet.drawn, self.fleet.row_of(key)),
            (self.drivers.drawn, self.drivers.row_of(key)),
        ):
            if row >= 0 and drawn.state[row] < len(DRAWN_STATES):
                metres = self.map.viewport().metres_per_px
                self.map.look_at(float(drawn.x[row]), float(drawn.y[row]), min(metres, at_most_m_px or metres))

    def _places(self) -> list[tuple[FloatArray, FloatArray]]:
        """World metres of everybody who is on the map, by kind; drivers' phones while their layer is on."""
        kinds = (self.fleet.drawn, self.drivers.drawn) if self.shown.phones else (self.fleet.drawn,)
        there = [(drawn, drawn.state < len(DRAWN_STATES)) for drawn in kinds]
        return [(drawn.x[is_there], drawn.y[is_there]) for drawn, is_there in there]

    def fit_fleet(self) -> None:
        """Show everybody who has a position, or the whole country while nobody has."""
        x, y = (np.concatenate(axes) for axes in zip(*self._places(), strict=True))
        if not len(x):
            self.map.fit_home()
            return
        self.map.fit((float(x.min()), float(y.min()), float(x.max()), float(y.max())))

    def show_part(self, part: str, is_on: bool) -> None:
        """Switch one of :class:`Shown` on or off."""
        setattr(self.shown, part, is_on)
        if part == "fences":
            self.fences.setVisible(is_on)
        elif part == "events":
            self.events.setVisible(is_on)
        elif part == "phones":
            self.map.phones.setVisible(is_on)
            if self.drivers.row_of(self.selected) >= 0:
                self._show_card()
        else:
            setattr(self.map.base.options, part, is_on)
            self.map.base.redraw()

    def _tracked(self, key: str) -> Tracked | None:
        trackers, row = self.fleet.trackers_of(key), self.drivers.row_of(key)
        if trackers:
            return Tracked(trackers[0].label, trackers[0].key, trackers[0].vehicle_id)
        device_key = self.drivers.now(row).device_key if row >= 0 else None
        return None if device_key is None else Tracked(self.drivers.label(row), device_key, None)

    # What the operator does

    def show_item(self, **arguments: Any) -> None:
        """``open_page("map", plate=… | imei=… | vehicle_id=… | device=… | driver=… | source=… | place=(lat, lon),
        name=…)``.
        """
        if source := arguments.get("source"):
            self.select("")
            self.side.search.setText(str(source))
        elif place := arguments.get("place"):
            self.select("")
            self._on_steered()
            self.map.fit(self.place.set_place(place, str(arguments.get("name", ""))))
        else:
            self.spawn(self._find_and_select([str(value) for value in arguments.values()]), "find")

    async def _find_and_select(self, names: list[str]) -> None:
        if not self.fleet.subjects:
            await self._load_fleet()
        if not len(self.drivers):
            await self._load_drivers()
        key = next((found for name in names if (found := self.fleet.find(name) or self.drivers.find(name))), None)
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
        self.side.close_list()
        for card in self.cards:
            card.close_card()
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
        for card in self.cards:
            card.fit_height(height - 2 * GAP_PX - self.map.credit.height())
            card.move(width - card.width() - GAP_PX, GAP_PX)

    def _on_map_clicked(self, px: float, py: float) -> None:
        if not self.pointing.click(px, py):
            self.select("")

    def _on_steered(self) -> None:
        self._fits_itself = False

    def _stop_following(self) -> None:
        for card in self.cards:
            card.follow.setChecked(False)

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
        now_ms = self.now_ms()
        self.alarms.tick(now_ms)
        is_changed = self.fleet.tick(now_ms)
        if self.drivers.tick(now_ms) or is_changed:
            self._is_list_due = True
            self.drivers.compare(self.fleet, now_ms)
            self._draw()
            if self.selected:
                self._show_card()
        self._show_list()
        self.day.tick()

    def _on_theme_changed(self) -> None:
        palette = palette_for(self.context.theme.tokens["name"])
        self.map.set_palette(palette)
        for item in (self.fences, self.day.item, self.events, self.place):
            item.set_palette(palette)
        for card in self.cards:
            card.restyle()

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
