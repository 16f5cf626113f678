"""The operator on the Integrations page: finding, listing, switching, removing, syncing; and what each card says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel, QPushButton
from sqlalchemy import Connection, insert, select, update

from app.catalogue import Catalogue, Entry
from app.clock import utc_now
from app.engine.commands import SYNC, finish_command
from app.fleet.registry import KNOWN, WAITING
from app.integrations import add
from app.store.changes import raise_topic
from app.store.tables import Act, Command, Device, DeviceState, Integration, Vehicle
from tests.helpers.desks import make_catalogue
from tests.helpers.integrations_page import Depot, click, opened_page, pick, set_engine_running, texts_of
from tests.helpers.qt import Console, ExpectedLogs, open_dialog, until

POPUPS = "This plugin does not support"
"""What the windowless platform says of every menu that opens."""

BROKEN = Entry(
    key="weigh_bridge",
    name="Weigh Bridge",
    description="Offered by the package biko-weighbridge.",
    category="execution",
    icon="triangle-alert",
    capabilities=(),
    problem="This integration cannot be loaded: the Python module smbus is missing. Update or remove the package.",
)


def catalogue() -> Catalogue:
    """Ours, a third party's that works, and one that does not."""
    loaded = make_catalogue()
    return Catalogue([*loaded.entries(), BROKEN], loaded._adapters)


@pytest_asyncio.fixture
async def depot(console: Console) -> AsyncIterator[Depot]:
    async with opened_page(console, catalogue()) as opened:
        yield opened


async def add_gt02(depot: Depot, name: str = "Depot trackers", port: int = 5022) -> str:
    return await asyncio.to_thread(add, depot.desk, "gt02_tracker", name, {"port": port, "host": "127.0.0.1"})


async def add_traccar(depot: Depot, name: str = "Traccar Kano") -> str:
    return await asyncio.to_thread(
        add, depot.desk, "traccar", name, {"url": "http://127.0.0.1:9"}, {"token": "planted-page-1"}
    )


async def confirm(depot: Depot, *, accept: bool = True) -> str:
    """Answer the question that comes up; returns what it says."""
    await until(open_dialog)
    dialog = open_dialog()
    assert isinstance(dialog, QDialog)
    words = texts_of(dialog)
    buttons = dialog.findChildren(QPushButton)
    click(buttons[-1] if accept else buttons[0])
    await until(lambda: open_dialog() is None)
    return words


async def test_the_catalogue_shows_the_seven_systems_in_their_order_and_what_others_bring(depot: Depot) -> None:
    cards = depot.page.available.cards
    assert list(cards) == [
        "msupply",
        "nhlmis",
        "openlmis",
        "traccar",
        "gt02_tracker",
        "fuel_monitoring",
        "mod4",
        "webhook",
        "cold_room",
        "weigh_bridge",
    ]
    assert cards["mod4"].badge.text == "New"
    assert cards["traccar"].badge.text == "New"
    assert cards["gt02_tracker"].badge.text == ""
    assert all(cards[key].button.text() == "Add Integration" for key in ("traccar", "fuel_monitoring"))  # type: ignore[union-attr]
    shown = [label.text() for label in cards["traccar"].findChildren(QLabel)]
    assert [text for text in cards["traccar"].entry.capabilities if text in shown] == [
        "Real-time GPS tracking",
        "Geofencing",
        "Speed monitoring",
    ]
    assert BROKEN.problem is not None
    assert BROKEN.problem in texts_of(cards["weigh_bridge"])
    assert cards["weigh_bridge"].button is None


async def test_search_and_category_narrow_the_cards(depot: Depot) -> None:
    tab = depot.page.available
    QTest.keyClicks(tab.search, "gt0")
    await until(lambda: tab.shown_keys == ["gt02_tracker"])
    click(tab.categories.button("government"))
    assert tab.shown_keys == []
    assert tab.nothing.isVisible()
    QTest.keyClick(tab.search, Qt.Key.Key_Escape)
    await until(lambda: tab.shown_keys == ["nhlmis"])
    click(tab.categories.button("all"))
    assert len(tab.shown_keys) == 10
    assert not tab.nothing.isVisible()


