"""Adopting a tracker and setting its name and clock, field by field."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.clock import utc_now
from app.fleet.vehicles import VehicleListing
from app.store.tables import Act, Device
from dialogs.adopt_tracker import AdoptDialog, adopt_tracker
from dialogs.tracker_settings import TrackerSettingsDialog, tracker_settings
from tests.helpers.fleet import IMEI, a_position, make_feed, rows_of
from tests.helpers.map_fleet import a_tracker
from tests.helpers.qt import Console, open_dialog, until

LEFT = Qt.MouseButton.LeftButton


def a_vehicle(plate: str, name: str = "", trackers: tuple[str, ...] = ()) -> VehicleListing:
    return VehicleListing(f"id-{plate}", plate, name, "", "", utc_now(), trackers, 1)


FLEET = [a_vehicle("KAN-552XA", "Cold truck", ("111",)), a_vehicle("ABC-123DE")]


@pytest.fixture
def parent() -> Iterator[QWidget]:
    widget = QWidget()
    yield widget
    widget.deleteLater()


def adopt_dialog(console: Console, parent: QWidget, *, was_on_one: bool = False, **row: object) -> AdoptDialog:
    return AdoptDialog(console.context, parent, a_tracker(1, **row), FLEET, was_on_one=was_on_one)


async def test_a_plate_is_known_by_any_spelling_and_a_new_one_is_named_as_new(
    console: Console, parent: QWidget
) -> None:
    dialog = adopt_dialog(console, parent)
    assert not dialog.act.isEnabled()
    dialog.field.setText(" abc -123de ")
    assert dialog.vehicle() == FLEET[1]
    assert dialog.act.text() == "Adopt"
    assert dialog.meaning.text().startswith("A first adoption brings all")
    dialog.field.setText("kan-552xa cold truck")
    assert "has a tracker already, 111; both are kept" in dialog.meaning.text()
    dialog.field.setText("NEW-1")
    assert dialog.act.text() == "Adopt to a new vehicle"
    dialog.field.setText("   ")
    assert not dialog.act.isEnabled()


async def test_a_tracker_that_was_on_a_vehicle_before_does_not_promise_its_history(
    console: Console, parent: QWidget
) -> None:
    dialog = adopt_dialog(console, parent, was_on_one=True)
    dialog.field.setText("ABC-123DE")
    assert dialog.meaning.text() == "It was on a vehicle before: only what comes from now on belongs here."


async def test_moving_to_the_vehicle_it_is_on_is_no_move(console: Console, parent: QWidget) -> None:
    dialog = adopt_dialog(console, parent, vehicle_id="id-ABC-123DE", vehicle="ABC-123DE")
    dialog.field.setText("ABC-123DE")
    assert not dialog.act.isEnabled()
    dialog.field.setText("KAN-552XA")
    assert dialog.act.text() == "Move"
    assert "stays with ABC-123DE" in dialog.meaning.text()


async def test_a_cancelled_adoption_changes_nothing(console: Console, parent: QWidget) -> None:
    feed = await asyncio.to_thread(make_feed, console.store)
    await asyncio.to_thread(feed, a_position())
    task = console.tasks.start(
        adopt_tracker(console.context, parent, a_tracker(1, unique_id=IMEI)), name="adopt", owner=parent
    )
    await until(lambda: isinstance(open_dialog(), AdoptDialog))
    dialog = open_dialog()
    assert isinstance(dialog, AdoptDialog)
    dialog.field.setText("ABC-1")
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert await task is None
    assert rows_of(console.store, Act) == []


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("+8:00", "A fix that it dates 12:00 (UTC+8:00) is stored as 04:00 UTC."),
        ("-13", "A fix that it dates 12:00 (UTC−13:00) is stored as 01:00 UTC."),
        ("0:00:30", "A fix that it dates 12:00 (UTC+0:00:30) is stored as 11:59:30 UTC."),
        ("17", "More than sixteen hours: no zone is that far off."),
        ("eight", "Write hours and minutes, for example +8:00."),
    ],
)
async def test_an_offset_is_explained_while_it_is_typed(
    console: Console, parent: QWidget, text: str, meaning: str
) -> None:
    dialog = TrackerSettingsDialog(console.context, parent, a_tracker(1))
    assert dialog.declared.isChecked()
    QTest.keyClicks(dialog.offset, text)
    assert dialog.fixed.isChecked()
    assert dialog.meaning.text().startswith(meaning)
    is_good = meaning.startswith("A fix")
    assert dialog.save.isEnabled() == is_good
    assert dialog.offset.property("invalid") == ("false" if is_good else "true")
    dialog.declared.setChecked(True)
    assert dialog.save.isEnabled()


async def test_without_a_warning_nothing_is_suggested(console: Console, parent: QWidget) -> None:
    dialog = TrackerSettingsDialog(console.context, parent, a_tracker(1, clock_lag_s=30, clock_offset_s=3_600))
    assert dialog.suggestion is None
    dialog.use_suggestion()
    assert dialog.offset.text() == "+1:00"
    assert dialog.wanted_offset_s() == 3_600


async def test_only_what_changed_is_saved_and_a_refusal_stays_in_the_dialog(console: Console, parent: QWidget) -> None:
    feed = await asyncio.to_thread(make_feed, console.store)
    await asyncio.to_thread(feed, a_position())
    row = a_tracker(1, unique_id=IMEI)
    task = console.tasks.start(tracker_settings(console.context, parent, row), name="settings", owner=parent)
    await until(lambda: isinstance(open_dialog(), TrackerSettingsDialog))
    dialog = open_dialog()
    assert isinstance(dialog, TrackerSettingsDialog)
    dialog.offset.setText("-1")
    dialog.fixed.setChecked(True)
    QTest.mouseClick(dialog.save, LEFT)
    assert await task
    (device,) = rows_of(console.store, Device)
    assert device.clock_offset_s == -3_600
    assert [act.what for act in rows_of(console.store, Act)] == ["device.clock_offset"]
    gone = TrackerSettingsDialog(console.context, parent, a_tracker(1, unique_id="gone"))
    gone.name.setText("x")
    gone.show()
    QTest.mouseClick(gone.save, LEFT)
    await until(gone.problem.isVisible)
    assert "No tracker has the IMEI or id gone" in gone.problem.text()
    assert gone.save.isEnabled()
    gone.close()
