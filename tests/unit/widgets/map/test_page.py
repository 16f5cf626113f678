"""The operator at the map: looking, choosing, filtering, following; and what an empty map says."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from sqlalchemy import Connection, insert

from adapters.records import DeviceStatus
from app.clock import utc_now
from app.fleet.plausibility import Mark
from app.fleet.telemetry import TelemetrySink
from app.store.changes import raise_topic
from app.store.tables import IntegrationState
from tests.helpers.fleet import Feed, add_integration
from tests.helpers.map_fleet import MINUTE_MS, a_fix, a_truck
from tests.helpers.map_page import ENUGU, KANO, Desk, close, desk, open_page, seat_in
from tests.helpers.qt import Console, ExpectedLogs, until
from widgets.map.fleet import subject_key
from widgets.map.palette import DARK, LIGHT
from widgets.map.projection import to_world
from widgets.map.states import VehicleState

__all__ = ["desk"]


async def test_the_fleet_is_there_and_fitted(desk: Desk) -> None:
    page = desk.page
    assert len(page.fleet.subjects) == 29  # the tracker without a vehicle waits in its inbox
    assert page.side.vehicles.model.rowCount() == 29
    assert "29 vehicles" in page.side.vehicles.summary.text()
    desk.paint()
    seen = page.map.markers.screen
    on_map = int((page.fleet.state < VehicleState.UNKNOWN).sum())
    assert len(seen.index) == on_map == 29
    assert page.nothing.isHidden()
    assert {mark.kind for mark in page.events.events} == {"sos"}
    assert page.fences.count == 3
    first = page.side.vehicles.model.index(0).data()
    assert first.endswith(", Alarm")


async def test_a_click_on_a_vehicle_opens_its_details(desk: Desk) -> None:
    page = desk.page
    place = desk.near(0, 0.001)
    await desk.arrive(a_fix(desk.trucks[0], desk.now_ms + 1_000, place, 61.0))
    await until(lambda: page.fleet.fixed_at_ms[desk.row(0)] == desk.now_ms + 1_000)
    await desk.arrive(
        DeviceStatus(desk.trucks[0].imei, desk.now_ms + 2_000, "gt02", "heartbeat", power_level=2, gsm_level=4)
    )
    desk.look(*place[:2], 100.0)
    desk.click(desk.pixel(0))
    assert page.selected == desk.key(0)
    card = page.card
    assert card.isVisible()
    assert card.name.text() == desk.trucks[0].plate
    assert card.state_word.text() == "Moving"
    assert card.facts["speed"].text() == "61 km/h"
    assert card.facts["heading"].text() == "E 90°"
    assert card.facts["source"].text() == "gt02-1"
    assert desk.trucks[0].imei in card.facts["device"].text()
    await until(lambda: card.facts["signal"].text().startswith("strong (4)"), 10.0)
    assert card.facts["battery"].text() == "low, alarm (2)"
    assert page.side.vehicles.view.currentIndex().data().startswith(desk.trucks[0].plate)
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert page.card.isHidden()
    assert page.selected == ""


async def test_an_unknown_speed_is_unknown_not_zero(desk: Desk) -> None:
    number = next(at for at, row in enumerate(desk.trucks) if at % 23 == 9)
    desk.page.select(desk.key(number))
    assert desk.page.card.facts["speed"].text() in {"–", "unknown"}
    assert desk.page.card.state_word.text() == "Position only"


async def test_the_list_filters_sorts_and_picks_by_keyboard(desk: Desk) -> None:
    page = desk.page
    page.side.search.setText(desk.trucks[4].imei)
    page.side.search.returnPressed.emit()
    assert page.side.vehicles.model.rowCount() == 1
    assert page.side.vehicles.summary.text().startswith("1 of 29 vehicles")
    page.side.search.clear()
    page.side.vehicles.states.setCurrentIndex(page.side.vehicles.states.findData(int(VehicleState.STOPPED)))
    model = page.side.vehicles.model
    words = {model.index(at).data().split(", ")[1] for at in range(model.rowCount())}
    assert words == {"Stopped"}
    page.side.vehicles.states.setCurrentIndex(0)
    page.side.vehicles.sorts.setCurrentIndex(1)
    names = [model.index(at).data().split(",")[0] for at in range(model.rowCount())]
    assert names == sorted(names)
    page.activateWindow()
    page.side.vehicles.view.setFocus()
    page.side.vehicles.view.setCurrentIndex(page.side.vehicles.model.index(0))
    QTest.keyClick(page.side.vehicles.view, Qt.Key.Key_Down)
    assert page.card.name.text() == names[1]
    centre = page.map.viewport().center
    drawn, row = page.fleet.drawn, page.fleet.row_of(page.selected)
    assert abs(drawn.x[row] - centre[0]) * page.map.viewport().scale < page.map.width() / 2
    page.side.search.setText("no such plate")
    page.side.search.returnPressed.emit()
    assert page.side.vehicles.model.rowCount() == 0


async def test_the_states_stand_still_while_one_is_chosen_from_them(desk: Desk, expected_logs: ExpectedLogs) -> None:
    expected_logs.allow("grabbing the keyboard")  # the offscreen platform has none to grab
    states, fleet = desk.page.side.vehicles.states, desk.page.fleet
    before = [states.itemText(at) for at in range(states.count())]
    states.showPopup()
    fleet.state[:] = VehicleState.SILENT
    desk.page.side.vehicles.show_fleet()
    assert [states.itemText(at) for at in range(states.count())] == before
    states.hidePopup()
    desk.page.side.vehicles.show_fleet()
    assert [states.itemText(at) for at in range(states.count())] == ["All states", "Silent  29"]


async def test_new_positions_move_the_marker_and_a_followed_vehicle_stays_in_the_middle(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(1))
    page.card.follow.click()
    assert page.card.follow.isChecked()
    for step in (1, 2):
        place = desk.near(1, 0.01)
        await desk.arrive(a_fix(desk.trucks[1], desk.now_ms + step * 60_000, place, 40.0))
        x, y = (float(value) for value in to_world(*place[:2]))
        await until(lambda: page.fleet.fixed_at_ms[desk.row(1)] == desk.now_ms + step * 60_000)  # noqa: B023
        await until(lambda: abs(page.map.viewport().center[1] - y) < 10)  # noqa: B023
        assert abs(page.map.viewport().to_px(x, y)[0] - (page.map.width() - page.map.covered_px) / 2) < 2
    QTest.keyClick(page.map.plot, Qt.Key.Key_Left)
    assert not page.card.follow.isChecked()


async def test_doubtful_positions_are_explained_in_the_details(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(2))
    old = a_fix(desk.trucks[2], desk.now_ms + 30_000, desk.near(2, 0.001), 12.0)
    desk.now_ms += 2 * 24 * 3_600_000
    await desk.arrive(replace(old, received_at_ms=desk.now_ms, raw=None))
    await until(lambda: page.fleet.trackers_of(desk.key(2))[0].marks == int(Mark.OLD))
    await until(lambda: page.card.notes)
    assert "more than a day" in page.card.notes[0][1]


async def test_two_sources_that_disagree_are_said(desk: Desk) -> None:
    page = desk.page
    add_integration(desk.console.store, "traccar-1", "traccar")
    other = Feed(desk.console.store, "traccar-1", desk.feed.sink)
    await desk.arrive(a_fix(desk.trucks[3], desk.now_ms + 1_000, KANO, 40.0))
    fix = a_fix(desk.trucks[3], desk.now_ms + 2_000, ENUGU, 40.0)
    await asyncio.to_thread(other, fix, now_ms=desk.now_ms)
    await desk.seat(desk.trucks[3], "traccar-1")
    await until(lambda: len(page.fleet.trackers_of(desk.key(3))) == 2)
    await until(lambda: page.fleet.disagreement(desk.key(3)) is not None)
    page.select(desk.key(3))
    assert "Two sources disagree: " in page.card.notes[0][1]
    assert "618" in page.card.notes[0][1] or "km apart" in page.card.notes[0][1]
    await until(lambda: desk.key(3) in page.side.vehicles.model.disagreeing)


async def test_vehicles_that_report_one_by_one_widen_the_map_until_the_operator_takes_over(desk: Desk) -> None:
    page = desk.page
    desk.paint()
    before = page.map.box.viewRange()
    far = a_truck(999)
    await desk.arrive(a_fix(far, desk.now_ms, (4.0, 25.0, 0.0), 0.0))
    await desk.seat(far, desk.feed.integration_id)
    await until(lambda: len(page.fleet.subjects) == 30 and page.map.box.viewRange() != before)
    widened = page.map.box.viewRange()
    assert widened[0][1] > before[0][1]
    page.map.zoom(2.0)
    chosen = page.map.box.viewRange()
    farther = a_truck(998)
    await desk.arrive(a_fix(farther, desk.now_ms, (4.0, 35.0, 0.0), 0.0))
    await desk.seat(farther, desk.feed.integration_id)
    await until(lambda: len(page.fleet.subjects) == 31)
    assert page.map.box.viewRange() == chosen


async def test_escape_empties_the_search_before_it_closes_the_details(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(4))
    page.window().activateWindow()
    page.side.search.setFocus()
    QTest.keyClicks(page.side.search, "K")
    QTest.keyClick(page.side.search, Qt.Key.Key_Escape)
    assert page.side.search.text() == ""
    assert page.selected == desk.key(4)
    QTest.keyClick(page.side.search, Qt.Key.Key_Escape)
    assert page.selected == ""


async def test_an_integration_can_point_at_its_vehicles(desk: Desk) -> None:
    page = desk.page
    name = next(iter(page.card.integrations.values()))
    page.show_item(source=name)
    await until(lambda: page.side.vehicles.model.rowCount() == 29)
    assert page.side.search.text() == name
    page.show_item(source="Another server")
    await until(lambda: page.side.vehicles.model.rowCount() == 0)


async def test_another_page_can_point_at_a_place(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(0))
    desk.paint()
    plain = page.map.plot.grab().toImage()
    page.show_item(place=(9.2, 7.4), name="Clinic <b>1</b>")
    desk.paint()
    assert page.selected == ""
    assert page.place.name == "Clinic <b>1</b>"
    assert page.place.at is not None
    viewport = page.map.viewport()
    x, y = viewport.to_world(viewport.width / 2, viewport.height / 2)
    assert (x, y) == pytest.approx(page.place.at, abs=2 * viewport.metres_per_px)
    head = viewport.width // 2, viewport.height // 2 - 24
    assert page.map.plot.grab().toImage().pixelColor(*head).name() == LIGHT.primary
    assert plain.pixelColor(*head).name() != LIGHT.primary


async def test_the_theme_changes_while_it_is_shown(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(0))
    desk.paint()
    colors = []
    for mode, palette in (("light", LIGHT), ("dark", DARK)):
        desk.console.context.theme.set_mode(mode)  # type: ignore[arg-type]
        desk.paint()
        desk.look(3.0, 5.0, 500.0)
        colors.append((page.map.plot.grab().toImage().pixelColor(100, 300).name(), palette.sea))
    assert all(seen == wanted for seen, wanted in colors)


async def test_ages_turn_vehicles_old_without_anything_arriving(desk: Desk) -> None:
    page = desk.page
    assert page.fleet.counts()[VehicleState.MOVING] > 5
    page.now_ms = lambda: desk.now_ms + 30 * MINUTE_MS
    await until(lambda: page.fleet.counts()[VehicleState.MOVING] == 0)
    assert page.fleet.counts()[VehicleState.STALE] > 5


async def test_the_palette_can_point_at_a_plate_an_imei_or_nothing(desk: Desk) -> None:
    page = desk.page
    page.show_item(imei=desk.trucks[8].imei)
    await until(lambda: page.selected == desk.key(8))
    page.show_item(plate=desk.trucks[9].plate.lower())
    await until(lambda: page.selected == desk.key(9))
    page.show_item(plate="XXX-000XX")
    await until(lambda: desk.console.notes)
    assert desk.console.notes == [("warn", "XXX-000XX is not on the map.")]


async def test_a_tracker_taken_off_its_vehicle_leaves_and_an_adopted_one_comes(desk: Desk) -> None:
    page = desk.page
    page.select(desk.key(0))
    await desk.seat(desk.trucks[29], "gt02-1")
    await until(lambda: desk.row(29) >= 0)
    assert page.selected == desk.key(0)
    assert page.map.markers.selected == desk.row(0)
    assert [subject_key(tracker) for tracker in page.fleet.trackers_of(desk.key(29))] == [desk.key(29)]


async def test_an_empty_map_says_what_to_do_next(console: Console) -> None:
    page = await open_page(console)
    assert page.nothing.isVisible()
    assert "Add an integration" in page.nothing.words.text.text()
    page.nothing.button.click()
    assert console.opened == [("integrations", {})]
    add_integration(console.store)

    def listening(connection: Connection) -> None:
        raise_topic(connection, "integration_states")
        raise_topic(connection, "integrations")
        connection.execute(
            insert(IntegrationState).values(
                integration_id="gt02-1",
                phase="healthy",
                since=utc_now(),
                detail={"connected": "Listening on 10.0.0.5:5022 (TCP)."},
            )
        )

    await asyncio.wrap_future(console.store.write(listening))
    await until(lambda: "10.0.0.5:5022" in page.nothing.words.text.text())
    truck = a_truck(1)
    feed = Feed(console.store, "gt02-1", TelemetrySink(console.store))
    now_ms = time.time_ns() // 1_000_000
    await asyncio.to_thread(feed, a_fix(truck, now_ms, KANO, 10.0), now_ms=now_ms)
    await until(lambda: page.nothing.words.title.text() == "1 tracker waits")
    page.nothing.button.click()
    assert console.opened[-1] == ("trackers", {})
    await seat_in(console, truck, "gt02-1")
    await until(page.nothing.isHidden)
    assert page.fleet.labels == [truck.plate]
    close(page)
