"""The operator at the map: a day replayed, events and alarms, and the bytes behind them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from PySide6.QtCore import QPoint
from sqlalchemy import delete

from adapters.records import DeviceEvent
from app.store.tables import RawFrameRow
from tests.helpers.map_fleet import a_day, a_fix
from tests.helpers.map_page import KANO, Desk, desk
from tests.helpers.qt import open_dialog, until
from widgets.map.projection import to_world
from widgets.map.raw_inspector import RawInspector
from widgets.map.states import VehicleState
from widgets.map.track import day_range_ms

__all__ = ["desk"]


async def test_a_day_is_replayed_with_its_graph_on_one_clock(desk: Desk) -> None:
    page = desk.page
    yesterday = page.tracks.today() - timedelta(days=1)
    start_ms, _end = day_range_ms(yesterday, page.context.formats.zone)
    await asyncio.to_thread(desk.feed, *a_day(desk.trucks[0], start_ms, step_ms=60_000), now_ms=desk.now_ms)
    page.select(desk.key(0))
    page.card.track.click()
    await until(lambda: page.tracks.track is not None)
    today = page.tracks.track
    page.tracks.before.click()
    await until(lambda: page.tracks.track is not None and page.tracks.track is not today)
    track = page.tracks.track
    assert track is not None
    assert page.tracks.shown_day == yesterday
    assert len(track) == 601
    assert int((~track.is_counted).sum()) == 1
    assert "1 gap" in page.tracks.facts.text()
    assert "1 doubtful" in page.tracks.facts.text()
    assert 220 < track.distance_km < 260
    page.tracks.slider.setValue(3 * 3600)
    at_ms = start_ms + 9 * 3_600_000
    assert page.tracks.replay.now_ms == at_ms
    assert page.tracks.graph._cursor.value() == at_ms / 1000
    assert page.day.item._moment is not None
    page.tracks.graph.cursor_moved.emit(start_ms + int(12.5 * 3_600_000))
    assert page.tracks.now.text().endswith("no positions")
    assert page.day.item._moment.is_gap
    page.tracks.play.click()
    assert page.tracks.play.toolTip() == "Pause"
    before = page.tracks.replay.now_ms
    await until(lambda: page.tracks.replay.now_ms > before)
    page.tracks.play.click()
    assert not page.tracks.replay.is_playing
    desk.paint()
    page.tracks.before.click()
    await until(lambda: not page.tracks.message.isHidden() and "No positions" in page.tracks.message.text())
    page.tracks.close_button.click()
    assert page.tracks.isHidden()


async def test_the_raw_frame_is_one_click_away(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(6))
    page.card.raw.click()
    await until(lambda: page.frames.open)
    inspector = page.frames.open[0]
    assert desk.trucks[6].imei.encode() in inspector.frame.data
    assert desk.trucks[6].plate in inspector.frame.title
    assert isinstance(open_dialog(), RawInspector)
    inspector.close()
    await until(lambda: not page.frames.open)
    await asyncio.wrap_future(desk.console.store.write(lambda connection: connection.execute(delete(RawFrameRow))))
    page.card.raw.click()
    await until(lambda: desk.console.notes)
    assert "no bytes behind it" in desk.console.notes[0][1]


async def test_an_event_on_the_map_is_an_alarm_and_leads_to_its_frame(desk: Desk) -> None:
    page = desk.page
    truck = desk.trucks[7]
    fix = a_fix(truck, desk.now_ms + 1_000, KANO, 0.0)
    away = (KANO[0] - 0.05, KANO[1])
    sos = DeviceEvent(
        truck.imei, desk.now_ms + 1_000, desk.now_ms + 1_200, "gt02", "sos", "sos", "SOS button", *away, raw=fix.raw
    )
    await desk.arrive(fix, sos)
    await until(lambda: page.fleet.state[desk.row(7)] == VehicleState.ALARM)
    desk.look(*away, 60.0)
    px, py = page.map.viewport().to_px(*to_world(*away))
    desk.click(QPoint(round(float(px)), round(float(py))))
    await until(lambda: page.frames.open)
    assert page.frames.open[0].frame.title == f"{truck.plate}: SOS button"
    page.frames.close()


async def test_an_alarm_says_what_it_is_and_how_old(desk: Desk) -> None:
    truck = desk.trucks[7]
    sos = DeviceEvent(
        truck.imei, desk.now_ms - 120_000, desk.now_ms, "gt02", "power_cut", "power_cut", "", None, None, raw=None
    )
    await desk.arrive(sos)
    await until(lambda: desk.page.fleet.state[desk.row(7)] == VehicleState.ALARM)
    desk.page.select(desk.key(7))
    assert desk.page.card.state_word.text().startswith("Alarm: power cut, 2 min")
    desk.page.select(desk.key(3))
    assert "cut" not in desk.page.card.state_word.text()


async def test_further_out_only_alarms_are_drawn_and_hit(desk: Desk) -> None:
    page, truck = desk.page, desk.trucks[7]
    away, aside = (KANO[0] - 1.0, KANO[1]), (KANO[0] - 1.0, KANO[1] + 1.0)
    await desk.arrive(
        DeviceEvent(truck.imei, desk.now_ms, desk.now_ms, "gt02", "sos", "sos", "SOS", *away, raw=None),
        DeviceEvent(truck.imei, desk.now_ms, desk.now_ms, "gt02", "ignition", "on", "Ignition on", *aside, raw=None),
    )
    await until(lambda: {"SOS", "Ignition on"} <= {event.text for event in page.events.events})
    for metres_per_px, is_drawn in ((1_000.0, False), (200.0, True)):
        desk.look(*away, metres_per_px)
        to_px = page.map.viewport().to_px
        alarm, other = to_px(*to_world(*away)), to_px(*to_world(*aside))
        assert (hit := page.events.hit(float(alarm[0]), float(alarm[1]))) is not None
        assert hit.is_alarm
        assert (page.events.hit(float(other[0]), float(other[1])) is not None) is is_drawn
