"""A day's track on the map page: opened, read, shown, read again while it is still driven, closed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from functools import partial

from widgets.map import live
from widgets.map.live import Tracked
from widgets.map.map_view import MapView
from widgets.map.palette import MapPalette
from widgets.map.track import Track, day_range_ms
from widgets.map.track_item import TrackItem
from widgets.map.track_panel import TrackPanel
from widgets.page import Page

AGAIN_EVERY_S = 5.0  # how often today's open track takes in what was driven since


class DayTrack:
    """The panel below the map and the line on it; ``find`` says whose a key is, None for a key that is not there."""

    def __init__(self, page: Page, view: MapView, palette: MapPalette, find: Callable[[str], Tracked | None]) -> None:
        self._page = page
        self._view = view
        self._find = find
        self._read_at = 0.0
        self.item = TrackItem(palette)
        self.panel = TrackPanel(page.context)
        view.add_item(self.item)
        self.panel.day_wanted.connect(self.open)
        self.panel.moment_changed.connect(self.item.set_moment)
        self.panel.closed.connect(self.close)

    @property
    def is_open(self) -> bool:
        return not self.panel.isHidden()

    def open(self, key: str, day: date) -> None:
        """Show a day; the day in the zone times are shown in."""
        tracked = self._find(key)
        if tracked is None:
            return
        self.item.set_track(None)
        self.panel.open_day(key, tracked.label, day)
        self._page.spawn(self._read(key, day), "track")

    def open_today(self, key: str) -> None:
        self.open(key, self.panel.today())

    def close(self) -> None:
        self.panel.replay.pause()
        self.panel.hide()
        self.item.set_track(None)

    def tick(self) -> None:
        """Let time pass: a day that is still driven grows."""
        is_today = self.is_open and self.panel.shown_day == self.panel.today()
        if is_today and self.panel.track is not None and time.monotonic() - self._read_at > AGAIN_EVERY_S:
            self._page.spawn(self._read(self.panel.key, self.panel.shown_day, is_update=True), "track")

    async def _read(self, key: str, day: date, *, is_update: bool = False) -> None:
        self._read_at = time.monotonic()
        tracked = self._find(key)
        if tracked is None:
            return
        start_ms, end_ms = day_range_ms(day, self._page.context.formats.zone)
        query = partial(live.read_track, tracked=tracked, start_ms=start_ms, end_ms=end_ms)
        track = await self._page.context.bridge.read(query)
        if not self.is_open or (key, day) != (self.panel.key, self.panel.shown_day):
            return  # closed or turned to another day meanwhile
        if is_update and self.panel.track is not None and len(track) == len(self.panel.track):
            return
        self.item.set_track(track)
        self.panel.show_track(track, keep_time=is_update)
        if not is_update and len(track):
            self._fit(track)

    def _fit(self, track: Track) -> None:
        x, y = (axis[track.counted] if len(track.counted) else axis for axis in track.world)
        self._view.fit((float(x.min()), float(y.min()), float(x.max()), float(y.max())))
