"""The operator and drivers on the map: their pins, their list, their card, their track, and that none is a vehicle."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from dialogs.map_layers import MapLayersDialog
from tests.helpers.dispatch import Depot, a_batch, a_driver, a_stop
from tests.helpers.map_drivers import DriversDesk, a_phone_fix, drivers_desk, phone_of
from tests.helpers.map_fleet import MINUTE_MS, TOWNS
from tests.helpers.map_page import close, open_page
from tests.helpers.qt import Console, until
from widgets.map.atlas import PHONE_LIFT_PX
from widgets.map.driver_list import notes_of
from widgets.map.palette import palette_for
from widgets.map.projection import to_world
from widgets.map.side_list import DRIVERS, VEHICLES
from widgets.map.states import VehicleState
from widgets.primitives import Banner
from widgets.theme import ThemeMode

__all__ = ["drivers_desk"]
JOS = TOWNS["Jos"]


async def test_drivers_are_beside_the_vehicles_and_none_of_them_is_one(drivers_desk: DriversDesk) -> None:
    page = drivers_desk.page
    assert len(page.fleet.subjects) == 29
    assert page.side.vehicles.summary.text().startswith("29 vehicles")
    assert sum(page.fleet.counts().values()) == 29
    assert page.side.tabs.button(VEHICLES).text() == "Vehicles  29"
    assert page.side.tabs.button(DRIVERS).text() == "Drivers  8"
    assert page.side.tabs.isVisible()
    drivers_desk.paint()
    assert len(page.map.phones.screen.index) == 7  # one was never anywhere
    states = {driver: drivers_desk.state(driver) for driver in ("drv-0", "drv-1", "drv-2", "drv-3", "drv-4", "drv-6")}
    assert states == {
        "drv-0": VehicleState.MOVING,
        "drv-1": VehicleState.STOPPED,
        "drv-2": VehicleState.STALE,
        "drv-3": VehicleState.SILENT,
        "drv-4": VehicleState.POSITION_ONLY,
        "drv-6": VehicleState.UNKNOWN,
    }


async def test_a_click_on_a_pin_opens_the_drivers_card(drivers_desk: DriversDesk) -> None:
    page = drivers_desk.page
    drivers_desk.look(*JOS, 200.0)
    drivers_desk.click(drivers_desk.pixel("drv-1"))
    card = page.driver_card
    assert card.isVisible()
    assert page.card.isHidden()
    assert (card.name.text(), card.state_word.text()) == ("Hauwa Garba", "Standing")
    facts = {key: label.text() for key, label in card.facts.items()}
    plate = drivers_desk.trucks[1].plate
    assert facts["batch"] == "Kubwa morning, 1 of 3 stops"
    assert facts["stop"] == "Clinic 2"
    assert facts["vehicle"].startswith(f"{plate}, ")
    assert facts["vehicle"].endswith(" km away")
    assert (facts["availability"], facts["link"], facts["source"]) == ("available", "active, signed in", "mod4-1")
    level, sentence = card.notes[0]
    assert (level, f"from {plate}, the vehicle of its batch" in sentence) == ("warn", True)
    await until(lambda: card.facts["battery"].text() == "62 %")
    assert card.facts["accuracy"].text() == "± 8 m"
    assert card.facts["phone"].text() == "Tecno Spark 10, android, 4g"
    assert page.side.tabs.value == DRIVERS
    assert page.side.drivers.view.currentIndex().data().startswith("Hauwa Garba")
    QTest.mouseClick(card.batch, Qt.MouseButton.LeftButton)
    assert drivers_desk.console.opened[-1][0] == "deliveries"
    QTest.mouseClick(card.vehicle, Qt.MouseButton.LeftButton)
    assert page.card.isVisible()
    assert page.driver_card.isHidden()
    assert page.card.name.text() == plate
    assert page.side.tabs.value == VEHICLES
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert page.selected == ""


async def test_of_a_driver_and_the_vehicle_under_them_each_is_clicked_where_it_stands(
    drivers_desk: DriversDesk,
) -> None:
    page, trucks = drivers_desk.page, drivers_desk.trucks
    row = page.fleet.row_of(trucks[0].vehicle_id)
    page.map.look_at(float(page.fleet.drawn.x[row]), float(page.fleet.drawn.y[row]), 50.0)
    drivers_desk.paint()
    disc = drivers_desk.pixel("drv-0")
    drivers_desk.click(disc)
    assert page.driver_card.name.text() == "Musa Bello"
    assert page.driver_card.facts["vehicle"].text() == f"{trucks[0].plate}, beside it"
    assert page.driver_card.notes == []
    drivers_desk.click(type(disc)(disc.x(), disc.y() + PHONE_LIFT_PX))
    assert page.card.name.text() == trucks[0].plate


async def test_the_same_search_finds_drivers_and_brings_their_list_up(drivers_desk: DriversDesk) -> None:
    side = drivers_desk.page.side
    QTest.mouseClick(side.tabs.button(DRIVERS), Qt.MouseButton.LeftButton)
    listed = drivers_desk.listed()
    assert listed[0] == "Musa Bello"  # moving ones first
    assert listed[-1] == "Tunde Ade"
    QTest.mouseClick(side.tabs.button(VEHICLES), Qt.MouseButton.LeftButton)
    side.search.setFocus()
    QTest.keyClicks(side.search, "kubwa")
    QTest.keyClick(side.search, Qt.Key.Key_Return)
    assert drivers_desk.listed() == ["Hauwa Garba"]
    assert side.tabs.value == DRIVERS
    assert side.tabs.button(VEHICLES).text() == "Vehicles  0"
    assert side.drivers.summary.text().startswith("1 of 8 drivers")
    QTest.keyClick(side.search, Qt.Key.Key_Escape)
    assert len(drivers_desk.listed()) == 8
    side.search.setText("nobody of this name")
    side.search.returnPressed.emit()
    assert drivers_desk.listed() == []


async def test_the_list_says_who_is_far_what_they_drive_and_who_is_free(drivers_desk: DriversDesk) -> None:
    page = drivers_desk.page
    said = {
        driver: notes_of(page.drivers, drivers_desk.row(driver), page.context)
        for driver in ("drv-0", "drv-1", "drv-4", "drv-6")
    }
    assert said["drv-0"] == "Bwari north"
    assert said["drv-1"].endswith(" from vehicle")
    assert (said["drv-4"], said["drv-6"]) == ("available", "not available")
    tip = page.side.drivers.tip(drivers_desk.row("drv-3"))
    assert tip.startswith("Aisha Sani\nSilent, 3 h")


async def test_a_phone_moves_grows_old_falls_silent_and_comes_back(drivers_desk: DriversDesk) -> None:
    page, now_ms = drivers_desk.page, drivers_desk.now_ms
    page.select(page.drivers.find("drv-0") or "")
    page.driver_card.follow.click()
    row = drivers_desk.row("drv-0")
    away = (float(page.drivers.lat[row]) + 0.004, float(page.drivers.lon[row]))
    await drivers_desk.arrive(a_phone_fix("drv-0", now_ms + 5_000, away, 61.0))
    x, y = (float(value) for value in to_world(*away))
    await until(lambda: page.driver_card.facts["speed"].text() == "61 km/h")
    await until(lambda: abs(page.map.viewport().center[1] - y) < 10)
    assert abs(page.map.viewport().to_px(x, y)[0] - (page.map.width() - page.map.covered_px) / 2) < 2
    page.now_ms = lambda: now_ms + 30 * MINUTE_MS
    await until(lambda: drivers_desk.state("drv-0") is VehicleState.STALE)
    assert page.driver_card.state_word.text() == "Old position"
    assert page.driver_card.facts["speed"].text() == "61 km/h, with that position"
    page.now_ms = lambda: now_ms + 180 * MINUTE_MS
    await until(lambda: drivers_desk.state("drv-0") is VehicleState.SILENT)
    assert page.driver_card.state_word.text().startswith("Silent since ")
    assert any(name.startswith("Musa Bello, silent since ") for name in page.drivers.drawn.names)
    again = a_phone_fix("drv-0", now_ms + 179 * MINUTE_MS, away, 50.0)
    drivers_desk.depot.mod4.now_ms = now_ms + 180 * MINUTE_MS
    await drivers_desk.arrive(again)
    await until(lambda: drivers_desk.state("drv-0") is VehicleState.MOVING)
    assert page.driver_card.state_word.text() == "Moving"


async def test_drivers_and_batches_that_change_are_read_again(drivers_desk: DriversDesk) -> None:
    page = drivers_desk.page
    page.select(page.drivers.find("drv-4") or "")
    assert page.driver_card.facts["batch"].text() == "none under way"
    assert not page.driver_card.batch.isEnabled()
    batch = a_batch("batch-9", a_stop("clinic-3", 1), name="Karu", driver="drv-4", vehicle="")
    await drivers_desk.arrive(batch, a_driver("drv-8", name="Zainab Idris"))
    await until(lambda: page.driver_card.facts["batch"].text() == "Karu, 0 of 1 stops")
    assert page.driver_card.facts["stop"].text() == "Clinic 3"
    assert page.driver_card.facts["vehicle"].text() == "none"
    assert page.side.tabs.button(DRIVERS).text() == "Drivers  9"


async def test_the_phones_track_is_the_same_panel_and_a_place_alone_has_none(drivers_desk: DriversDesk) -> None:
    page, now_ms = drivers_desk.page, drivers_desk.now_ms
    points = [a_phone_fix("drv-4", now_ms + step * 20_000, (9.0 + step * 0.002, 7.4)) for step in range(1, 12)]
    drivers_desk.depot.mod4.now_ms = now_ms + 300_000
    await drivers_desk.arrive(*points)
    page.select(page.drivers.find("drv-4") or "")
    QTest.mouseClick(page.driver_card.track, Qt.MouseButton.LeftButton)
    await until(lambda: page.tracks.track is not None)
    assert page.tracks.name.text() == "Yakubu Danladi"
    if page.tracks.shown_day == page.tracks.today():
        await until(lambda: page.tracks.track is not None and len(page.tracks.track) >= 1)
    QTest.mouseClick(page.tracks.close_button, Qt.MouseButton.LeftButton)
    page.select(page.drivers.find("drv-5") or "")
    assert not page.driver_card.track.isEnabled()
    assert page.driver_card.facts["age"].text() == "at an unknown time"
    assert page.driver_card.state_word.text() == "Place of unknown age"
    assert page.driver_card.notes[0][0] == "info"


async def test_the_layer_is_switched_off_and_stays_off(drivers_desk: DriversDesk) -> None:
    page, console = drivers_desk.page, drivers_desk.console
    far = (4.0, 25.0)
    drivers_desk.depot.mod4.now_ms = drivers_desk.now_ms + 2_000
    await drivers_desk.arrive(a_phone_fix("drv-6", drivers_desk.now_ms + 1_000, far))
    await until(lambda: page.drivers.lat[drivers_desk.row("drv-6")] == far[0])
    page.fit_fleet()
    assert page.map.viewport().right > float(to_world(*far)[0])
    page.select(page.drivers.find("drv-6") or "")
    dialog = MapLayersDialog(console.context, page)
    box = dialog.boxes["phones"]
    assert box.text() == "Drivers' phones"
    box.click()
    assert not page.map.phones.isVisible()
    assert "switched off" in page.driver_card.notes[-1][1]
    area, note = page.driver_card._area, page.driver_card.findChildren(Banner)[-1]
    body = area.widget()
    assert body is not None
    await until(lambda: note.isVisible() and note.height() > 30 and body.height() >= body.minimumSizeHint().height())
    assert area.verticalScrollBar().maximum() == 0, "the card has grown with its note"
    page.select("")
    page.fit_fleet()
    assert page.map.viewport().right < float(to_world(*far)[0])
    drivers_desk.look(*JOS, 200.0)
    drivers_desk.click(drivers_desk.pixel("drv-1"))
    assert page.selected == ""
    dialog.deleteLater()
    close(page)
    again = await open_page(console)
    assert not again.shown.phones
    assert not again.map.phones.isVisible()
    again.show_part("phones", True)
    close(again)
    drivers_desk.page = await open_page(console)
    assert drivers_desk.page.map.phones.isVisible()


async def test_a_phone_is_found_from_elsewhere_by_driver_or_device(drivers_desk: DriversDesk) -> None:
    page = drivers_desk.page
    page.show_item(driver="Emeka Obi")
    await until(lambda: page.driver_card.isVisible() and page.driver_card.name.text() == "Emeka Obi")
    page.show_item(device=phone_of("drv-0"))
    await until(lambda: page.driver_card.name.text() == "Musa Bello")
    page.show_item(driver="Nobody")
    await until(lambda: drivers_desk.console.notes)
    assert drivers_desk.console.notes == [("warn", "Nobody is not on the map.")]


async def test_text_from_the_platform_is_text(console: Console) -> None:
    depot = await asyncio.to_thread(Depot, console.store)
    name = "<b>Musa</b> {name}"
    await asyncio.to_thread(depot.arrive, a_driver("drv-1", name=name, phone="<i>1</i>", lat=9.0, lon=7.0))
    page = await open_page(console)
    await until(lambda: len(page.drivers) == 1)
    page.select(page.drivers.find("drv-1") or "")
    assert page.driver_card.name.text() == name
    assert page.driver_card.name.textFormat() is Qt.TextFormat.PlainText
    assert any(f"{name}, age unknown" in shown for shown in page.drivers.drawn.names)
    close(page)


async def test_with_drivers_alone_the_map_is_not_said_to_be_empty(console: Console) -> None:
    depot = await asyncio.to_thread(Depot, console.store)
    page = await open_page(console)
    assert page.nothing.isVisible()
    assert not page.side.tabs.isVisible()
    await asyncio.to_thread(partial(depot.arrive, a_driver("drv-1", lat=9.0, lon=7.0)))
    await until(page.nothing.isHidden)
    assert page.side.tabs.isVisible()
    assert page.side.vehicles.summary.text() == "0 vehicles"
    close(page)


@pytest.mark.parametrize("mode", ["light", "dark"])
async def test_a_pin_is_unlike_every_vehicle_in_each_theme(drivers_desk: DriversDesk, mode: ThemeMode) -> None:
    drivers_desk.console.context.theme.set_mode(mode)
    palette = palette_for(mode)
    assert palette.phone not in {palette.alarm, palette.moving, palette.stopped, palette.stale, palette.position_only}
    drivers_desk.look(*JOS, 200.0)
    middle = drivers_desk.pixel("drv-1")
    image = drivers_desk.page.map.plot.grab().toImage()
    assert image.pixelColor(middle.x() - 8, middle.y()).name() == palette.phone
    assert image.pixelColor(middle.x(), middle.y() + 3).name() == palette.paper
