"""What is said of what lies under the mouse on the map, and what a click on it opens."""

from __future__ import annotations

from functools import partial

from resources.i18n import tr
from widgets.map import live
from widgets.map.day_track import DayTrack
from widgets.map.driver_list import DriverList
from widgets.map.events import EventsItem
from widgets.map.fleet import Fleet
from widgets.map.map_view import Under
from widgets.map.raw_inspector import FrameWindows
from widgets.map.states import WORDS, VehicleState
from widgets.page import Page


class Pointing:
    """Vehicles and drivers before events, events before fixes of the day's track."""

    def __init__(
        self, page: Page, fleet: Fleet, drivers: DriverList, events: EventsItem, day: DayTrack, frames: FrameWindows
    ) -> None:
        self._page = page
        self._fleet = fleet
        self._drivers = drivers
        self._events = events
        self._day = day
        self._frames = frames

    def tip(self, under: Under) -> str:
        """The tool tip, "" where there is nothing."""
        formats, track = self._page.context.formats, self._day.panel.track
        if under.vehicle is not None:
            state = VehicleState(self._fleet.state[under.vehicle])
            age = formats.ago(int(self._fleet.fixed_at_ms[under.vehicle]))
            return f"{self._fleet.labels[under.vehicle]}\n{tr(WORDS[state])}, {age}"
        if under.phone is not None:
            return self._drivers.tip(under.phone)
        event = self._events.hit(under.px, under.py)
        if event is not None:
            return f"{event.name}: {event.text}\n{formats.time(event.occurred_at_ms)}"
        fix = self._day.item.hit(under.px, under.py)
        if fix is not None and track is not None:
            return f"{formats.time(int(track.fixed_at_ms[fix]))}\n{formats.speed(float(track.speed_km_h[fix]))}"
        return ""

    def click(self, px: float, py: float) -> bool:
        """Open what lies there besides vehicles and drivers; False where there is nothing."""
        track = self._day.panel.track
        event, fix = self._events.hit(px, py), self._day.item.hit(px, py)
        if event is not None:
            title = f"{event.name}: {event.text}"
            query = partial(live.read_frame, title=title, event_id=event.event_id)
            self._page.spawn(self._frames.show(query, otherwise=title), "raw frame")
        elif fix is not None and track is not None:
            if track.is_counted[fix]:
                self._day.panel.replay.set_time(int(track.fixed_at_ms[fix]))
            else:
                self.show_bytes(int(track.id[fix]), self._day.panel.name.text())
        return event is not None or fix is not None

    def show_bytes(self, position_id: int, name: str) -> None:
        """Open the bytes behind a position beside the map."""
        title = tr("Position {id} of {name}", id=position_id, name=name)
        self._page.spawn(self._frames.show(partial(live.read_frame, title=title, position_id=position_id)), "raw frame")