async def test_categories_are_never_cut_off(depot: Depot) -> None:
    tab = depot.page.available
    for width, is_beside in ((1072, True), (816, False)):
        depot.page.resize(width, 700)
        await until(lambda: (tab.categories.mapTo(tab, QPoint()).y() < 20) is is_beside)  # noqa: B023
        right = tab.categories.mapTo(tab, tab.categories.rect().bottomRight()).x()
        assert right <= tab.width()


async def test_an_empty_list_leads_back_to_the_catalogue(depot: Depot) -> None:
    page = depot.page
    click(page.available.categories.button("government"))
    click(page.tabs.button("active"))
    assert page.current.isVisible()
    assert not page.available.isVisible()
    assert "No Active Integrations" in texts_of(page.current.empty)
    click(page.current.browse)
    assert page.tabs.value == "available"
    assert page.available.isVisible()
    assert len(page.available.shown_keys) == 10


async def test_a_configured_type_has_another_card(depot: Depot) -> None:
    await add_gt02(depot)
    await depot.settle(1)
    card = depot.page.available.cards["gt02_tracker"]
    assert card.property("highlighted") == "true"
    assert card.button is not None
    assert card.button.text() == "Configure"
    assert card.badge.text == "Configured"
    assert depot.page.tabs.button("active").text() == "Current Integrations  1"
    click(card.button)
    dialog = await depot.settings_dialog()
    assert dialog.windowTitle() == "Configure Depot trackers"
    dialog.reject()


async def test_two_of_one_type_are_chosen_by_name(depot: Depot, expected_logs: ExpectedLogs) -> None:
    expected_logs.allow(POPUPS)
    await add_gt02(depot)
    await add_gt02(depot, "Garage", 5023)
    await depot.settle(2)
    card = depot.page.available.cards["gt02_tracker"]
    click(card.configure)
    menu = card.findChildren(type(depot.page.add_button.menu()))[-1]
    assert [action.text() for action in menu.actions()] == ["Depot trackers", "Garage"]
    menu.actions()[1].trigger()
    menu.close()
    dialog = await depot.settings_dialog()
    assert dialog.windowTitle() == "Configure Garage"
    dialog.reject()


async def test_the_list_says_how_each_is_and_why(depot: Depot) -> None:
    gt02, traccar = await add_gt02(depot), await add_traccar(depot)
    now = utc_now()
    await depot.set_state(gt02, "healthy", "Listening on 127.0.0.1:5022 (TCP).", last_success=now, last_data=now)
    why = "The connection to the Traccar server was refused: nothing listens there. Check the port."
    await depot.set_state(traccar, "retrying", why, next_try=now + timedelta(seconds=40), failures=4)
    await until(lambda: depot.page.overview is not None and depot.page.overview.healthy == 1)
    await until(lambda: depot.page.current.items[traccar].pill.word == "Retrying")
    items = depot.page.current.items
    assert (items[gt02].pill.level, items[gt02].pill.word) == ("ok", "Healthy")
    assert items[gt02].why.text() == "Listening on 127.0.0.1:5022 (TCP)."
    assert (items[traccar].pill.level, items[traccar].pill.word) == ("warn", "Retrying")
    assert items[traccar].why.text() == why
    assert "retrying in" in items[traccar].times.text()
    assert depot.page.available.cards["gt02_tracker"].badge.text == "Active"
    assert depot.page.active.value.text() == "2"
    assert depot.page.healthy.value.text() == "1"
    assert (depot.page.attention.value.text(), depot.page.attention.note.text()) == ("1", "retrying")


async def test_ages_tick_while_the_list_is_seen(depot: Depot) -> None:
    traccar = await add_traccar(depot)
    await depot.set_state(traccar, "retrying", "no", next_try=utc_now() + timedelta(seconds=40))
    await until(lambda: depot.page.overview is not None and depot.page.overview.troubled)
    click(depot.page.tabs.button("active"))
    item = depot.page.current.items[traccar]
    before = item.times.text()
    await until(lambda: item.times.text() != before)
    assert "retrying in 3" in item.times.text()


