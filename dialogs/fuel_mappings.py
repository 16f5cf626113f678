"""Fuel values that come with trackers' messages: which there are, what they say now, and what they measure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from app.errors import OperatorError
from app.fuel.mappings import MappingListing, Reading, describe_mappings
from app.fuel.tanks import remove_sensor
from dialogs.fuel_mapping_form import MappingForm, read_choices
from dialogs.fuel_words import buttons_row, problem_label, show_problem, tank_words, unit_word, value_words
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING
from widgets.primitives import outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, HEIGHT_PX = 960, 540
_TOPICS = frozenset({"fuel_sensors", "tanks", "vehicles", "devices"})


async def fuel_mappings(context: ConsoleContext, parent: QWidget, vehicle_id: str | None = None) -> None:
    """Open the dialog; everything in it is saved at once."""
    dialog = MappingsDialog(context, parent)
    await dialog.reload()
    dialog.select_vehicle(vehicle_id)
    await ask.run(dialog)


class MappingsDialog(QDialog):
    """Follows the store while it is open: a changed value shows its new figures as they are made."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        theme = context.theme
        self.setWindowTitle(tr("Fuel values from trackers"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        model = RowsModel[MappingListing](self._columns(), key=lambda row: row.sensor_id)
        self.table = DataTable(theme, model, tr("Fuel values from trackers"))
        model.setParent(self.table)
        self.add = primary_button(theme, tr("Add…"), "plus")
        self.edit = outline_button(theme, tr("Change…"), "pencil")
        self.remove = outline_button(theme, tr("Remove…"), "trash-2")
        self.shut = outline_button(theme, tr("Close"))
        self.problem = problem_label()
        self.table.set_empty(
            "satellite-dish", tr("No value yet"),
            tr("Many trackers send a fuel level with their position. Add it, and its stored history comes along."),
        )  # fmt: skip
        self._lay_out()
        self.table.selected.connect(lambda _rows: self._enable())
        self.table.activated.connect(lambda _row: self._start(self._edit))
        self.add.clicked.connect(lambda: self._start(self._add))
        self.edit.clicked.connect(lambda: self._start(self._edit))
        self.remove.clicked.connect(lambda: self._start(self._remove))
        self.shut.clicked.connect(self.accept)
        context.bridge.changed.connect(self._on_changed)
        self._enable()

    def done(self, result: int) -> None:
        self._context.bridge.changed.disconnect(self._on_changed)
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Fuel values from trackers"), "heading"))
        words = tr(
            "A value in a tracker's messages read as a fuel sensor. Nobody agrees on units, so it is said here; what "
            "is stored already is read the same way."
        )
        column.addWidget(text_label(words, "muted", wrap=True))
        column.addWidget(in_card(self.table), 1)
        column.addWidget(self.problem)
        column.addLayout(buttons_row(self.add, self.edit, self.remove, right=(self.shut,)))

    def _columns(self) -> list[Column[MappingListing]]:
        formats = self._context.formats
        return [
            Column("tank", tr("Measures"), _measured, badge=_waiting, width=150),
            Column("tracker", tr("Tracker"), lambda row: row.tracker, width=150, tooltip=lambda row: row.device),
            Column("attribute", tr("Attribute"), lambda row: row.reading.attribute, width=120),
            Column("unit", tr("Unit"), lambda row: unit_word(row.unit), width=96),
            Column("how", tr("Read as"), lambda row: how_words(row.reading), width=200),
            Column("value", tr("Now"), lambda row: value_words(row.last_value, row.unit, formats),
                   lambda row: row.last_value, align="right", width=92),
            Column("age", tr("Heard"), lambda row: formats.ago(row.last_ms), lambda row: row.last_ms, width=96),
        ]  # fmt: skip

    async def reload(self) -> None:
        self.table.model.apply(await self._context.bridge.read(describe_mappings))
        self._enable()

    def select_vehicle(self, vehicle_id: str | None) -> None:
        """Choose the first value of a vehicle's tracker, else the first of all."""
        rows = self.table.model.rows
        if rows:
            own = [row for row in rows if row.vehicle_id == vehicle_id]
            self.table.select_key((own or rows)[0].sensor_id)

    def _row(self) -> MappingListing | None:
        rows: Sequence[MappingListing] = self.table.selected_rows()
        return rows[0] if len(rows) == 1 else None

    def _enable(self) -> None:
        for button in (self.edit, self.remove):
            button.setEnabled(self._row() is not None)

    def _on_changed(self, topics: frozenset[str]) -> None:
        if topics & _TOPICS:
            self._start(self.reload, keeps_problem=True)

    def _start(self, act: Callable[[], Awaitable[Any]], *, keeps_problem: bool = False) -> None:
        if not keeps_problem:
            show_problem(self.problem, "")
        self._context.tasks.start(self._guarded(act), name="fuel values", owner=self)

    async def _guarded(self, act: Callable[[], Awaitable[Any]]) -> None:
        try:
            await act()
        except OperatorError as err:
            show_problem(self.problem, err.why)

    async def _add(self) -> None:
        await self._form(None)

    async def _edit(self) -> None:
        row = self._row()
        if row is not None:
            await self._form(row)

    async def _form(self, row: MappingListing | None) -> None:
        read = partial(read_choices, now_ms=self._context.services.clock.now_ms())
        form = MappingForm(self._context, self, await self._context.bridge.read(read), row)
        if await ask.run(form):
            await self.reload()

    async def _remove(self) -> None:
        row = self._row()
        if row is None or not await ask.confirm(
            self, self._context.theme, tr("Remove {attribute} of {tracker}?", attribute=row.reading.attribute,
                                          tracker=row.tracker),
            tr("What it measured so far stays in the tank's history. No message is read for it any more."),
            act=tr("Remove the value"), destructive=True,
            detail=tr("Measures: {tank}", tank=tank_words(row.plate, row.tank) or tr("no tank yet")),
        ):  # fmt: skip
            return
        await self._context.bridge.write(partial(remove_sensor, sensor_id=row.sensor_id))
        await self.reload()


def how_words(reading: Reading) -> str:
    """``× 0.5, + 10, median of 5, ignition on``."""
    parts = []
    if reading.scale != 1:
        parts.append(f"× {reading.scale:g}")
    if reading.offset:
        parts.append(f"{'+' if reading.offset > 0 else '−'} {abs(reading.offset):g}")
    if reading.median > 1:
        parts.append(tr("median of {count}", count=reading.median))
    if reading.ignition_only:
        parts.append(tr("ignition on"))
    return ", ".join(parts) or tr("As it is sent")


def _measured(row: MappingListing) -> str:
    return tank_words(row.plate, row.tank) or NOTHING


def _waiting(row: MappingListing) -> tuple[Any, str] | None:
    return None if row.tank_id is not None else ("info", tr("Waiting"))
