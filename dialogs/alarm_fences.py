"""Fences of our own: circles around a place, areas from a file; those of servers are listed beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtWidgets import QDialog, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.alarms.errors import AlarmError
from app.alarms.own_fences import OWNER, add_fences, circle, list_all, read_geojson, remove_fence
from app.errors import OperatorError
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import calm_wheel, labelled, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel
from widgets.theme import restyle

WIDTH_PX, HEIGHT_PX = 760, 560
NUMBER_WIDTH_PX = 180
TEXT_INSET = 9

Fence = dict[str, Any]


class CircleDialog(QDialog):
    """A circle around a place; accepted once it is saved."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self.setWindowTitle(tr("New fence"))
        self.setFixedWidth(460)
        self.name = QLineEdit()
        self.name.setMaxLength(300)
        self.place = QLineEdit()
        self.place.setPlaceholderText(tr("9.0765, 7.3986"))
        self.radius = _number(10, 500_000, 300, tr(" m"))
        self.limit = _number(0, 250, 0, tr(" km/h"))
        self.limit.setSpecialValueText(tr("none"))
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.save = primary_button(context.theme, tr("Save the fence"))
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self._lay_out()
        self.save.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.save.setDefault(True)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("New fence"), "heading"))
        how = tr("A circle. The place is latitude and longitude in degrees, as the map's details and a phone show it.")
        column.addWidget(text_label(how, "muted", wrap=True))
        form = QGridLayout()
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(10)
        form.setColumnStretch(1, 1)
        rows = ((tr("Name"), self.name), (tr("Place"), self.place), (tr("Radius"), self.radius))
        for at, (title, control) in enumerate((*rows, (tr("Speed limit"), self.limit))):
            label = text_label(title, "strong")
            label.setBuddy(control)
            form.addWidget(label, at, 0)
            form.addWidget(labelled(control, title), at, 1)
        column.addLayout(form)
        column.addWidget(self.problem)
        self.problem.hide()
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        column.addLayout(row)

    def _start(self) -> None:
        self.problem.hide()
        for field in (self.name, self.place):
            restyle(field, invalid="false")
        try:
            lat, lon = parse_place(self.place.text())
            new = circle(self.name.text(), lat, lon, self.radius.value(), self.limit.value() or None)
        except AlarmError as err:
            self._show(err)
            return
        self.save.setEnabled(False)
        self._context.tasks.start(self._save(new), name="save a fence", owner=self)

    async def _save(self, new: Any) -> None:
        try:
            await self._context.bridge.write(partial(add_fences, fences=[new]))
        except OperatorError as err:
            self.save.setEnabled(True)
            self._show(err)
            return
        self.accept()

    def _show(self, err: OperatorError) -> None:
        field = {"name": self.name, "place": self.place}.get(getattr(err, "field", ""))
        if field is not None:
            restyle(field, invalid="true")
            field.setFocus()
        self.problem.setText(err.why)
        self.problem.show()


