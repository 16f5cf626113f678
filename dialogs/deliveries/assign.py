"""Giving a batch its driver and vehicle: who is available, with which licence and link, and what is tracked."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.catalogue import Catalogue
from app.deliveries import acts
from app.deliveries.batch import need_batch
from app.deliveries.batches import BatchListing
from app.deliveries.drivers import DriverListing, list_drivers
from app.deliveries.vehicles import FleetListing, list_fleet
from app.errors import OperatorError
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.deliveries import words
from widgets.primitives import calm_wheel, exact_height, labelled, outline_button, primary_button, text_label

WIDTH_PX = 540


async def assign_batch(context: ConsoleContext, parent: QWidget, batch_id: str) -> bool:
    """Ask for driver and vehicle and save the change here; False when cancelled."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    try:
        found = await context.bridge.read(partial(_read, batch_id=batch_id, now_ms=context.services.clock.now_ms()))
    except OperatorError as err:
        context.notify("warn", err.why)
        return False
    dialog = AssignDialog(context, parent, catalogue, *found)
    try:
        return await ask.run(dialog)
    finally:
        context.tasks.cancel_owner(dialog)


def _read(
    connection: Connection, batch_id: str, now_ms: int
) -> tuple[BatchListing, list[DriverListing], list[FleetListing]]:
    batch = need_batch(connection, batch_id)
    drivers = list_drivers(connection, now_ms, batch.integration_id)
    return batch, drivers, list_fleet(connection, batch.integration_id)


class AssignDialog(QDialog):
    """Those who can drive now come first. Accepted once the change is saved here; a refusal is shown in its words."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        catalogue: Catalogue,
        batch: BatchListing,
        drivers: list[DriverListing],
        fleet: list[FleetListing],
    ) -> None:
        super().__init__(parent)
        self._context, self._catalogue, self._batch = context, catalogue, batch
        self._drivers = {one.id: one for one in drivers}
        self._fleet = {one.id: one for one in fleet}
        theme = context.theme
        self.setWindowTitle(tr("Assign batch {name}", name=batch.name))
        self.setMinimumWidth(WIDTH_PX)
        self.driver, self.vehicle = QComboBox(), QComboBox()
        self.driver_state = exact_height(text_label("", "small", wrap=True, selectable=True))
        self.vehicle_state = exact_height(text_label("", "small", wrap=True, selectable=True))
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.save = primary_button(theme, tr("Save here"), "check")
        self.cancel = outline_button(theme, tr("Cancel"))
        self._offer()
        self._lay_out()
        self.driver.currentIndexChanged.connect(self._on_chosen)
        self.vehicle.currentIndexChanged.connect(self._on_chosen)
        self.save.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.save.setDefault(True)
        self._on_chosen()

    def _offer(self) -> None:
        batch = self._batch
        self.driver.addItem(tr("Choose a driver"), "")
        for driver in sorted(self._drivers.values(), key=_rank):
            self.driver.addItem(f"{driver.name} – {words.AVAILABLE.get(driver.availability, '')}", driver.id)
        self.vehicle.addItem(tr("No vehicle yet") if not batch.vehicle else tr("As it is"), "")
        for one in self._fleet.values():
            self.vehicle.addItem(" – ".join(part for part in (one.plate, one.model, one.status) if part), one.id)
        self.driver.setCurrentIndex(max(0, self.driver.findData(batch.driver_id)))
        mine = next((one.id for one in self._fleet.values() if one.peer_id == batch.vehicle), "")
        self.vehicle.setCurrentIndex(max(0, self.vehicle.findData(mine)))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(8)
        title = tr("Assign batch {name}", name=self._batch.name)
        column.addWidget(text_label(title, "heading", wrap=True, selectable=True))
        for box, name, state in (
            (self.driver, tr("Driver"), self.driver_state),
            (self.vehicle, tr("Vehicle"), self.vehicle_state),
        ):
            labelled(box, name)
            calm_wheel(box)
            label = text_label(name, "strong")
            label.setBuddy(box)
            column.addSpacing(4)
            column.addWidget(label)
            column.addWidget(box)
            column.addWidget(state)
        meaning = tr("It is saved here at once and sent to {name} as soon as that can be reached.",
                     name=self._batch.source)  # fmt: skip
        column.addSpacing(4)
        column.addWidget(exact_height(text_label(meaning, "muted", wrap=True)))
        column.addWidget(self.problem)
        self.problem.hide()
        column.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        column.addLayout(row)

    def _on_chosen(self, *_index: object) -> None:
        formats = self._context.formats
        driver = self._drivers.get(str(self.driver.currentData()))
        vehicle = self._fleet.get(str(self.vehicle.currentData()))
        said = tr("Drivers who can leave now stand on top.")
        if driver is not None:
            said = "\n".join([words.driver_line(driver, formats), *driver.problems])
        self.driver_state.setText(said)
        self.vehicle_state.setText(tr("It can be started only with a vehicle.") if vehicle is None else vehicle.why)
        self.vehicle_state.setVisible(vehicle is not None or not self._batch.vehicle)
        self.save.setEnabled(driver is not None)
        self.problem.hide()

    def _start(self) -> None:
        self.save.setEnabled(False)
        self._context.tasks.start(self._save(), name="assign a batch", owner=self)

    async def _save(self) -> None:
        vehicle_id: Any = self.vehicle.currentData() or None
        job = partial(
            acts.assign_batch,
            catalogue=self._catalogue,
            batch_id=self._batch.id,
            driver_id=str(self.driver.currentData()),
            vehicle_id=vehicle_id,
            now=self._context.now(),
        )
        try:
            saved = await self._context.bridge.write(job)
        except OperatorError as err:
            self.problem.setText(err.why)
            self.problem.show()
            self.save.setEnabled(True)
            return
        told = tr("{subject} is saved here and waits to be sent.", subject=saved.subject)
        self._context.notify("warn" if saved.hint else "ok", f"{told} {saved.hint}".strip())
        self.accept()


def _rank(driver: DriverListing) -> tuple[bool, bool, bool, str]:
    """Those who may leave now before the others, by name."""
    return (
        driver.link != "active",
        driver.availability != "available",
        driver.licence == "expired",
        driver.name.casefold(),
    )
