"""Parameters of a vehicle under a window: own and inherited values, the trial on stored days, saving."""

from __future__ import annotations

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from sqlalchemy import select

from app.fuel.events import decide, list_events
from app.fuel.parameters import DESCRIBED, Parameters, to_values
from app.fuel.reconcile import CONFIRMED
from app.fuel.settings import own_values, parameters_of, set_parameters
from app.fuel.tanks import list_tanks
from app.store.tables import Act
from dialogs.fuel_parameters import ParametersDialog
from tests.helpers.fuel_desk import LEFT, Desk, desk, opened
from tests.helpers.qt import until

__all__ = ["desk"]


async def open_parameters(desk: Desk) -> ParametersDialog:
    QTest.mouseClick(desk.page.parameters, LEFT)
    return await opened(ParametersDialog)


def type_into(dialog: ParametersDialog, name: str, text: str) -> None:
    line = dialog.fields[name].control
    assert isinstance(line, QLineEdit)
    line.clear()
    QTest.keyClicks(line, text)


async def vehicle_of(desk: Desk) -> str:
    (tank,) = await desk.read(list_tanks)
    return tank.vehicle_id


async def test_every_parameter_is_in_the_form_with_its_class_value(desk: Desk) -> None:
    dialog = await open_parameters(desk)
    assert {one.name for one in DESCRIBED} <= set(dialog.fields)
    assert {"filter", "drains_in_motion", "temperature_correction"} <= set(dialog.fields)
    assert set(dialog.fields) <= set(to_values(Parameters()))
    line = dialog.fields["minimum_refuel_share"].control
    assert isinstance(line, QLineEdit)
    assert (line.text(), line.placeholderText()) == ("", "3")
    assert dialog.fields["minimum_refuel_share"].unit.text() == "%"
    assert dialog.values() == {}
    assert not dialog.attempt.isEnabled()
    assert not dialog.save.isEnabled()
    assert not dialog.untried.isEnabled()
    QTest.mouseClick(dialog.cancel, LEFT)


async def test_a_change_is_tried_on_stored_days_and_only_then_saved(desk: Desk) -> None:
    vehicle_id = await vehicle_of(desk)
    drain = next(event for event in await desk.read(list_events) if event.kind == "drain")
    await desk.write(lambda c: decide(c, drain.id, CONFIRMED))
    dialog = await open_parameters(desk)
    type_into(dialog, "minimum_drain_l", "60")
    assert dialog.fields["minimum_drain_l"].own.isVisible()
    assert not dialog.save.isEnabled()
    assert dialog.untried.isEnabled()
    QTest.mouseClick(dialog.attempt, LEFT)
    await until(dialog.save.isEnabled)
    (row,) = dialog.trial.model.rows
    assert (row.line.outcome, row.line.event.kind, row.line.decision) == ("vanishes", "drain", "confirmed")
    assert dialog.trial.summary.text() == "0 appear, 1 vanish, 0 change, 1 stay."
    assert "−40" not in dialog.trial.used.text()  # what was stolen counts as used then
    assert "+40" in dialog.trial.used.text().replace("+39.9", "+40")
    assert await desk.read(lambda c: own_values(c, f"vehicle:{vehicle_id}")) == {}  # nothing is saved by trying
    type_into(dialog, "minimum_drain_l", "70")
    assert dialog.trial.outdated.isVisible()
    assert not dialog.save.isEnabled()
    QTest.mouseClick(dialog.attempt, LEFT)
    await until(dialog.save.isEnabled)
    assert not dialog.trial.outdated.isVisible()
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: desk.console.notes)
    assert await desk.read(lambda c: own_values(c, f"vehicle:{vehicle_id}")) == {"minimum_drain_l": 70}
    assert "fuel_parameters.set" in await desk.read(lambda c: c.execute(select(Act.what)).scalars().all())


async def test_the_class_gives_other_values_and_is_saved_untried(desk: Desk) -> None:
    vehicle_id = await vehicle_of(desk)
    dialog = await open_parameters(desk)
    dialog.vehicle_class.setFocus()
    QTest.keyClicks(dialog.vehicle_class, "car")
    line = dialog.fields["norm_l_100_km"].control
    assert isinstance(line, QLineEdit)
    assert line.placeholderText() == "9"
    type_into(dialog, "norm_l_100_km", "7,5")
    type_into(dialog, "minimum_refuel_share", "4")
    QTest.mouseClick(dialog.untried, LEFT)
    await until(lambda: desk.console.notes)
    held = await desk.read(lambda c: parameters_of(c, vehicle_id))
    assert (held.norm_l_100_km, held.idle_l_h, held.minimum_refuel_share) == (7.5, 0.7, 0.04)


async def test_own_values_go_back_to_the_class(desk: Desk) -> None:
    vehicle_id = await vehicle_of(desk)
    own = {"settle_s": 120.0, "window_parked": 7, "filter": "off", "drains_in_motion": False}
    await desk.write(lambda c: set_parameters(c, f"vehicle:{vehicle_id}", own))
    dialog = await open_parameters(desk)
    assert dialog.values() == own
    assert {name for name, field in dialog.fields.items() if field.own.isVisibleTo(dialog)} == set(own)
    QTest.mouseClick(dialog.fields["settle_s"].reset, LEFT)
    assert "settle_s" not in dialog.values()
    QTest.mouseClick(dialog.reset_all, LEFT)
    assert dialog.values() == {}
    QTest.mouseClick(dialog.untried, LEFT)
    await until(lambda: desk.console.notes)
    assert await desk.read(lambda c: own_values(c, f"vehicle:{vehicle_id}")) == {}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("minimum_refuel_l", "1", "Smallest refuel must be 2 to 200 L."),
        ("minimum_drain_share", "51", "Smallest drain, share of the tank must be 0 to 50 %."),
        ("window_parked", "4", "Median window while parked must be an odd whole number."),
        ("settle_s", "much", "Settling after a stop must be a number."),
        ("idle_l_h", "nan", "Consumption while idling must be 0 to 20 L/h."),
    ],
)
async def test_what_cannot_be_is_said_at_once_and_not_saved(desk: Desk, name: str, text: str, why: str) -> None:
    dialog = await open_parameters(desk)
    type_into(dialog, name, text)
    assert dialog.problem.text() == why
    assert [one.isEnabled() for one in (dialog.attempt, dialog.untried, dialog.save)] == [False] * 3
    QTest.mouseClick(dialog.fields[name].reset, LEFT)
    assert not dialog.problem.isVisible()
    QTest.mouseClick(dialog.cancel, LEFT)