class FencesDialog(QDialog):
    """Each change is saved at once; the dialog is only closed."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self.setWindowTitle(tr("Fences"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme = context.theme
        model = RowsModel[Fence](_columns(context), key=lambda fence: fence["id"])
        self.table = DataTable(theme, model, tr("Fences"))
        model.setParent(self.table)
        how = tr("Fences of a tracking server appear by themselves. Add a circle, or import areas from a GeoJSON file.")
        self.table.set_empty("fence", tr("No fences yet"), how)
        self.add = outline_button(theme, tr("Add a circle…"), "plus")
        self.load = outline_button(theme, tr("Import GeoJSON…"), "upload")
        self.remove = outline_button(theme, tr("Remove…"), "trash-2")
        self.shut = primary_button(theme, tr("Close"))
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self._lay_out()
        self.add.clicked.connect(lambda: self._spawn(self._add(), "add"))
        self.load.clicked.connect(lambda: self._spawn(self._import(), "import"))
        self.remove.clicked.connect(lambda: self._spawn(self._remove(), "remove"))
        self.shut.clicked.connect(self.accept)
        self.table.selected.connect(self._on_selected)
        self._on_selected([])
        self._spawn(self.read(), "read")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Fences"), "heading"))
        sense = tr("Rules about entering, leaving, staying and speed look at these. They are drawn on the live map.")
        column.addWidget(text_label(sense, "muted", wrap=True))
        column.addWidget(in_card(self.table), 1)
        column.addWidget(self.problem)
        self.problem.hide()
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.add, self.load, self.remove):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.shut)
        column.addLayout(row)

    async def read(self) -> None:
        try:
            self.table.model.apply(await self._context.bridge.read(list_all))
        except OperatorError as err:
            self._show_problem(err)

    async def _add(self) -> None:
        if await ask.run(CircleDialog(self._context, self)):
            await self.read()

    async def _import(self) -> None:
        path = await ask.open_file(self, tr("Import GeoJSON"), ["GeoJSON (*.geojson *.json)"])
        if path is None:
            return
        self.problem.hide()
        try:
            new = await asyncio.to_thread(lambda: read_geojson(path.read_bytes(), path.stem))
            if len(new) > 1 and not await ask.confirm(
                self,
                self._context.theme,
                trn("Add {count} fence?", "Add {count} fences?", len(new)),
                tr("Each can be removed again."),
                act=trn("Add {count} fence", "Add {count} fences", len(new)),
                detail=", ".join(one.name for one in new[:8]) + ("…" if len(new) > 8 else ""),
            ):
                return
            await self._context.bridge.write(partial(add_fences, fences=new))
        except OperatorError as err:
            self._show_problem(err)
            return
        except OSError as err:
            self._show_problem(AlarmError(tr("The file cannot be read: {why}.", why=err.strerror or err)))
            return
        await self.read()

    async def _remove(self) -> None:
        rows = [fence for fence in self.table.selected_rows() if fence["integration_id"] == OWNER]
        if rows and await ask.confirm(
            self,
            self._context.theme,
            tr("Remove the fence “{name}”?", name=rows[0]["name"]),
            tr("Rules that name it look at it no more."),
            act=tr("Remove the fence"),
            destructive=True,
        ):
            try:
                await self._context.bridge.write(partial(remove_fence, fence_id=rows[0]["id"]))
            except OperatorError as err:
                self._show_problem(err)
            await self.read()

    def _show_problem(self, err: OperatorError) -> None:
        self.problem.setText(err.why)
        self.problem.show()

    def _on_selected(self, fences: Sequence[Fence]) -> None:
        is_own = bool(fences) and fences[0]["integration_id"] == OWNER
        self.remove.setEnabled(is_own)
        self.remove.setToolTip("" if is_own or not fences else tr("A server's fence is changed on the server."))

    def _spawn(self, coroutine: Any, name: str) -> object:
        return self._context.tasks.start(coroutine, name=f"fences: {name}", owner=self)


def parse_place(text: str) -> tuple[float, float]:
    """Latitude and longitude of ``9.0765, 7.3986``. Raises AlarmError for anything else."""
    parts = [part for part in text.replace(";", " ").replace(",", " ").split() if part]
    try:
        lat, lon = (float(part) for part in parts)
    except ValueError as err:
        raise AlarmError(tr("Place: write latitude and longitude, for example 9.0765, 7.3986."), "place") from err
    return lat, lon


def _columns(context: ConsoleContext) -> list[Column[Fence]]:
    formats = context.formats
    shapes = {"circle": tr("Circle"), "polygon": tr("Area"), "corridor": tr("Road")}
    return [
        Column("name", tr("Name"), lambda fence: fence["name"], width=260),
        Column("shape", tr("Shape"), lambda fence: shapes.get(fence["shape"]) or str(fence["shape"]), width=90),
        Column(
            "radius",
            tr("Radius"),
            lambda fence: formats.distance(fence["radius_m"] / 1000) if fence["radius_m"] else "",
            lambda fence: fence["radius_m"],
            align="right",
            width=90,
        ),
        Column(
            "limit",
            tr("Speed limit"),
            lambda fence: formats.speed(fence["speed_limit_km_h"]) if fence["speed_limit_km_h"] else "",
            lambda fence: fence["speed_limit_km_h"],
            align="right",
            width=100,
        ),
        Column(
            "owner",
            tr("From"),
            lambda fence: tr("made here") if fence["integration_id"] == OWNER else tr("a server"),
            width=100,
        ),
    ]


def _number(least: float, most: float, value: float, suffix: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(0)
    box.setRange(least, most)
    box.setValue(value)
    box.setSuffix(suffix)
    box.setFixedWidth(NUMBER_WIDTH_PX)
    for line in box.findChildren(QLineEdit):
        line.setTextMargins(TEXT_INSET, 0, 0, 0)  # the style sheet's padding does not reach inside a spin box
    calm_wheel(box)
    return box


async def own_fences(context: ConsoleContext, parent: QWidget) -> None:
    """Show the fences until the dialog is closed."""
    dialog = FencesDialog(context, parent)
    try:
        await ask.run(dialog)
    finally:
        await context.tasks.cancel_owner(dialog)
