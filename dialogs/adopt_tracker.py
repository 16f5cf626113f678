"""Which vehicle a tracker is on: one of those there are, found while typing, or a new one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCompleter, QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from sqlalchemy import Connection, exists, select

from app.errors import OperatorError
from app.fleet.devices import adopt
from app.fleet.listing import DeviceListing
from app.fleet.vehicles import VehicleListing, list_vehicles
from app.store.tables import DeviceAssignment
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import outline_button, primary_button, text_label

WIDTH_PX = 480


class AdoptDialog(QDialog):
    """Accepted once the tracker is on the vehicle ``plate``; a refusal is shown here and nothing is lost."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        row: DeviceListing,
        vehicles: Sequence[VehicleListing],
        *,
        was_on_one: bool = False,
    ) -> None:
        """``was_on_one``: it was adopted before, so that its history stays where it is."""
        super().__init__(parent)
        self._was_on_one = was_on_one
        self._context = context
        self._row = row
        self._by_name = {_folded(name): found for found in vehicles for name in (found.label, found.plate)}
        self.plate = ""
        is_move = row.vehicle_id is not None
        title = tr("Move the tracker to another vehicle") if is_move else tr("Adopt the tracker to a vehicle")
        self.setWindowTitle(title)
        self.setFixedWidth(WIDTH_PX)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Plate or name, for example ABC-123DE"))
        self.field.setAccessibleName(tr("Vehicle"))
        completer = QCompleter([found.label for found in vehicles], self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.field.setCompleter(completer)
        self.meaning = text_label("", "muted", wrap=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self._verb = tr("Move") if is_move else tr("Adopt")
        # Half a plate and Enter must not make a vehicle unseen.
        self._verb_for_new = tr("Move to a new vehicle") if is_move else tr("Adopt to a new vehicle")
        self.act = primary_button(context.theme, self._verb, "truck")
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self._lay_out(title)
        self.field.textChanged.connect(self._on_text)
        self.act.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.act.setDefault(True)
        self._on_text()

    def _lay_out(self, title: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(title, "heading", wrap=True))
        column.addWidget(text_label(self._about(), wrap=True, selectable=True))
        column.addWidget(self.field)
        column.addWidget(self.meaning)
        column.addWidget(self.problem)
        self.problem.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.act)
        column.addStretch(1)
        column.addLayout(buttons)
        self.field.setFocus()

    def _about(self) -> str:
        row = self._row
        if row.vehicle_id is None:
            frames = trn("{count} frame so far", "{count} frames so far", row.frames)
            return tr("Tracker {device}, {frames}.", device=row.unique_id, frames=frames)
        return tr("Tracker {device} is on {plate}.", device=row.unique_id, plate=row.vehicle)

    def vehicle(self) -> VehicleListing | None:
        """The vehicle that the text names, None where it would be a new one."""
        return self._by_name.get(_folded(self.field.text()))

    def _on_text(self) -> None:
        text, found = " ".join(self.field.text().split()), self.vehicle()
        self.problem.hide()
        is_same = found is not None and found.id == self._row.vehicle_id
        self.act.setEnabled(bool(text) and not is_same)
        self.act.setText(self._verb if found is not None or not text else self._verb_for_new)
        self.meaning.setText(self._meaning(text, found, is_same=is_same))

    def _meaning(self, text: str, found: VehicleListing | None, *, is_same: bool) -> str:
        if not text:
            return tr("Type a plate. A vehicle that does not exist yet is made.")
        if is_same:
            return tr("It is on this vehicle already.")
        sentences = []
        if found is None:
            sentences.append(tr("There is no vehicle {plate} yet; it is made new.", plate=text))
        elif found.trackers:
            others = ", ".join(found.trackers)
            sentences.append(tr("{plate} has a tracker already, {others}; both are kept.", plate=text, others=others))
        if self._row.vehicle_id is not None:
            plate = self._row.vehicle
            sentences.append(tr("What it sent until now stays with {plate}; what comes belongs here.", plate=plate))
        elif self._was_on_one:
            sentences.append(tr("It was on a vehicle before: only what comes from now on belongs here."))
        else:
            sentences.append(tr("A first adoption brings all that the tracker sent so far into the vehicle's track."))
        return " ".join(sentences)

    def _start(self) -> None:
        if self.act.isEnabled():
            self._set_busy(True)
            self._context.tasks.start(self._adopt(), name="adopt a tracker", owner=self)

    async def _adopt(self) -> None:
        found = self.vehicle()
        wanted = found.id if found is not None else " ".join(self.field.text().split())
        try:
            await self._context.bridge.write(partial(adopt, device=self._row.unique_id, vehicle=wanted))
        except OperatorError as err:
            self._set_busy(False)
            self.problem.setText(err.why)
            self.problem.show()
            return
        self.plate = found.plate if found is not None else wanted
        self.accept()

    def _set_busy(self, is_busy: bool) -> None:
        self.field.setReadOnly(is_busy)
        self.act.setEnabled(not is_busy)


async def adopt_tracker(context: ConsoleContext, parent: QWidget, row: DeviceListing) -> str | None:
    """Ask for the vehicle and put the tracker on it; returns the plate, None when cancelled."""

    def read(connection: Connection) -> tuple[list[VehicleListing], bool]:
        adopted = select(exists().where(DeviceAssignment.device_key == row.key))
        return list_vehicles(connection), connection.execute(adopted).scalar_one()

    vehicles, was_on_one = await context.bridge.read(read)
    dialog = AdoptDialog(context, parent, row, vehicles, was_on_one=was_on_one)
    return dialog.plate if await ask.run(dialog) else None


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()