async def test_trackers_that_report_are_counted_with_the_silent_ones(depot: Depot) -> None:
    gt02 = await add_gt02(depot)
    now_ms = depot.console.context.services.clock.now_ms()

    def job(connection: Connection) -> None:
        raise_topic(connection, "devices")
        for number, (state, age_ms) in enumerate([(KNOWN, 0), (KNOWN, 0), (KNOWN, 9_000_000), (WAITING, 0)]):
            row = {"id": f"d{number}", "integration_id": gt02, "unique_id": f"35{number}", "state": state}
            new = insert(Device).values(**row, first_seen_ms=0, attributes={}).returning(Device.key)
            key = connection.execute(new).scalar_one()
            connection.execute(insert(DeviceState).values(device_key=key, last_seen_ms=now_ms - age_ms))

    await depot.write(job)
    await until(lambda: depot.page.trackers.value.text() == "2 / 3")
    assert depot.page.trackers.note.text() == "1 silent, 1 waiting"


async def test_disabling_names_what_falls_silent_and_enabling_brings_it_back(
    depot: Depot, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow(POPUPS)
    gt02 = await add_gt02(depot)

    def job(connection: Connection) -> None:
        raise_topic(connection, "devices")
        vehicle = {"id": "v1", "plate": "KAN-880-XB", "created_at": utc_now()}
        connection.execute(insert(Vehicle).values(vehicle))
        row = {"id": "d", "integration_id": gt02, "unique_id": "351", "state": KNOWN, "vehicle_id": "v1"}
        connection.execute(insert(Device).values(**row, first_seen_ms=0, attributes={}))

    await depot.write(job)
    await depot.settle(1)
    click(depot.page.tabs.button("active"))
    item = depot.page.current.items[gt02]
    click(item.more)
    pick("disable")
    words = await confirm(depot, accept=False)
    assert "1 tracker falls silent." in words
    assert "KAN-880-XB" in words
    assert depot.rows()[0].phase != "disabled"
    click(item.more)
    pick("disable")
    await confirm(depot)
    await until(lambda: depot.page.current.items[gt02].pill.word == "Disabled")
    assert depot.rows()[0].status == "inactive"
    click(depot.page.current.items[gt02].more)
    pick("enable")
    await until(lambda: depot.page.current.items[gt02].pill.word == "Starting")
    assert [level for level, _ in depot.console.notes] == ["ok", "ok"]
    with depot.console.store.read() as connection:
        acts = list(connection.execute(select(Act.what).order_by(Act.id)).scalars())
    assert acts == ["integration.add", "integration.disable", "integration.enable"]


async def test_removing_tells_what_stays_and_takes_the_secrets_away(depot: Depot, expected_logs: ExpectedLogs) -> None:
    expected_logs.allow(POPUPS)
    traccar = await add_traccar(depot)
    await depot.settle(1)
    click(depot.page.tabs.button("active"))
    click(depot.page.current.items[traccar].more)
    pick("remove")
    words = await confirm(depot)
    assert "Remove Traccar Kano?" in words
    assert "No device, vehicle or data depends on it." in words
    await depot.settle(0)
    assert depot.page.current.empty.isVisible()
    assert depot.desk.vault.owners() == frozenset()
    assert depot.page.available.cards["traccar"].button is depot.page.available.cards["traccar"].add


async def test_only_what_fetches_and_is_enabled_can_sync(depot: Depot) -> None:
    gt02, traccar = await add_gt02(depot), await add_traccar(depot)
    await depot.settle(2)
    items = depot.page.current.items
    for item, can in ((items[gt02], False), (items[traccar], True)):
        menu = item.menu()
        assert ("sync" in [action.objectName() for action in menu.actions()]) is can
        menu.deleteLater()

    def disable(connection: Connection) -> None:
        raise_topic(connection, "integrations")
        connection.execute(update(Integration).where(Integration.id == traccar).values(enabled=False))

    await depot.write(disable)
    await until(lambda: depot.page.current.items[traccar].pill.word == "Disabled")
    assert not depot.page.current.items[traccar].can_sync


async def test_sync_now_without_an_engine_says_so(depot: Depot) -> None:
    traccar = await add_traccar(depot)
    await depot.settle(1)
    depot.page.act("sync", traccar)
    await until(lambda: depot.console.notes)
    level, words = depot.console.notes[-1]
    assert level == "error"
    assert "engine is not running" in words


async def test_sync_now_tells_how_the_run_ended_and_not_before(depot: Depot, expected_logs: ExpectedLogs) -> None:
    expected_logs.allow(POPUPS)
    traccar = await add_traccar(depot)
    await depot.write(set_engine_running)
    await depot.settle(1)
    click(depot.page.tabs.button("active"))
    click(depot.page.current.items[traccar].more)
    pick("sync")

    def given(connection: Connection) -> str | None:
        query = select(Command.id).where(Command.name == SYNC, Command.integration_id == traccar)
        return connection.execute(query).scalar_one_or_none()

    command_id = None
    while command_id is None:
        command_id = await depot.console.context.bridge.read(given)
    assert "syncing…" in depot.page.current.items[traccar].times.text()
    assert depot.console.notes == []
    outcome = {"ok": True, "counts": {"positions": 24}, "duration_ms": 1200}
    await depot.write(lambda connection: finish_command(connection, command_id, outcome, 0))
    await until(lambda: depot.console.notes)
    assert depot.console.notes == [("ok", "Traccar Kano: 24 new records in 1.2 s.")]
    assert "syncing" not in depot.page.current.items[traccar].times.text()


async def test_the_header_adds_any_type_that_there_is(depot: Depot) -> None:
    menu = depot.page.add_button.menu()
    assert [action.objectName() for action in menu.actions()] == [
        "msupply",
        "nhlmis",
        "openlmis",
        "traccar",
        "gt02_tracker",
        "fuel_monitoring",
        "mod4",
        "webhook",
        "cold_room",
    ]
    menu.actions()[-1].trigger()
    dialog = await depot.settings_dialog()
    assert dialog.windowTitle() == "Add Cold Room Thermometer"
    dialog.reject()


async def test_other_pages_open_dialogs_and_details_here(depot: Depot) -> None:
    gt02 = await add_gt02(depot)
    await depot.settle(1)
    depot.page.show_item(configure=gt02)
    dialog = await depot.settings_dialog()
    dialog.reject()
    depot.page.show_item(add="traccar")
    await until(lambda: open_dialog() is not dialog and open_dialog() is not None)
    (await depot.settings_dialog()).reject()
    depot.page.show_item(details=gt02)
    await until(lambda: depot.page.is_detail_shown)
    depot.page.show_item(details="no such id")
    assert depot.console.notes[-1] == ("warn", "This integration does not exist any more.")


async def test_a_wish_that_comes_before_the_first_read_is_kept(console: Console) -> None:
    async with opened_page(console, catalogue()) as first:
        gt02 = await add_gt02(first)
    async with opened_page(console) as depot:
        depot.page.overview = None
        depot.page.show_item(details=gt02)
        depot.page.request_refresh()
        await until(lambda: depot.page.is_detail_shown)


async def test_buttons_and_items_can_be_told_apart_without_eyes(depot: Depot) -> None:
    gt02 = await add_gt02(depot)
    await depot.settle(1)
    click(depot.page.tabs.button("active"))
    item = depot.page.current.items[gt02]
    assert item.configure.accessibleName() == "Configure Depot trackers"
    assert item.more.accessibleName() == "More for Depot trackers"
    assert item.accessibleName() == "Depot trackers, Starting"
    item.details.setFocus()
    QTest.keyClick(item.details, Qt.Key.Key_Space)
    await until(lambda: depot.page.is_detail_shown)
    QTest.keyClick(depot.page.detail.back, Qt.Key.Key_Escape)
    await until(lambda: not depot.page.is_detail_shown)
